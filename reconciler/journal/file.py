"""The journal as a local file, under the kernel lock that the store holds. First backend of `ports.Journal`.

The file is only ever appended to. Before the first purchase its next blocks are reserved, so that the id of an answer
can be written although the disk filled up while the question was on its way.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import re
import stat
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from reconciler.errors import HeadMoved, StateProblem, link_or
from reconciler.fact import Draft, Fact
from reconciler.journal.chain import REPAIR, Line, decode, encode_all, heads, in_order
from reconciler.ports import Head, Shared

FALLOC_FL_KEEP_SIZE = 1
MAX_JOURNAL_BYTES = 4 << 30
_CHUNK_BYTES = 1 << 20
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


class FileJournal:
    """`purchases.jsonl`. Readers need no lock; `append` is for the holder of the lock alone."""

    shared: Shared | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hash = hashlib.sha256()
        self._length = -1
        self._descriptor = -1
        self._reserved_until = -1
        self._end = -1
        self._torn = b""

    def read(self, after: Head | None) -> tuple[Head, list[Fact]]:
        """See `ports.Journal.read`. An unfinished last line is left out."""
        if after is not None and (whole := self._digest_if_unchanged(after)) is not None:
            self._torn, self._hash, self._length = b"", whole, after.length
            return Head(heads((), after.hashes), after.length, after.digest), []
        content = self._content()
        start = 0 if after is None else after.length
        prefix = hashlib.sha256(memoryview(content)[:start])
        if after is not None and (len(content) < start or prefix.hexdigest() != after.digest):
            raise HeadMoved("the journal no longer begins with what the state was folded from")
        lines, end = self._lines(content, start)
        known = () if after is None else after.hashes
        if after is None:
            lines = in_order(lines)
        elif not _continues(lines, known):
            raise HeadMoved("facts of another clone were merged into the journal")
        prefix.update(memoryview(content)[start:end])
        self._hash, self._length = prefix, end
        return Head(heads(lines, known), end, prefix.hexdigest()), [line.fact for line in lines]

    def append(self, drafts: Sequence[Draft], head: Head) -> tuple[Head, list[Fact]]:
        """See `ports.Journal.append`. Raises StateProblem when the lines could not be made durable."""
        lines = encode_all(drafts, head.hashes)
        data = b"".join(line.raw + b"\n" for line in lines)
        hasher = self._hash.copy() if self._length == head.length else self._rehash(head)
        hasher.update(data)
        with self._problems():
            descriptor = self._held_open()
            if os.fstat(descriptor).st_size != head.length:
                raise HeadMoved("somebody else appended to the journal")
            _write_all(descriptor, data, head.length)
            _sync(descriptor)
        self._hash, self._length = hasher, head.length + len(data)
        _log_appended(lines)
        return Head((lines[-1].fact.hash,) if lines else head.hashes, self._length, hasher.hexdigest()), [line.fact for line in lines]

    def reserve(self, count: int) -> None:
        """See `ports.Journal.reserve`. The file's size stays; raises StateProblem when the disk has no room."""
        if not sys.platform.startswith("linux") or self._length + count <= self._reserved_until:
            return
        with self._problems():
            descriptor = self._held_open()
            size = os.fstat(descriptor).st_size
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.fallocate(descriptor, FALLOC_FL_KEEP_SIZE, ctypes.c_int64(size), ctypes.c_int64(4 * count)) != 0:
                code = ctypes.get_errno()
                if code in _NO_ROOM:
                    raise StateProblem(f"no room for the journal's next {4 * count} bytes: {os.strerror(code)}; nothing was sent")
            self._reserved_until = size + 4 * count

    def close(self) -> None:
        """Let go of the file. It is opened again when needed."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = self._reserved_until = -1

    def has_unfinished(self) -> bool:
        """See `ports.Journal.has_unfinished`."""
        return bool(self._torn)

    def drop_unfinished(self, head: Head) -> tuple[str, str] | None:
        """See `ports.Journal.drop_unfinished`."""
        salvaged = self.unfinished()
        with self._problems():
            os.ftruncate(self._held_open(), head.length)
            _sync(self._held_open())
        self._torn = b""
        return salvaged

    def unfinished(self) -> tuple[str, str] | None:
        """The (attempt, request id) that can be read in a last line that was never finished, as the latest read found it."""
        attempt = re.search(rb'"attempt":"(at-[0-9a-z-]+)"', self._torn)
        request_id = re.search(rb'"request_id":"([^"\\]{1,256})"', self._torn)
        return (attempt[1].decode(), request_id[1].decode("utf-8", "replace")) if attempt and request_id else None

    def lines(self) -> list[Line]:
        """Every whole line as it stands in the file, checked one by one but not as a chain. Raises StateProblem."""
        lines, end = self._lines(self._content(), 0)
        self._length = -1  # a head that was read before may be older than these lines
        self._end = end
        return lines

    def absorb(self, lines: Sequence[Line]) -> None:
        """Append lines of another copy as they are, behind what `lines` has read; durable on return. Only for the holder of the lock.

        Raises HeadMoved when the file has grown since, StateProblem when they could not be made durable.
        """
        data = b"".join(line.raw + b"\n" for line in lines)
        with self._problems():
            descriptor = self._held_open()
            if os.fstat(descriptor).st_size != self._end:
                raise HeadMoved("somebody else appended to the journal")
            _write_all(descriptor, data, self._end)
            _sync(descriptor)

    def _digest_if_unchanged(self, after: Head) -> hashlib._Hash | None:
        """The hash over the file when it holds exactly what `after` covers: the everyday case, for which it need not be held whole."""
        whole = hashlib.sha256()
        with self._problems():
            descriptor = self._open(os.O_RDONLY)
            with os.fdopen(descriptor, "rb", buffering=0) as stream:
                if os.fstat(descriptor).st_size != after.length:
                    return None
                while chunk := stream.read(_CHUNK_BYTES):
                    whole.update(chunk)
        return whole if whole.hexdigest() == after.digest else None

    def _content(self) -> bytes:
        with self._problems():
            descriptor = self._open(os.O_RDONLY)
            with os.fdopen(descriptor, "rb") as stream:
                size = os.fstat(descriptor).st_size
                if size > MAX_JOURNAL_BYTES:
                    raise StateProblem(f"the journal {self.path.name} has {size} bytes; at most {MAX_JOURNAL_BYTES} are read")
                content = stream.read(MAX_JOURNAL_BYTES)
        if not content:
            raise StateProblem(f"the journal {self.path.name} is empty: it must begin with its lineage", hint=REPAIR)
        if content.startswith(b"version https://git-lfs"):
            raise StateProblem(f"{self.path.name} is a Git LFS pointer, not the journal", hint="git lfs pull")
        return content

    def _lines(self, content: bytes, start: int) -> tuple[list[Line], int]:
        end = content.rfind(b"\n") + 1
        self._torn = content[end:]
        if end < start:
            raise HeadMoved("the journal is shorter than what the state was folded from")
        first = content.count(b"\n", 0, start) + 1
        raws = content[start:end].split(b"\n")[:-1]
        lines: list[Line] = []
        for number, raw in enumerate(raws, first):
            try:
                lines.append(decode(raw, number))
            except StateProblem as problem:
                if start and b"\0" in raw:
                    good = start + sum(len(line.raw) + 1 for line in lines)
                    problem.hint = (
                        "the machine lost power while this was appended, so nothing of it was sent; if no facts of others were merged"
                        f" just before, cut it off: truncate -s {good} {self.path.name}"
                    )
                raise
        return lines, end

    def _rehash(self, head: Head) -> hashlib._Hash:
        return hashlib.sha256(self._content()[: head.length])

    def _held_open(self) -> int:
        if self._descriptor < 0:
            self._descriptor = self._open(os.O_RDWR | os.O_APPEND)
        return self._descriptor

    def _open(self, flags: int) -> int:
        descriptor = os.open(self.path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise StateProblem(f"the journal {self.path} is not a regular file")
        return descriptor

    @contextlib.contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise StateProblem(
                f"the journal {self.path} is missing; what was bought is not known, so nothing is bought",
                hint=f"{REPAIR}. Only `reconciler init` starts a journal, for a new project",
            ) from None
        except OSError as error:
            raise StateProblem(f"the journal {self.path}: {link_or(error)}") from error


def _log_appended(lines: Sequence[Line]) -> None:
    """What kinds of facts are durable now, by their hashes; not what they say."""
    import logging

    logger = logging.getLogger("reconciler.journal")
    for line in lines if logger.isEnabledFor(logging.INFO) else ():
        logger.info("journal appended", extra={"data": {"kind": line.fact.kind.value, "hash": line.fact.hash, "bytes": len(line.raw) + 1}})


def _continues(lines: Sequence[Line], known: Sequence[str]) -> bool:
    if not lines:
        return True
    return lines[0].fact.parents == tuple(known) and all(b.fact.parents == (a.fact.hash,) for a, b in pairwise(lines))


def _write_all(descriptor: int, data: bytes, start: int) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, start)  # a torn line must not stand before the next one
        raise


def _sync(descriptor: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)
