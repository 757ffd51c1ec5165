"""The public host of the files: which ones a finished job has, and which part of one is asked for. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import partial

from reconciler.emulator import answers, weights
from reconciler.emulator.answers import Answer
from reconciler.emulator.books import Entry


def file_of(job: Entry, name: str) -> Answer | None:
    """The file of that name of a finished job, or None."""
    make = {
        weights.WEIGHTS_NAME: (answers.OCTETS, partial(weights.weights, str(job.request_id), job.parameters)),
        weights.CONFIG_NAME: (answers.JSON_TYPE, partial(weights.config, str(job.request_id), job.trainer, job.parameters)),
    }.get(name)
    return None if make is None else Answer(200, (("Content-Type", make[0]),), make[1]())


def ranged(whole: Answer, headers: Mapping[str, str]) -> Answer:
    """The part that `Range` asks for, or the whole."""
    tag = f'"{hashlib.sha256(whole.body).hexdigest()[:32]}"'
    own = (*whole.headers, ("ETag", tag), ("Accept-Ranges", "bytes"))
    size = len(whole.body)
    span = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", headers.get("range", "").strip())
    if span is None or span[0] == "bytes=-" or headers.get("if-range", tag) != tag:
        return whole._replace(headers=own)
    first = int(span[1]) if span[1] else max(size - int(span[2]), 0)
    last = min(int(span[2]), size - 1) if span[1] and span[2] else size - 1
    if first > last:
        return Answer(416, (*own, ("Content-Range", f"bytes */{size}")), b"")
    return Answer(206, (*own, ("Content-Range", f"bytes {first}-{last}/{size}")), whole.body[first : last + 1])
