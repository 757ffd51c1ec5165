"""The local copy of a journal that lies elsewhere: comparing it with the original, and bringing it up to date durably."""

from __future__ import annotations

import os
from pathlib import Path

from reconciler.canonical import canonical_json
from reconciler.errors import StateProblem
from reconciler.fact import Draft, Kind
from reconciler.journal.aside import sync_folder
from reconciler.journal.chain import REPAIR, decode, in_order


def whole_lines(content: bytes) -> bytes:
    """`content` without an unfinished last line."""
    return content[: content.rfind(b"\n") + 1]


def extends(content: bytes, copy: bytes) -> bool:
    """Whether `content` begins with `copy`: the everyday case, decided without looking at lines."""
    return content.startswith(copy)


def lines_missing(content: bytes, copy: bytes) -> list[bytes]:
    """The lines of `copy` that `content` lacks, in their order."""
    there = set(content.splitlines())
    return [line for line in copy.splitlines() if line not in there]


def lineage_of(content: bytes) -> str:
    """The lineage in a journal's first line. Raises StateProblem when that is not the beginning of a journal."""
    fact = decode(content.partition(b"\n")[0], 1).fact
    if fact.kind is not Kind.GENESIS:
        raise StateProblem("the journal does not begin with its lineage", hint=REPAIR)
    return str(fact.data.get("lineage", ""))


def check_addition(content: bytes, copy: bytes) -> None:
    """Raise StateProblem unless every line that `content` adds to `copy` is whole and follows lines that are there."""
    if not copy or not content.startswith(copy):
        in_order([decode(raw, number) for number, raw in enumerate(content.split(b"\n")[:-1], 1)])
        return
    first = copy.count(b"\n") + 1
    added: set[str] = set()
    for number, raw in enumerate(content[len(copy) :].split(b"\n")[:-1], first):
        fact = decode(raw, number).fact
        for parent in fact.parents:
            if parent not in added and f'"sha256":"{parent}"'.encode("ascii", "replace") not in copy:
                raise StateProblem(f"line {number} of the journal follows a line that is not there", hint=REPAIR)
        added.add(fact.hash)


def extended(path: Path, addition: bytes, *, start: int) -> None:
    """Append to the copy, which has `start` bytes of whole lines. Durable on return; raises StateProblem when it is not."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "wb") as stream:
            stream.truncate(start)
            stream.seek(start)
            stream.write(addition)
            stream.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise StateProblem(f"the local journal {path}: {error.strerror}") from error


def replace_copy(path: Path, content: bytes) -> None:
    """Make `content` the copy, whole or not at all. Durable on return; raises StateProblem when it is not."""
    fresh = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        fresh.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StateProblem(f"the local journal {path}: {error.strerror}") from error


def line_start(draft: Draft) -> bytes:
    """How the line of this fact begins, wherever it stands in the chain."""
    return canonical_json({"at": draft.at, "data": draft.data, "kind": str(draft.kind)})[:-1].encode("ascii") + b',"prev":'
