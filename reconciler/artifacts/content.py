"""What a downloaded file must be, by the role it has: judged by its bytes, never by its name, and never by running it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from reconciler.artifacts.safetensors import Malformed, read_header

WEIGHTS, CONFIG = "weights", "config"
MOST_CONFIG_BYTES = 16 * 1024 * 1024
MOST_METADATA = 200
_PAGE = (b"<!doctype html", b"<html", b"<?xml", b"<head", b"<body")


class Content(NamedTuple):
    """What a file was found to be: the ending that belongs to it, and the texts in its header."""

    ending: str
    metadata: Mapping[str, str] = {}


def look_into(path: Path, role: str) -> Content:
    """What the file at `path` is. Raises Malformed when it is not what its role needs, OSError when it cannot be read."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        begin = file.read(512)
        if size == 0:
            raise Malformed("it is empty")
        if begin.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGE):
            raise Malformed("it is a web page")
        file.seek(0)
        if role == WEIGHTS:
            return Content(".safetensors", _told(read_header(file, size).metadata))
        if role == CONFIG:
            _check_json(file.read(MOST_CONFIG_BYTES + 1))
            return Content(".json")
        try:
            return Content(".safetensors", _told(read_header(file, size).metadata))
        except Malformed:
            return Content(".bin")


def _check_json(text: bytes) -> None:
    if len(text) > MOST_CONFIG_BYTES:
        raise Malformed(f"a configuration of more than {MOST_CONFIG_BYTES:,} bytes is none")
    try:
        json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Malformed("it is no JSON") from None


def _told(metadata: Mapping[str, str]) -> dict[str, str]:
    """The texts that tools read, by name: ModelSpec's first, then kohya's, then the rest; so many at most, each cut."""
    ordered = sorted(metadata, key=lambda name: (not name.startswith("modelspec."), not name.startswith("ss_"), name))
    return {name: metadata[name][:1000] for name in ordered[:MOST_METADATA]}
