"""Lines and their chain: how a fact becomes a line, and what a set of lines amounts to. Pure.

A line is canonical JSON `{"at","data","kind","prev","sha256"}`. `prev` holds the hashes of the lines it was appended
after (one; several behind a merge), `sha256` the digest of the line without itself. So a journal is a graph with one
root, a merge of two journals is the union of their lines, and a removed or altered line shows.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from reconciler.canonical import canonical_json
from reconciler.errors import StateProblem
from reconciler.fact import Draft, Fact, Kind

MAX_LINE_BYTES = 65_536
_HASH_LENGTH = 64
_TAIL = len(',"sha256":"') + _HASH_LENGTH + len('"}')
REPAIR = "restore the journal from git or a backup; `reconciler doctor` says what is wrong, nothing is bought until then"


class Line(NamedTuple):
    """A fact with the exact bytes it stands in (without the newline)."""

    fact: Fact
    raw: bytes


def encode(draft: Draft, parents: Sequence[str]) -> Line:
    """`draft` as a line behind `parents`."""
    body = canonical_json({"at": draft.at, "data": draft.data, "kind": str(draft.kind), "prev": list(parents)}).encode("ascii")
    digest = hashlib.sha256(body).hexdigest()
    raw = body[:-1] + b',"sha256":"' + digest.encode("ascii") + b'"}'
    if len(raw) > MAX_LINE_BYTES:
        raise StateProblem(f"a fact of {len(raw)} bytes is longer than the journal takes ({MAX_LINE_BYTES}); nothing was sent")
    return Line(Fact(draft.kind, draft.at, draft.data, digest, tuple(parents)), raw)


def encode_all(drafts: Iterable[Draft], parents: Sequence[str]) -> list[Line]:
    """Drafts as lines, each behind the one before."""
    lines: list[Line] = []
    for draft in drafts:
        lines.append(encode(draft, parents))
        parents = (lines[-1].fact.hash,)
    return lines


def decode(raw: bytes, number: int) -> Line:
    """The line `raw` (line `number`, for messages). Raises StateProblem when it is not exactly what was written."""
    if len(raw) > MAX_LINE_BYTES:
        raise _broken(number, f"is longer than {MAX_LINE_BYTES} bytes")
    body, tail = raw[:-_TAIL] + b"}", raw[-_TAIL:]
    if not (tail.startswith(b',"sha256":"') and tail.endswith(b'"}')):
        raise _broken(number, "has no hash")
    digest = tail[len(b',"sha256":"') : -2]
    if hashlib.sha256(body).hexdigest().encode("ascii") != digest:
        raise _broken(number, "was altered: its hash does not fit")
    try:
        document: Any = json.loads(body)
        fact = Fact(Kind(document["kind"]), str(document["at"]), dict(document["data"]), digest.decode("ascii"), tuple(map(str, document["prev"])))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _broken(number, "is of a kind that this program does not know; a newer version may have written it") from None
    return Line(fact, raw)


def _broken(number: int, what: str) -> StateProblem:
    return StateProblem(f"line {number} of the journal {what}", hint=REPAIR)


def in_order(lines: Sequence[Line]) -> list[Line]:
    """The lines in the order in which they are folded: each once, parents first, ties by time and hash.

    The result depends on the set of lines alone. Raises StateProblem when a parent is missing or there is not exactly one root.
    """
    if _is_one_chain(lines):
        return list(lines)
    by_hash = {line.fact.hash: line for line in lines}
    children: dict[str, list[str]] = {}
    waiting: dict[str, int] = {}
    for digest, line in by_hash.items():
        parents = set(line.fact.parents)
        if missing := parents - by_hash.keys():
            raise StateProblem(f"the journal does not chain: line {digest[:12]} follows {min(missing)[:12]}, which is not there", hint=REPAIR)
        waiting[digest] = len(parents)
        for parent in parents:
            children.setdefault(parent, []).append(digest)
    return _sorted(by_hash, children, waiting)


def _sorted(by_hash: dict[str, Line], children: dict[str, list[str]], waiting: dict[str, int]) -> list[Line]:
    ready = [(by_hash[d].fact.at, d) for d, count in waiting.items() if count == 0]
    if len(ready) != 1 or by_hash[ready[0][1]].fact.kind is not Kind.GENESIS:
        raise StateProblem("the journal has no single beginning: lines of different lineages, or the first line is missing", hint=REPAIR)
    ordered: list[Line] = []
    while ready:
        _, digest = heapq.heappop(ready)
        ordered.append(by_hash[digest])
        for child in children.get(digest, ()):
            waiting[child] -= 1
            if waiting[child] == 0:
                heapq.heappush(ready, (by_hash[child].fact.at, child))
    if len(ordered) != len(by_hash):
        raise StateProblem("the journal's lines follow each other in a circle", hint=REPAIR)
    return ordered


def _is_one_chain(lines: Sequence[Line]) -> bool:
    if not lines or lines[0].fact.kind is not Kind.GENESIS or lines[0].fact.parents:
        return False
    return all(after.fact.parents == (before.fact.hash,) for before, after in pairwise(lines))


def heads(lines: Iterable[Line], before: Iterable[str] = ()) -> tuple[str, ...]:
    """The hashes nobody follows, sorted: one, or several where a history forked."""
    followed: set[str] = set()
    known = set(before)
    for line in lines:
        known.add(line.fact.hash)
        followed.update(line.fact.parents)
    return tuple(sorted(known - followed))
