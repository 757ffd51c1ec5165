"""A whole look into a local data set: what it holds, and what of it would fail at the trainer."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from reconciler.dataset import archive, decode, folder
from reconciler.dataset.entry import Entry
from reconciler.dataset.finding import Finding, Unopened, about, in_order
from reconciler.dataset.image import ENDINGS, JPEG, MOST_IMAGE_BYTES, PNG, Broken, kind_of, look_at
from reconciler.dataset.pairing import MOST_CAPTION_BYTES, Sorted, pair, sort_out

DOCUMENTED = (PNG, JPEG)
"""What the vendor's page names; other formats are known from upstream."""


class Report(NamedTuple):
    """What was found. `decoded`: every picture was painted, not only measured. Counts are 0 where it could not be opened."""

    findings: tuple[Finding, ...]
    images: int = 0
    captions: int = 0
    files: int = 0
    size_bytes: int = 0
    formats: tuple[tuple[str, int], ...] = ()
    decoded: bool = False

    @property
    def errors(self) -> int:
        """How many findings would make a training fail."""
        return sum(finding.severity == "error" for finding in self.findings)


def check(path: Path, *, needs_captions: bool) -> Report:
    """Look into the zip or folder at `path`. Never raises for what is in it."""
    try:
        if path.is_dir():
            return _report(folder.entries_of(path), needs_captions=needs_captions)
        with archive.opened(path) as entries:
            return _report(entries, needs_captions=needs_captions)
    except Unopened as why:
        return Report((why.finding,))


def count_images(path: Path) -> int | None:
    """How many pictures are in it, without looking at more than their first bytes; None where it cannot be opened."""
    try:
        if path.is_dir():
            return len(_sorted(folder.entries_of(path)).images)
        with archive.opened(path) as entries:
            return len(_sorted(entries).images)
    except Unopened:
        return None


def _sorted(entries: Sequence[Entry]) -> Sorted:
    return sort_out(entries, {entry.name: _kind(entry) for entry in entries})


def _kind(entry: Entry) -> str:
    try:
        return kind_of(entry.read(512))
    except ValueError:
        return ""


def _report(entries: Sequence[Entry], *, needs_captions: bool) -> Report:
    found = _sorted(entries)
    formats: Counter[str] = Counter()
    findings = [*pair(found, needs_captions=needs_captions), *_captions(found.captions), *_images(found.images, formats)]
    painted = decode.is_possible()
    if painted:
        good = [image for image in found.images if not any(image.name in f.names and f.code == "bad-image" for f in findings)]
        bad = [p for p in decode.painted((image.name, _bytes(image)) for image in good) if p.problem]
        findings += [Finding("error", "bad-image", p.problem, (p.name,)) for p in bad]
    return Report(
        in_order(findings), len(found.images), len(found.captions), len(entries), sum(e.size_bytes for e in entries), tuple(sorted(formats.items())), painted
    )


def _bytes(image: Entry) -> bytes:
    try:
        return image.read(MOST_IMAGE_BYTES)
    except ValueError:
        return b""


def _images(images: Iterable[Entry], formats: Counter[str]) -> Iterator[Finding]:
    """What is wrong with each picture by itself, and with all of them together; `formats` is counted on the way."""
    misnamed: list[str] = []
    rare: list[str] = []
    seen: dict[str, str] = {}
    twins: list[str] = []
    for image in images:
        if image.size_bytes > MOST_IMAGE_BYTES:
            yield Finding("error", "bad-image", f"it has {image.size_bytes:,} bytes; the limit is {MOST_IMAGE_BYTES:,}", (image.name,))
            continue
        try:
            data = image.read(image.size_bytes)
            picture = look_at(data)
        except (Broken, ValueError) as why:
            yield Finding("error", "bad-image", str(why), (image.name,))
            continue
        formats[picture.kind] += 1
        if image.ending.lower() not in ENDINGS[picture.kind]:
            misnamed.append(image.name)
        if picture.kind not in DOCUMENTED:
            rare.append(image.name)
        digest = hashlib.sha256(data).hexdigest()
        if digest in seen:
            twins.append(image.name)
        seen.setdefault(digest, image.name)
    yield from about("warning", "misnamed", "pictures whose ending is that of another format", misnamed)
    yield from about("warning", "webp", "WebP is not named on the vendor's page; PNG and JPEG are", rare)
    yield from about("warning", "same-image", "pictures that are there more than once", twins)


def _captions(captions: Sequence[Entry]) -> Iterator[Finding]:
    empty: list[str] = []
    odd: list[str] = []
    long: list[str] = []
    texts: Counter[str] = Counter()
    for caption in captions:
        if caption.size_bytes > MOST_CAPTION_BYTES:
            long.append(caption.name)
            continue
        try:
            text = caption.read(MOST_CAPTION_BYTES).decode("utf-8-sig")
        except UnicodeDecodeError:
            odd.append(caption.name)
            continue
        except ValueError as why:
            yield Finding("error", "bad-caption", str(why), (caption.name,))
            continue
        if not text.strip():
            empty.append(caption.name)
        texts[text.strip()] += 1
    yield from about("error", "empty-caption", "captions without a text", empty)
    yield from about("error", "not-utf8", "captions that are not UTF-8 text", odd)
    yield from about("error", "long-caption", f"captions of more than {MOST_CAPTION_BYTES // 1024} KiB", long)
    if len(captions) > 2 and len(texts) == 1 and not odd and not empty:
        yield Finding("warning", "same-captions", "all captions say the same")
