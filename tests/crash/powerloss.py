"""What a disk may hold after the power went: every write, creation, rename and removal that no sync has covered may be
there, absent, or there in part, independently of all others.

A run is recorded with `strace`. Only two things make an operation certain: a sync of the file covers what was written
to it before, a sync of the folder covers names that were made, changed or removed in it before. That is less than what
any usual file system guarantees.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

RECORDED = "openat,write,pwrite64,ftruncate,fsync,fdatasync,unlink,rename,link,sendto"
STRACE = ["-e", f"trace={RECORDED}", "-xx", "-y", "-s", "4000000"]
SECTOR = 512
Image = dict[str, bytes]

_LINE = re.compile(r"^(\d+)\s+(?:<\.\.\. (\w+) resumed>(.*)|(\w+)\((.*))$")
_END = re.compile(r"\)\s+= ")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_HANDLE = re.compile(r"^(\d+)<([^>]*)>")


class Op(NamedTuple):
    """One operation: `what` is create, write, truncate, unlink, rename, link, sync, post or said."""

    what: str
    name: str = ""
    """The file's name in the state folder; "" is the folder itself."""
    offset: int = 0
    data: bytes = b""
    other: str = ""
    since: int = 0
    """For a sync: only operations before this index are covered."""


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _path(text: str) -> str:
    return _unhex(text).decode() if text.startswith("\\x") else text


@dataclass
class Recorder:
    """Turns the log of a run in `folder` into operations."""

    folder: str
    ops: list[Op] = field(default_factory=list)
    _open: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    _ends: dict[str, int] = field(default_factory=dict)
    """File sizes, for appends."""

    def begin(self, image: Image) -> None:
        self._ends = {name: len(content) for name, content in image.items()}

    def read(self, log: Path) -> None:
        for line in log.read_text(errors="replace").splitlines():
            found = _LINE.match(line)
            if not found:
                continue
            thread, resumed, rest, name, arguments = found.groups()
            if resumed:
                if thread in self._open:
                    name, arguments, since = self._open.pop(thread)
                    self._call(name, arguments + rest, since)
            elif arguments.endswith("<unfinished ...>"):
                self._open[thread] = (name, arguments.removesuffix("<unfinished ...>").rstrip(), len(self.ops))
            else:
                self._call(name, arguments, len(self.ops))
        self._open.clear()

    def _inside(self, path: str) -> str | None:
        if path == self.folder:
            return ""
        if path.startswith(self.folder + "/"):
            name = path[len(self.folder) + 1 :]
            return None if name.endswith("(deleted)") or name == "lock" else name
        return None

    def _call(self, name: str, text: str, since: int) -> None:
        *before, result = _END.split(text)
        arguments = "".join(before)
        if not before or result.startswith(("-1", "?")):
            return
        texts = [_unhex(t) for t in _TEXT.findall(arguments)]
        match name:
            case "openat":
                inside = self._inside(self._where(arguments, texts[0]))
                if inside and "O_CREAT" in arguments and inside not in self._ends:
                    self._add(Op("create", inside))
                    self._ends[inside] = 0
            case "unlink":
                if inside := self._inside(self._absolute(texts[0])):
                    self._add(Op("unlink", inside))
                    self._ends.pop(inside, None)
            case "rename" | "link":
                old, new = (self._inside(self._absolute(t)) for t in texts[:2])
                if old and new:
                    self._add(Op(name, old, other=new))
                    self._ends[new] = self._ends[old]
                    if name == "rename":
                        del self._ends[old]
            case _:
                self._on_handle(name, arguments, texts, result, since)

    def _on_handle(self, name: str, arguments: str, texts: Sequence[bytes], result: str, since: int) -> None:
        handle = _HANDLE.match(arguments)
        if handle is None:
            return
        if name == "sendto":
            self._add(Op("post", data=texts[0]))
            return
        number, path = handle[1], _path(handle[2])
        inside = self._inside(path)
        if name == "write" and number in ("1", "2") and inside is None:
            self._add(Op("said", data=texts[0]))
        if inside is None:
            return
        if name in ("fsync", "fdatasync"):
            self._add(Op("sync", inside, since=since))
        elif name == "ftruncate":
            size = int(arguments.rpartition(", ")[2])
            self._add(Op("truncate", inside, size))
            self._ends[inside] = size
        elif inside:
            done = int(result.split()[0])
            offset = self._ends.get(inside, 0) if name == "write" else int(arguments.rpartition(", ")[2])
            self._add(Op("write", inside, offset, texts[0][:done]))
            self._ends[inside] = max(self._ends.get(inside, 0), offset + done)

    def _where(self, arguments: str, text: bytes) -> str:
        return self._absolute(text)

    def _absolute(self, text: bytes) -> str:
        path = text.decode(errors="replace")
        return path if path.startswith("/") else str(Path(self.folder).parent / path)

    def _add(self, op: Op) -> None:
        self.ops.append(op)


