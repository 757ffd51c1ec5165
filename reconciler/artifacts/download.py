"""One file from its address into its place: streamed, resumed where it broke off, held to its length and to what it must be.

What is refused leaves nothing behind under the file's name; what broke off stays as a part and is continued next time.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from reconciler.artifacts.address import Unreachable
from reconciler.artifacts.content import Content, look_into
from reconciler.artifacts.fetch import Answer, Broken, Fetcher
from reconciler.artifacts.folder import JobFolder
from reconciler.artifacts.part import Part
from reconciler.artifacts.record import Record, Saved
from reconciler.artifacts.safetensors import Malformed
from reconciler.errors import ReconcilerError
from reconciler.text import format_size, safe

MOST_BYTES = 4 * 1024**3
"""Larger files are refused unless a limit was given."""
TRIES = 4
MOST_TRIES = 20
FIRST_PAUSE_SECONDS = 0.5
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_STRONG_TAG = re.compile(r'"[!#-~]{1,200}"')
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_GONE = frozenset({401, 403, 404, 410})


class _Unfit(Exception):
    """The file cannot be what was wanted, whatever else comes of it."""

    def __init__(self, text: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(text)


class NotSaved(ReconcilerError):
    """A file was not saved; the message says why."""

    failure_reason = "api"


class Wanted(NamedTuple):
    """One artifact: its role, its address, where that stood in the answer, and how long the answer said it is. `number` tells files of one role apart."""

    role: str
    url: str
    source: str
    size_bytes: int | None = None
    number: int = 1

    @property
    def stem(self) -> str:
        """The file's name without its ending: our own word, whatever the server calls it."""
        role = self.role if re.fullmatch(r"[a-z]{1,20}", self.role) else "other"
        return role if self.number == 1 else f"{role}-{self.number}"


class Limits(NamedTuple):
    """What one file may come to. `told`: called with (bytes so far, bytes in all or None) as they come."""

    most_bytes: int = MOST_BYTES
    told: Callable[[int, int | None], None] = lambda _so_far, _total: None
    sleep: Callable[[float], None] = time.sleep


def save(wanted: Wanted, folder: JobFolder, record: Record, fetcher: Fetcher, limits: Limits) -> Saved:
    """Download `wanted` into `folder` and record it there. The caller holds the folder's lock. Raises NotSaved."""
    try:
        with Part(folder.path, wanted.stem, origin=wanted.url.partition("?")[0]) as part:
            content = _received(part, wanted, fetcher, limits)
            saved = Saved(wanted.stem + content.ending, wanted.role, wanted.source, wanted.url, part.size, part.sha256)
            place = folder.path / saved.file
            if os.path.lexists(place):
                raise NotSaved(f"{folder.shown}/{saved.file} is in the way: it was not saved by `artifacts pull`", hint="move it away, then pull again")
            # The record first: a file that it names and that is missing is downloaded again, a file that it does not name would be in the way.
            folder.write_record(record.with_file(saved))
            part.finish(place, 0o666 & ~_umask())
    except OSError as error:
        raise NotSaved(f"{folder.shown} cannot be written: {safe(error.strerror or error)}", hint="what was received is kept; pull again") from None
    return saved


@contextmanager
def fetched(url: str, folder: Path, fetcher: Fetcher, limits: Limits) -> Iterator[Part]:
    """What stands at `url`, whole, as a file in `folder` for as long as the block lasts; whatever it is. Raises NotSaved."""
    wanted = Wanted("download", url, "")
    try:
        with Part(folder, wanted.stem, origin=url.partition("?")[0]) as part:
            try:
                _receive(part, wanted, fetcher, limits)
            except _Unfit as why:
                raise NotSaved(str(why), hint=why.hint) from None
            yield part
            part.discard()
    except OSError as error:
        raise NotSaved(f"what was fetched cannot be kept: {safe(error.strerror or error)}") from None


