"""Which names a plan is about: -target and -exclude globs, -selector KEY=VALUE. What matches nothing is an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import translate

from reconciler.diagnostics import Diagnostic
from reconciler.errors import Invalid
from reconciler.plan.request import Request
from reconciler.text import nearest, safe

Labels = Mapping[str, str]
_MAGIC = frozenset("*?[")


def select(request: Request, labels: Mapping[str, Labels]) -> frozenset[str] | None:
    """The selected names out of all that have a row (name → labels), or None for all of them.

    Raises Invalid when a glob or a selector matches nothing, or when together they leave nothing.
    """
    if not request.is_selective:
        return None
    names = sorted(labels)
    problems: list[Diagnostic] = []
    chosen = _matches("-target", request.targets, names, problems) if request.targets else set(names)
    for key, value in request.selectors:
        found = {name for name in names if labels[name].get(key) == value}
        if not found:
            problems.append(_unknown_label(key, value, labels))
        chosen &= found
    chosen -= _matches("-exclude", request.excludes, names, problems)
    if not problems and not chosen:
        problems.append(Diagnostic("error", "nothing-selected", "-target, -selector and -exclude together leave no model"))
    if problems:
        raise Invalid(problems)
    return frozenset(chosen)


def match_names(flag: str, patterns: Sequence[str], names: Sequence[str]) -> frozenset[str]:
    """All of `names` that one of the globs names. Raises Invalid for a glob that matches nothing."""
    problems: list[Diagnostic] = []
    found = _matches(flag, patterns, names, problems)
    if problems:
        raise Invalid(problems)
    return frozenset(found)


def _glob(pattern: str) -> Callable[[str], bool]:
    """Whether a name matches a glob (`*`, `?`, `[seq]`), or is spelled exactly so."""
    expression = re.compile(translate(pattern))
    return lambda name: name == pattern or expression.match(name) is not None


def _matches(flag: str, patterns: Sequence[str], names: Sequence[str], problems: list[Diagnostic]) -> set[str]:
    found: set[str] = set()
    known = frozenset(names) if patterns else frozenset()
    for pattern in patterns:
        exact = [pattern] if pattern in known else []
        hits = list(filter(_glob(pattern), names)) if _MAGIC & set(pattern) else exact
        if not hits:
            problems.append(_unknown_name(flag, pattern, names))
        found.update(hits)
    return found


def _unknown_name(flag: str, pattern: str, names: Sequence[str]) -> Diagnostic:
    return Diagnostic("error", "no-such-model", f"{flag}={safe(pattern)} matches no model", _suggestion(pattern, names))


def _unknown_label(key: str, value: str, labels: Mapping[str, Labels]) -> Diagnostic:
    summary = f"-selector {safe(key)}={safe(value)} matches no model"
    values = sorted({str(found[key]) for found in labels.values() if key in found})
    if values:
        return Diagnostic("error", "no-such-label", summary, _suggestion(value, values, prefix=f"{key}="))
    keys = sorted({k for found in labels.values() for k in found})
    return Diagnostic("error", "no-such-label", summary, _suggestion(key, keys))


def _suggestion(word: str, known: Sequence[str], *, prefix: str = "") -> str:
    """The nearest names; where nothing is near, the first few that exist."""
    if not known:
        return ""
    near = nearest(word.strip("*?"), list(known))
    listed = ", ".join(safe(prefix + name) for name in near or known[:5])
    return f"did you mean {listed}?" if near else f"there is {listed}{' and more' if len(known) > 5 else ''}"
