"""Words as people type them into one canonical spelling, before click sees them.

Terraform's hands write `-out=p`, `-out p`, `--out=p`; click would read a mistyped `-emulat` as `-e mulat`, would let a
bare `-wait` eat the plan file, and exits 2, which means "changes" here. So every flag becomes `--name=value` first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reconciler.errors import Usage


class Known(NamedTuple):
    """A flag as the spelling needs it: its canonical name, and what it means without a value (None: it needs one)."""

    name: str
    bare: str | None
    is_switch: bool


class Spelled(NamedTuple):
    """`--name=value` words, and everything that is no flag, in order."""

    flags: list[str]
    words: list[str]


TRUE = ("true", "1", "yes", "on")
FALSE = ("false", "0", "no", "off")

INSTEAD = {
    "force": "there is no -force: a refusal names the limit and the flag that lifts exactly that",
    "lock": "there is no -lock=false: two buyers at once would buy twice; `-lock-timeout=DURATION` waits, `reconciler lock status` says who it is",
    "destroy": "nothing that was bought can be destroyed; remove the model from its manifest and the name is forgotten",
    "refresh": "plan never asks the API; `reconciler refresh` does",
    "refresh-only": "plan never asks the API; `reconciler refresh` does",
    "api-key": "the key is never a flag, where the process list would show it; set PIXAZO_API_KEY, RECONCILER_API_KEY_FILE or RECONCILER_API_KEY_COMMAND",
    "key": "the key is never a flag, where the process list would show it; set PIXAZO_API_KEY, RECONCILER_API_KEY_FILE or RECONCILER_API_KEY_COMMAND",
}


def spell(words: Sequence[str], known: Mapping[str, Known], *, command: str, origin: str = "") -> Spelled:
    """Every flag of `words` as `--name=value`. Raises Usage for a flag that is not `known` or has no value.

    After `--` nothing is a flag. `origin` names the variable that the words come from.
    """
    where = f"{origin}: " if origin else ""
    flags: list[str] = []
    rest: list[str] = []
    queue = list(reversed(words))
    while queue:
        word = queue.pop()
        if word == "--":
            rest.extend(reversed(queue))
            break
        if not word.startswith("-") or word == "-":
            rest.append(word)
            continue
        name, sign, value = word.lstrip("-").partition("=")
        flag = known.get(name)
        if flag is None or len(word) - len(word.lstrip("-")) > 2:
            raise unknown(name, known, command=command, where=where)
        if not sign:
            value = flag.bare if flag.bare is not None else _next(queue, known, shown=f"{where}-{name}")
        flags.append(f"--{flag.name}={_checked(value, flag, shown=f'{where}-{name}')}")
    return Spelled(flags, rest)


def _next(queue: list[str], known: Mapping[str, Known], *, shown: str) -> str:
    if not queue:
        raise Usage(f"{shown} needs a value", hint=f"write {shown.rpartition(' ')[2]}=VALUE")
    value = queue.pop()
    if value.startswith("-") and value.lstrip("-").partition("=")[0] in known:
        raise Usage(
            f"{shown} needs a value, and the next word is the flag -{value.lstrip('-').partition('=')[0]}", hint=f"write {shown.rpartition(' ')[2]}=VALUE"
        )
    return value


def _checked(value: str, flag: Known, *, shown: str) -> str:
    if flag.is_switch:
        lowered = value.lower()
        if lowered not in TRUE + FALSE:
            from reconciler.text import safe

            raise Usage(f"{shown}={safe(value, limit=80)}: a switch is true or false")
        return "true" if lowered in TRUE else "false"
    if not value:
        raise Usage(f"{shown} has an empty value")
    return value


def unknown(name: str, known: Mapping[str, Known], *, command: str, where: str = "") -> Usage:
    """The usage error for a flag that does not exist, with the nearest ones that do."""
    from reconciler.text import safe

    shown = safe(name, limit=80)
    page = f"reconciler {command} -help".replace("  ", " ")
    if name in INSTEAD:
        return Usage(f"{where}{INSTEAD[name]}", hint=page)
    near = near_names(name, sorted(known))
    meant = f"; did you mean {' or '.join('-' + n for n in near)}?" if near else ""
    on = f" on {command}" if command else ""
    return Usage(f"{where}there is no flag -{shown}{on}{meant}", hint=page)


def near_names(word: str, names: Sequence[str]) -> list[str]:
    """What was probably meant: up to two names that begin so, else the one with nearly the same letters."""
    from reconciler.text import nearest

    begun = [name for name in names if 1 < len(word) < len(name) and name.startswith(word)]
    return begun[:2] or nearest(word, list(names), most=1)