def _received(part: Part, wanted: Wanted, fetcher: Fetcher, limits: Limits) -> Content:
    try:
        _receive(part, wanted, fetcher, limits)
        return look_into(part.path, wanted.role)
    except Malformed as why:
        part.discard()
        raise NotSaved(f"the file is not what it should be: {safe(why)}; nothing of it was kept") from None
    except _Unfit as why:
        part.discard()
        raise NotSaved(f"{safe(why)}; nothing of it was kept", hint=why.hint) from None


def _receive(part: Part, wanted: Wanted, fetcher: Fetcher, limits: Limits) -> None:
    """Until the part is whole. What broke off is tried again a few times, and as long as every try brings something."""
    failed = 0
    for _ in range(MOST_TRIES):
        before = part.size
        try:
            if not part.is_whole:
                _exchange(part, wanted, fetcher, limits)
        except Unreachable as why:
            raise NotSaved(f"it was not fetched: {safe(why)}") from None
        except Broken as why:
            failed = 1 if part.size > before else failed + 1
            if failed >= TRIES:
                kept = f"; {format_size(part.size)} are kept" if part.size and part.tag else ""
                raise NotSaved(f"it was not fetched whole: {safe(why)}{kept}", hint="pull again later; it goes on where it broke off") from None
            limits.sleep(FIRST_PAUSE_SECONDS * 2**failed)
        else:
            return
    raise NotSaved("it was not fetched whole: the connection broke off again and again", hint="pull again later; it goes on where it broke off")


def _exchange(part: Part, wanted: Wanted, fetcher: Fetcher, limits: Limits) -> None:
    asked = {"Range": f"bytes={part.size}-", "If-Range": part.tag} if part.size and part.tag else {}
    with fetcher.get(wanted.url, asked) as answer:
        _begin(part, answer, asked)
        _check_length(part.total, wanted, limits)
        for piece in answer.pieces:
            _check_size(part.size + len(piece), part.total, limits)
            part.append(piece)
            limits.told(part.size, part.total)
    if part.total is not None and part.size < part.total:
        raise Broken("the connection was closed before the end")


def _begin(part: Part, answer: Answer, asked: Mapping[str, str]) -> None:
    """Make the part ready for the answer's body. Raises NotSaved, Broken."""
    if answer.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise _Unfit(f"{safe(answer.host, limit=100)} sends it compressed although that was not asked for")
    tag = answer.headers.get("etag", "").strip()
    strong = tag if _STRONG_TAG.fullmatch(tag) else ""
    if answer.status == 200:
        part.restart(tag=strong, total=_length(answer.headers.get("content-length", "")))
    elif answer.status == 206 and asked and (span := _RANGE.fullmatch(answer.headers.get("content-range", "").strip())) is not None:
        total = None if span[3] == "*" else int(span[3])
        if int(span[1]) != part.size or (strong and strong != part.tag) or (total is not None and part.total not in (None, total)):
            part.restart(tag="", total=None)
            raise Broken("the server sends another part than the one that was asked for")
        part.total = part.total if total is None else total
    elif answer.status == 416 and asked:
        part.restart(tag="", total=None)
        raise Broken("the server has no such part")
    else:
        raise _refused(answer)


def _refused(answer: Answer) -> Exception:
    host = safe(answer.host, limit=100)
    if answer.status in _LATER:
        return Broken(f"{host} answers {answer.status}")
    if answer.status in _GONE:
        hint = "the job stays succeeded; a lost copy is no reason to train again. The vendor says nothing about how long files are kept"
        return NotSaved(f"{host} does not give it out any more (HTTP {answer.status})", hint=hint)
    return NotSaved(f"{host} answers {answer.status}")


def _length(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _check_length(total: int | None, wanted: Wanted, limits: Limits) -> None:
    if total is None:
        return
    _check_size(total, None, limits)
    if wanted.size_bytes not in (None, total):
        raise _Unfit(f"the job announced {wanted.size_bytes:,} bytes and the server has {total:,}")


def _check_size(size: int, total: int | None, limits: Limits) -> None:
    if total is not None and size > total:
        raise _Unfit(f"the server sends more than the {total:,} bytes that it announced")
    if size > limits.most_bytes:
        raise _Unfit(f"it is larger than {format_size(limits.most_bytes)}", "-max-size=SIZE lifts that limit")


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
