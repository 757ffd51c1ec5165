"""Which file belongs to which: pictures and their captions, pairs of edit trainers, and what belongs to nothing. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from reconciler.dataset.entry import Entry, is_junk
from reconciler.dataset.finding import Finding, about
from reconciler.dataset.image import IMAGE_ENDINGS

CAPTION_ENDING = ".txt"
MOST_CAPTION_BYTES = 64 * 1024
FEW_IMAGES = 10
_OTHER_CAPTIONS = frozenset({".caption", ".captions", ".cap", ".text", ".json", ".md"})
_EDIT = re.compile(r"(.+)_(start[2-4]?|end)")


class Sorted(NamedTuple):
    """The entries of a data set by what they are for."""

    images: tuple[Entry, ...]
    captions: tuple[Entry, ...]
    junk: tuple[Entry, ...]
    others: tuple[Entry, ...]


def sort_out(entries: Iterable[Entry], kinds: Mapping[str, str]) -> Sorted:
    """By content where it is a picture (`kinds`: name → format), else by ending."""
    images, captions, junk, others = [], [], [], []
    for entry in entries:
        ending = entry.ending.lower()
        if is_junk(entry.name):
            junk.append(entry)
        elif kinds.get(entry.name) or ending in IMAGE_ENDINGS:
            images.append(entry)
        elif ending == CAPTION_ENDING:
            captions.append(entry)
        else:
            others.append(entry)
    return Sorted(tuple(images), tuple(captions), tuple(junk), tuple(others))


def roots_of(images: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Root of a caption → its pictures. Of an edit trainer's data, `x_start` and `x_end` share the root `x`."""
    edits = _are_pairs(images)
    found: dict[str, list[Entry]] = {}
    for image in images:
        match = _EDIT.fullmatch(image.root) if edits else None
        found.setdefault(match[1] if match else image.root, []).append(image)
    return found


def _are_pairs(images: Sequence[Entry]) -> bool:
    ends = Counter(match[2] for image in images if (match := _EDIT.fullmatch(image.root)))
    return bool(ends["start"] and ends["end"])


def pair(found: Sorted, *, needs_captions: bool) -> list[Finding]:
    """What is wrong with who belongs to whom. `needs_captions`: the trainer has no caption of its own for a picture without one."""
    roots = roots_of(found.images)
    captions = {caption.root: caption for caption in found.captions}
    findings = [*_counts(found), *_missing(roots, captions, found, needs_captions=needs_captions), *_halves(roots, found.images)]
    findings += about("warning", "caption-alone", "captions without a picture of that name", [c.name for root, c in captions.items() if root not in roots])
    findings += about("warning", "junk", "files that an operating system left there", [e.name for e in found.junk])
    findings += about("warning", "other", "neither picture nor caption", [e.name for e in found.others])
    twice = [root for root, count in Counter(image.root for image in found.images).items() if count > 1]
    findings += about("error", "root-twice", "two pictures of one name but for the ending share one caption", twice)
    return findings


def _counts(found: Sorted) -> list[Finding]:
    if not found.images:
        return [Finding("error", "no-images", "there is no picture in it")]
    nested = [image.name for image in found.images if image.folder]
    findings = about("error", "nested", "pictures in folders: trainers look on top only, and find no data", nested)
    if len(found.images) < FEW_IMAGES:
        findings.append(Finding("warning", "few-images", f"only {len(found.images)} pictures; at least {FEW_IMAGES} are recommended"))
    return findings


def _missing(roots: Mapping[str, Sequence[Entry]], captions: Mapping[str, Entry], found: Sorted, *, needs_captions: bool) -> list[Finding]:
    without = [images[0].name for root, images in roots.items() if root not in captions]
    if not without:
        return []
    folded = {root.casefold(): caption.name for root, caption in captions.items()}
    others = {entry.root: entry.name for entry in found.others if entry.ending.lower() in _OTHER_CAPTIONS}
    hint = ""
    if any(root.casefold() in folded for root in roots if root not in captions):
        hint = "; some differ only in capitals"
    elif any(root in others for root in roots):
        hint = f"; captions must end in {CAPTION_ENDING}"
    cost = "the training would fail after it was charged" if needs_captions else "the trainer's default caption is used for them"
    return about("error" if needs_captions else "warning", "no-caption", f"pictures without a caption: {cost}{hint}", without)


def _halves(roots: Mapping[str, Sequence[Entry]], images: Sequence[Entry]) -> list[Finding]:
    """Of an edit trainer's data: who lacks its start or its end."""
    if not _are_pairs(images):
        return []
    lacking = []
    for root, group in roots.items():
        ends = {match[2] for image in group if (match := _EDIT.fullmatch(image.root))}
        if not {"start", "end"} <= ends:
            lacking.append(root)
    return about("error", "half-pair", "pairs that lack their `_start` or their `_end`", lacking)