CHANGES = ("create", "write", "truncate", "unlink", "rename", "link")


def pending_at(ops: Sequence[Op], end: int) -> list[int]:
    """The operations before `end` that no sync before `end` covers."""
    certain: set[int] = set()
    for index in range(end):
        op = ops[index]
        if op.what != "sync":
            continue
        for before in range(min(op.since, index)):
            done = ops[before]
            is_name = done.what in ("create", "unlink", "rename", "link")
            if done.what in CHANGES and (is_name if op.name == "" else not is_name and done.name == op.name):
                certain.add(before)
    return [i for i in range(end) if ops[i].what in CHANGES and i not in certain]


def build(start: Image, ops: Sequence[Op], end: int, lost: set[int], torn: dict[int, Sequence[int]]) -> Image:
    """The files after the operations before `end`, without those in `lost`; of those in `torn` only some sectors."""
    inodes: dict[str, bytearray] = {name: bytearray(content) for name, content in start.items()}
    writing: dict[str, bytearray] = dict(inodes)
    for index in range(end):
        op = ops[index]
        is_lost = index in lost
        match op.what:
            case "create":
                inode = bytearray()
                writing[op.name] = inode
                if not is_lost:
                    inodes[op.name] = inode
            case "write" if not is_lost and op.name in writing:
                for offset, data in _pieces(op, torn.get(index)):
                    _write(writing[op.name], offset, data)
            case "truncate" if not is_lost and op.name in writing:
                inode = writing[op.name]
                del inode[op.offset :]
                inode.extend(bytes(op.offset - len(inode)))
            case "unlink":
                writing.pop(op.name, None)
                if not is_lost:
                    inodes.pop(op.name, None)
            case "rename" | "link":
                inode = writing[op.name]
                writing[op.other] = inode
                if op.what == "rename":
                    del writing[op.name]
                if not is_lost:
                    inodes[op.other] = inode
                    if op.what == "rename" and inodes.get(op.name) is inode:
                        del inodes[op.name]
    return {name: bytes(content) for name, content in inodes.items()}


def _pieces(op: Op, sectors: Sequence[int] | None) -> Iterator[tuple[int, bytes]]:
    if sectors is None:
        yield op.offset, op.data
        return
    for number, (begin, stop) in enumerate(sectors_of(op)):
        if number in sectors:
            yield begin, op.data[begin - op.offset : stop - op.offset]


def sectors_of(op: Op) -> list[tuple[int, int]]:
    """The write as the disk sees it: pieces that end where a sector ends."""
    cuts = [op.offset, *range((op.offset // SECTOR + 1) * SECTOR, op.offset + len(op.data), SECTOR), op.offset + len(op.data)]
    return list(zip(cuts, cuts[1:], strict=False))


def _write(inode: bytearray, offset: int, data: bytes) -> None:
    if len(inode) < offset:
        inode.extend(bytes(offset - len(inode)))
    inode[offset : offset + len(data)] = data


def images(start: Image, ops: Sequence[Op], *, most: int, seed: int, every: int = 1) -> Iterator[tuple[int, Image]]:
    """Different images with the moment (an index into `ops`) at which the power went; at most about `most` for each moment.

    `every`: only each so-manieth of all choices is built.
    """
    luck = random.Random(seed)
    number = seed
    for end in range(len(ops) + 1):
        known: set[bytes] = set()
        for lost, torn in _choices(ops, pending_at(ops, end), most, luck):
            number += 1
            if number % every:
                continue
            image = build(start, ops, end, lost, torn)
            if (digest := _digest(image)) not in known:
                known.add(digest)
                yield end, image


def _digest(image: Image) -> bytes:
    digest = hashlib.sha256()
    for name, content in sorted(image.items()):
        digest.update(f"{name} {len(content)} ".encode())
        digest.update(content)
    return digest.digest()


def _choices(ops: Sequence[Op], pending: Sequence[int], most: int, luck: random.Random) -> Iterator[tuple[set[int], dict[int, Any]]]:
    count = len(pending)
    whole = 1 << count
    if whole <= most:
        subsets = list(range(whole))
    else:
        ones = [1 << i for i in range(count)]
        subsets = [0, whole - 1, *ones, *(whole - 1 - one for one in ones), *(luck.randrange(whole) for _ in range(most))]
        subsets = list(dict.fromkeys(subsets))[:most] if len(subsets) > most else subsets
    for subset in subsets:
        yield {pending[i] for i in range(count) if subset >> i & 1}, {}
    large = [i for i in pending if ops[i].what == "write" and len(sectors_of(ops[i])) > 1]
    for index in large:
        number = len(sectors_of(ops[index]))
        for kept in (range(number // 2), range(number // 2, number), [i for i in range(number) if luck.random() < 0.5]):
            yield set(), {index: list(kept)}
            yield {i for i in pending if i != index and luck.random() < 0.5}, {index: list(kept)}
