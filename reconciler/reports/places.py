"""Places as short as they can be: the shortest end of a path that no other file of the same output shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from reconciler.diagnostics import Place
from reconciler.plan.change import Change, Plan
from reconciler.text import redact


def plan_places(plan: Plan) -> Mapping[str, str]:
    """Every file that this plan names → its shortest unique end."""
    places = [c.place for c in plan.changes]
    places += [f.place for c in plan.changes for f in c.fields]
    places += [r.place for r in plan.refusals] + [b.place for b in plan.budgets] + [d.place for d in plan.diagnostics]
    return short_files(place.file for place in places if place is not None)


def row_place(change: Change) -> Place | None:
    """Where to look: the line that was changed, where one field alone differs, else the model."""
    if len(change.fields) == 1 and change.fields[0].place is not None:
        return change.fields[0].place
    return change.place


def short_files(files: Iterable[str]) -> Mapping[str, str]:
    """Each file (redacted) → its shortest end, in whole path components, that is the end of no other of these files."""
    distinct = sorted({redact(file) for file in files})  # whole, before a cut hides what it is
    ends = Counter(end for file in distinct for end in _ends(file))
    return {file: next((end for end in _ends(file) if ends[end] == 1), file) for file in distinct}


def _ends(file: str) -> list[str]:
    parts = file.split("/")[-12:]
    return ["/".join(parts[i:]) for i in range(len(parts) - 1, -1, -1)]


def short_place(place: Place | None, short: Mapping[str, str]) -> str:
    """`products.yaml:31`, or nothing where there is no place. Not yet safe: paths are foreign text."""
    if place is None:
        return ""
    file = redact(place.file)
    return f"{short.get(file, file)}:{place.line}"
