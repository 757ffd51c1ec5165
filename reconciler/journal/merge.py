"""Two journals of one history that were written apart: their union, and what one of them lacks. Pure.

A union of lines, because every line names its parents: whoever merges whom, and however often, gets the same set, and
so the same fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from reconciler.errors import StateProblem
from reconciler.journal.chain import Line, in_order


class Merged(NamedTuple):
    """`missing`: the other journal's lines that ours lacks, parents first. `union`: all lines, in the order in which they are folded."""

    missing: list[Line]
    union: list[Line]


def merge(ours: Sequence[Line], theirs: Sequence[Line]) -> Merged:
    """The union of two journals. Raises StateProblem when either does not chain, or when they do not begin alike."""
    mine, other = in_order(ours), _in_order(theirs)
    first, second = mine[0].fact, other[0].fact
    if first.hash != second.hash:
        raise StateProblem(
            f"the other journal is of lineage {_lineage(other[0])}, this one of {_lineage(mine[0])}: they never had a common beginning; nothing was merged",
            hint="its jobs can be taken over one by one: `reconciler adopt NAME REQUEST_ID`",
        )
    known = {line.fact.hash for line in mine}
    missing = [line for line in other if line.fact.hash not in known]
    return Merged(missing, in_order([*mine, *missing]))


def _in_order(lines: Sequence[Line]) -> list[Line]:
    try:
        return in_order(lines)
    except StateProblem as problem:
        raise StateProblem(f"the other journal cannot be merged: {problem.message}", hint="take a whole copy of it") from None


def _lineage(line: Line) -> str:
    return repr(str(line.fact.data.get("lineage"))[:36])
