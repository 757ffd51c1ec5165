"""Bringing a local journal and its branch together by hand: the union of both, one way or both ways. For the holder of the lock.

An apply never does this: whatever makes the two differ other than by plain progress was done by somebody, who should know.
"""

from __future__ import annotations

from typing import NamedTuple

from reconciler.errors import HeadMoved, StateProblem
from reconciler.journal.chain import Line, decode
from reconciler.journal.copy import extends, lineage_of
from reconciler.journal.git import FILE, GitJournal
from reconciler.journal.merge import merge

MOST_TRIES = 10
README = """# A reconciler journal

`purchases.jsonl` is the ledger of the models that were bought: append-only, each line carries the hash of the line
before. `reconciler apply` pushes every intent to this branch before it buys, and every answer after it.

- Never edit it, never force-push, never merge it into another branch, and never delete it: who rewrites it can make
  the tool pay twice.
- Protect this branch: no force pushes, no deletion, pushes by the pipeline alone.
"""


class Exchanged(NamedTuple):
    """What an exchange came to, in facts: `came` to the local journal, `went` to the branch, `only_here` is not on the branch yet."""

    came: int
    went: int
    only_here: int
    is_new: bool = False


def pull(journal: GitJournal) -> Exchanged:
    """Take over what the branch has. Raises StateProblem when there is no branch, or of another history."""
    tip = journal.remote_tip()
    if tip is None:
        raise _missing(journal)
    content, copy = journal.content_of(tip), journal.copy()
    union, only_here = _union(content, copy)
    journal.take(union)
    return Exchanged(_count(union) - _count(copy), 0, only_here)


def push(journal: GitJournal, *, lineage: str | None) -> Exchanged:
    """Bring the union of both to the branch, and to the local journal. Makes the branch when there is none, and proves that it refuses."""
    copy = journal.copy()
    for _ in range(MOST_TRIES):
        tip = journal.remote_tip()
        try:
            return _begin(journal, copy, lineage) if tip is None else _bring(journal, copy, tip)
        except HeadMoved:
            continue
    raise StateProblem(f"other runners wrote to {journal.where} first {MOST_TRIES} times in a row", hint="push again")


def _bring(journal: GitJournal, copy: bytes, tip: str) -> Exchanged:
    content = journal.content_of(tip)
    union, went = _union(content, copy)
    if went:
        journal.land({FILE: union}, tip, _last(union), f"journal: {went} facts of another copy")
    journal.take(union)
    return Exchanged(_count(union) - _count(copy), went, 0)


def _begin(journal: GitJournal, copy: bytes, lineage: str | None) -> Exchanged:
    if not copy:
        raise _missing(journal)
    if lineage is not None and lineage_of(copy) != lineage:
        raise StateProblem("the local journal belongs to another project than reconciler.yaml says; nothing was pushed")
    merge(_lines(copy), _lines(copy))  # a journal that does not chain is not made public
    journal.land({FILE: copy, "README.md": README.encode()}, None, _last(copy), "journal: the beginning")
    tip = journal.remote_tip()
    if tip is None or journal.content_of(tip) != copy:
        raise StateProblem(f"{journal.where} does not hold what was pushed to it", hint="look at the branch before anything is bought")
    stale = journal.git.commit({FILE: copy}, None, "journal: a push that must be refused")
    if journal.git.push(stale, journal.branch).code == 0:
        raise StateProblem(f"{journal.where} let a push replace what was there: it cannot decide races", hint="use another remote")
    return Exchanged(0, _count(copy), 0, is_new=True)


def _union(content: bytes, copy: bytes) -> tuple[bytes, int]:
    """The branch's lines, then those that are only here; and how many these are."""
    if extends(content, copy):
        return content, 0
    if extends(copy, content):
        return copy, _count(copy) - _count(content)
    missing = merge(_lines(content), _lines(copy)).missing
    return content + b"".join(line.raw + b"\n" for line in missing), len(missing)


def _lines(content: bytes) -> list[Line]:
    return [decode(raw, number) for number, raw in enumerate(content.split(b"\n")[:-1], 1)]


def _last(content: bytes) -> str:
    return decode(content[:-1].rpartition(b"\n")[2], _count(content)).fact.hash


def _count(content: bytes) -> int:
    return content.count(b"\n")


def _missing(journal: GitJournal) -> StateProblem:
    return StateProblem(
        f"the journal is missing: neither {journal.where} nor {journal.path} is there; what was bought is not known"
        if not journal.copy()
        else f"the journal is missing: there is no {journal.where}",
        hint="restore it; `reconciler journal push` makes the branch from a local journal, and only `reconciler init` starts a new one",
    )
