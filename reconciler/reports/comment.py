"""Which comment of a pull request is ours to change, and whether it is to be changed: decided from texts alone.

A comment is ours when its first line is our marker and we wrote it. An older run never overwrites a newer one, what says
the same is not sent again, and a plan that changes nothing begins no comment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NamedTuple, Protocol

from reconciler.money import ZERO, Money
from reconciler.reports.markdown import NO_CHANGES, SINCE
from reconciler.text import format_money, money_text, short_digest

LABEL_PREFIX = "lora +$"
LONGEST_LABEL = 50
_MARKER = re.compile(r"<!-- reconciler (\{[^\n]{1,4000}\}) -->\s*")
_SAID_SINCE = re.compile(r" ?\((?:[+−]\$[0-9.,]+) since (?:`[0-9a-f]{1,12}`|the last comment)\)")
_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")


class Posted(Protocol):
    """A comment as the forge has it."""

    @property
    def id(self) -> int:
        """Its number there."""
        ...

    @property
    def author(self) -> str:
        """Whoever wrote it."""
        ...

    @property
    def body(self) -> str:
        """Its text."""
        ...


class Marker(NamedTuple):
    """What the first line of a comment says about it. `at` is UTC, ISO 8601; `due` USD."""

    key: str
    at: str
    due: Money
    sha: str


class Decision(NamedTuple):
    """What to do: `body` is the text to send; `comment` the one to change."""

    do: Literal["create", "update", "skip"]
    why: str
    body: str = ""
    comment: int | None = None


def read_marker(body: str) -> Marker | None:
    """The marker on the first line, or None. Everything in it may have been edited by anybody."""
    found = _MARKER.fullmatch(body.partition("\n")[0])
    if found is None:
        return None
    try:
        facts = json.loads(found[1])
        due = Decimal(str(facts.get("due") or "0"))
    except (ValueError, InvalidOperation, RecursionError, AttributeError):
        return None
    if not due.is_finite() or not 0 <= due < Decimal(10) ** 12:
        return None
    return Marker(_text(facts, "key"), _text(facts, "at"), due, _text(facts, "sha"))


def _text(facts: dict[str, Any], key: str) -> str:
    value = facts.get(key)
    return value if isinstance(value, str) else ""


def decide(body: str, marker: Marker, posted: Sequence[Posted], *, me: str) -> Decision:
    """What to do with `body`, whose marker is `marker`, where `posted` is there already. `me`: who writes our comments."""
    old = _ours(marker, posted, me)
    if old is None:
        if _says_nothing(body):
            return Decision("skip", "nothing changes, so no comment was begun")
        return Decision("create", "there was none", body.replace(SINCE, ""))
    comment, before = old
    if before.at > marker.at:
        return Decision("skip", f"the comment there is newer ({before.at})", comment=comment.id)
    text = body.replace(SINCE, _since(before, marker))
    if _essence(text) == _essence(comment.body):
        return Decision("skip", "it says the same already", comment=comment.id)
    return Decision("update", "", text, comment.id)


def _ours(marker: Marker, posted: Sequence[Posted], me: str) -> tuple[Posted, Marker] | None:
    """The oldest comment of ours about the same catalog and environment; whoever knows no key meets whoever is there."""
    ours = [(comment, found) for comment in posted if me and comment.author == me and (found := read_marker(comment.body)) is not None]
    same = [pair for pair in ours if pair[1].key == marker.key]
    return next(iter([*same, *(pair for pair in ours if not pair[1].key or not marker.key)]), None)


def _says_nothing(body: str) -> bool:
    title = body.split("\n", 2)[1:2]
    return bool(title) and title[0].endswith(NO_CHANGES)


def _since(before: Marker, now: Marker) -> str:
    difference = now.due - before.due
    if not difference:
        return ""
    where = f"`{short_digest(before.sha.lower())[:7]}`" if _COMMIT.fullmatch(before.sha) else "the last comment"
    return f"({'+' if difference > 0 else '−'}{format_money(abs(difference))} since {where})"


def _essence(body: str) -> str:
    """What a reader learns: without marker, foot, line ends of the forge, and the difference to an even older comment."""
    lines = [line.rstrip() for line in body.splitlines()[1:] if not line.startswith("<sub>")]
    return re.sub(r" +", " ", _SAID_SINCE.sub("", "\n".join(lines))).strip()


def label_of(due: Money) -> str | None:
    """`lora +$24`, without commas, which separate labels; None where nothing is due."""
    if due <= ZERO:
        return None
    return f"{LABEL_PREFIX}{money_text(due).removesuffix('.00')}"[:LONGEST_LABEL]


def relabelled(due: Money, labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Which labels to add, and which of ours to take away."""
    wanted = label_of(due)
    add = [wanted] if wanted is not None and wanted not in labels else []
    return add, [label for label in labels if label.startswith(LABEL_PREFIX) and label != wanted]
