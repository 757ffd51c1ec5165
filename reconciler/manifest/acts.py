"""Declared acts: moved, removed, adopt, resolutions. Each names things once; what contradicts itself is a problem here.

What an act does to the state is the plan's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from reconciler.diagnostics import Place
from reconciler.manifest.fields import Fields, NoValue
from reconciler.manifest.keys import ADOPT, MOVED, NAME_PATTERN, REMOVED, RESOLUTION, Table
from reconciler.manifest.node import Map, Node
from reconciler.manifest.source import Problems, Source, shown
from reconciler.model import Adoption, Moved, Removed, Resolution

_NAME = re.compile(rf"{NAME_PATTERN}(?:@[A-Za-z0-9_.=,+-]{{1,1024}})?")
_REQUEST_ID = re.compile(r"[!-~]{1,256}")
_ATTEMPT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(slots=True)
class Acts:
    """All acts of all files, in the order in which they were read."""

    moved: list[Moved] = field(default_factory=list)
    removed: list[Removed] = field(default_factory=list)
    adoptions: list[Adoption] = field(default_factory=list)
    resolutions: list[Resolution] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)


def read_acts(root: Map, fields: Fields, acts: Acts) -> None:
    """Add the acts of one file."""
    for key, table, read in (
        ("moved", MOVED, _moved),
        ("removed", REMOVED, _removed),
        ("adopt", ADOPT, _adoption),
        ("resolutions", RESOLUTION, _resolution),
    ):
        node = root.get(key)
        if node is None:
            continue
        acts.sources[root.source.path] = root.source
        for item in fields.items(node, key) or ():
            _one(item, key, table, fields, read=read, acts=acts)


def _one(item: Node, key: str, table: Table, fields: Fields, *, read: Callable[[Map, Fields, Acts], None], acts: Acts) -> None:
    before = fields.problems.errors
    block = fields.table(item, key, table)
    if block is None or fields.problems.errors > before:
        return
    try:
        read(block, fields, acts)
    except NoValue:
        return


def _name(block: Map, key: str, fields: Fields) -> str | None:
    node = block.entries[key][1]
    text = fields.text(node, key, limit=1200)
    if text is not None and not _NAME.fullmatch(text):
        fields.fault("E106", node, f"{shown(text)} cannot be a model's name", "Names have 1 to 63 of a-z 0-9 . _ - and begin with a letter or digit.")
        return None
    return text


def _text(block: Map, key: str, fields: Fields) -> str | None:
    node = block.get(key)
    return "" if node is None else fields.text(node, key)


def _moved(block: Map, fields: Fields, acts: Acts) -> None:
    source, target = _name(block, "from", fields), _name(block, "to", fields)
    if source is not None and source == target:
        fields.fault("E201", block, f"{shown(source)} is moved to itself", "Remove this line.")
    elif source is not None and target is not None:
        acts.moved.append(Moved(source, target, block.place))


def _removed(block: Map, fields: Fields, acts: Acts) -> None:
    name, reason = _name(block, "name", fields), _text(block, "reason", fields)
    if name is not None and reason is not None:
        acts.removed.append(Removed(name, reason, block.place))


def _request_id(node: Node, fields: Fields) -> str | None:
    text = fields.text(node, "request_id", limit=256)
    if text is not None and not _REQUEST_ID.fullmatch(text):
        fields.fault("E105", node, f"{shown(text)} cannot be a request id", "1 to 256 printable ASCII characters without blanks.")
        return None
    return text


def _adoption(block: Map, fields: Fields, acts: Acts) -> None:
    name = _name(block, "name", fields)
    request_id = _request_id(block.entries["request_id"][1], fields)
    note = _text(block, "note", fields)
    if name is not None and request_id is not None and note is not None:
        acts.adoptions.append(Adoption(name, request_id, note, block.place))


def _resolution(block: Map, fields: Fields, acts: Acts) -> None:
    attempt_node, outcome_node = block.entries["attempt"][1], block.entries["outcome"][1]
    attempt, reason = fields.text(attempt_node, "attempt"), _text(block, "reason", fields)
    if attempt is not None and not _ATTEMPT.fullmatch(attempt):
        fields.fault("E105", attempt_node, f"{shown(attempt)} cannot be an attempt", "Copy it from the plan: at-….")
        attempt = None
    request_id: str | None = None
    if type(outcome_node) is Map:
        outcome = fields.table(outcome_node, "outcome", {"request_id": ADOPT["request_id"]})
        if outcome is None or "request_id" not in outcome.entries:
            return
        request_id = _request_id(outcome.entries["request_id"][1], fields)
        if request_id is None:
            return
    elif fields.choice(outcome_node, "outcome", ["not_submitted"]) is None:
        return
    if attempt is not None and reason is not None:
        acts.resolutions.append(Resolution(attempt, request_id, reason, block.place))


def check_acts(acts: Acts, declared: Collection[str], problems: Problems) -> None:
    """Contradictions among acts, and between acts and the names that are declared in any environment."""
    say = _Say(acts, problems)
    say.once("`from`", ((m.source, m.place) for m in acts.moved), "moved twice")
    say.once("`to`", ((m.target, m.place) for m in acts.moved), "the target of two moves")
    say.once("`removed`", ((r.name, r.place) for r in acts.removed), "removed twice")
    say.once("`adopt`", ((a.name, a.place) for a in acts.adoptions), "adopted twice")
    say.once("`adopt`", ((a.request_id, a.place) for a in acts.adoptions), "adopted under two names")
    say.once("`resolutions`", ((r.attempt, r.place) for r in acts.resolutions), "resolved twice")
    for move in acts.moved:
        if move.source in declared:
            say.fault("E201", move.place, f"{shown(move.source)} is moved away and still declared", "Remove its block, or this move.")
        elif move.target not in declared:
            say.fault("W011", move.place, f"{shown(move.target)} is not declared", "A move needs its target; remove the move when it is done.")
    for removal in acts.removed:
        if removal.name in declared:
            say.fault("E201", removal.place, f"{shown(removal.name)} is removed and still declared", "Remove its block, or this line.")
    _check_circles(acts, say)


def _check_circles(acts: Acts, say: _Say) -> None:
    following = {m.source: m for m in acts.moved}
    done: set[str] = set()
    for start in following:
        seen: list[str] = []
        name = start
        while name in following and name not in done:
            done.add(name)
            seen.append(name)
            name = following[name].target
        if name in seen:
            say.fault("E201", following[name].place, f"moves lead in a circle through {shown(name)}", "")


class _Say:
    def __init__(self, acts: Acts, problems: Problems) -> None:
        self._sources = acts.sources
        self._problems = problems

    def fault(self, code: str, place: Place, summary: str, detail: str) -> None:
        self._problems.add(code, summary, detail, place=place, source=self._sources.get(place.file))

    def once(self, what: str, pairs: Iterable[tuple[str, Place]], words: str) -> None:
        first: dict[str, Place] = {}
        for name, place in pairs:
            if name in first:
                self.fault("E201", place, f"{shown(name)} is {words}", f"The first {what} is at {first[name]}.")
            else:
                first[name] = place
