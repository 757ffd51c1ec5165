"""A zip as entries: its directory is believed in nothing before it was compared with the file itself. Nothing is ever unpacked to a disk."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from reconciler.dataset.entry import MOST_BYTES, MOST_ENTRIES, Entry, is_unsafe
from reconciler.dataset.finding import Unopened

MOST_RATIO = 200
LEAST_BOMB_BYTES = 1_000_000
"""Below this size a high ratio is a plain picture."""
MOST_DIRECTORY_BYTES = 64 * 1024 * 1024
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_END = b"PK\x05\x06"
_KINDS = (
    (b"\x1f\x8b", "a gzip or tar.gz file"), (b"Rar!", "a RAR archive"), (b"7z\xbc\xaf", "a 7-Zip archive"), (b"\xfd7zXZ", "an xz file"), (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"), (b"version https://git-lfs", "a Git LFS pointer, not the file itself"), (b"%PDF", "a PDF"),
)  # fmt: skip


@contextmanager
def opened(path: Path) -> Iterator[list[Entry]]:
    """The files in the zip at `path`, by name. Raises Unopened for what is no zip, or a dangerous one."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Unopened("unreadable", f"it cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Unopened("unreadable", "it is no file")
        _check_kind(file.read(512))
        _check_end(file, status.st_size)
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError, struct.error, NotImplementedError, IndexError) as error:
            raise Unopened("not-a-zip", f"its directory cannot be read: {error}") from None
        with archive:
            files = _checked(archive, file)
            yield [Entry(each.filename, each.file_size, partial(_read, archive, each)) for each in sorted(files, key=lambda f: f.filename)]


def _check_kind(begin: bytes) -> None:
    if begin[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return
    if not begin:
        raise Unopened("not-a-zip", "it is empty")
    if begin.lstrip(b"\xef\xbb\xbf \t\r\n")[:5].lower() in (b"<!doc", b"<html"):
        raise Unopened("not-a-zip", "it is a web page, perhaps of a login")
    what = next((name for magic, name in _KINDS if begin.startswith(magic)), "no zip file")
    raise Unopened("not-a-zip", f"it is {what}")


def _check_end(file: BinaryIO, size: int) -> None:
    """How many entries the directory announces, before anything is built from it."""
    file.seek(max(0, size - 65_557))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise Unopened("not-a-zip", "its end is missing: it was cut off, or is no zip")
    count, directory = struct.unpack_from("<HI", tail, at + 10)
    locator = tail.rfind(b"PK\x06\x07", 0, at)
    if locator >= 0 and at - locator == 20 and (count == 0xFFFF or directory == 0xFFFFFFFF):
        file.seek(struct.unpack_from("<Q", tail, locator + 8)[0])
        record = file.read(56)
        if len(record) < 56 or record[:4] != b"PK\x06\x06":
            raise Unopened("not-a-zip", "its end is damaged")
        count, directory = struct.unpack_from("<QQ", record, 32)
    if count > MOST_ENTRIES or directory > MOST_DIRECTORY_BYTES:
        raise Unopened("too-many", f"it announces {count:,} entries; the limit is {MOST_ENTRIES:,}")
    file.seek(0)


def _checked(archive: zipfile.ZipFile, file: BinaryIO) -> list[zipfile.ZipInfo]:
    """The files in it, after its hazards were looked for. Raises Unopened."""
    every = archive.infolist()
    if len(every) > MOST_ENTRIES:
        raise Unopened("too-many", f"it has {len(every):,} entries; the limit is {MOST_ENTRIES:,}")
    names = [each.orig_filename for each in every]
    _refuse("unsafe-name", "names that lead elsewhere", [n for n in names if is_unsafe(n.removesuffix("/"))])
    _refuse("twice", "names that stand twice", sorted(name for name, count in Counter(names).items() if count > 1))
    _refuse("link", "links or devices instead of files", [e.filename for e in every if _is_special(e)])
    _refuse("encrypted", "encrypted entries; a trainer cannot read them", [e.filename for e in every if e.flag_bits & 0x41])
    _refuse("method", "entries that are compressed in a way that not every reader knows", [e.filename for e in every if e.compress_type not in _METHODS])
    total = sum(each.file_size for each in every)
    if total > MOST_BYTES:
        raise Unopened("bomb", f"it declares {total:,} bytes in all; the limit is {MOST_BYTES:,}")
    if total > LEAST_BOMB_BYTES * MOST_RATIO and total > MOST_RATIO * max(archive.start_dir, 1):
        raise Unopened("bomb", f"it declares more than {MOST_RATIO} times its own size")
    _refuse("bomb", f"entries that declare more than {MOST_RATIO} times what they take", [e.filename for e in every if _is_bomb(e)])
    _refuse_overlaps(every, file, archive.start_dir)
    return [each for each in every if not each.is_dir()]


def _refuse(code: str, text: str, names: list[str]) -> None:
    if names:
        raise Unopened(code, text, names)


def _is_special(entry: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    return kind not in (0, stat.S_IFREG, stat.S_IFDIR)


def _is_bomb(entry: zipfile.ZipInfo) -> bool:
    return entry.file_size > LEAST_BOMB_BYTES and entry.file_size > MOST_RATIO * max(entry.compress_size, 1)


def _refuse_overlaps(every: list[zipfile.ZipInfo], file: BinaryIO, directory: int) -> None:
    """Entries that share bytes declare more than is there; and a local header of another name shows something else to another reader."""
    end = 0
    overlapping: list[str] = []
    renamed: list[str] = []
    lying: list[str] = []
    for entry in sorted(every, key=lambda e: e.header_offset):
        file.seek(entry.header_offset)
        raw = file.read(_LOCAL.size)
        if len(raw) < _LOCAL.size or raw[:4] != b"PK\x03\x04":
            raise Unopened("damaged", "an entry that is not where the directory says", [entry.filename])
        fields = _LOCAL.unpack(raw)
        name = file.read(fields[9])
        if name.decode("utf-8" if fields[2] & 0x800 else "cp437", "replace") != entry.orig_filename:
            renamed.append(entry.filename)
        if not fields[2] & 8 and 0xFFFFFFFF not in fields[7:9] and fields[7:9] != (entry.compress_size, entry.file_size):
            lying.append(entry.filename)
        if entry.header_offset < end:
            overlapping.append(entry.filename)
        end = entry.header_offset + _LOCAL.size + fields[9] + fields[10] + entry.compress_size
        if end > directory:
            raise Unopened("damaged", "an entry that reaches into the directory", [entry.filename])
    _refuse("overlap", "entries that share bytes with others: a bomb", overlapping)
    _refuse("lying-size", "entries with one size in the directory and another one beside their bytes", lying)
    _refuse("two-names", "entries with one name in the directory and another one beside their bytes", renamed)


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    try:
        with archive.open(entry) as file:
            data = file.read(min(most, entry.file_size))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, struct.error) as error:
        raise ValueError(f"its bytes are damaged: {error}") from None
    if len(data) < min(most, entry.file_size):
        raise ValueError("it ends before its declared size")
    return data
