"""The request id in an answer: under which names it stands, when it can be used, and how it is saved from a broken answer.

Never a UUID on purpose: the vendor's own example is not hexadecimal.
"""

from __future__ import annotations

import json
import re
import unicodedata
import zlib
from collections.abc import Mapping
from typing import Any

ID_FIELDS = ("request_id", "requestId", "task_id", "prediction_id", "id")
MOST_CHARACTERS = 256

_UNUSABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
_VALUES = {name: re.compile(rf'"{name}"\s*:\s*(?:"((?>[^"\\]|\\.)*+)"|(\d{{1,40}})(?=[\s,}}]))') for name in ID_FIELDS}
_GZIP = b"\x1f\x8b"


def is_usable_id(value: Any) -> bool:
    """Whether `value` can be a request id: a string of 1 to 256 characters, not blank, without control characters."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MOST_CHARACTERS
        and not value.isspace()
        and not any(unicodedata.category(character) in _UNUSABLE for character in value)
    )


def ids_in(answer: Mapping[str, Any]) -> list[str]:
    """The usable ids of an answer, the most trusted first: by name on the top level, then by name under `data`."""
    places = [answer, answer.get("data")]
    found = [place.get(name) for place in places if isinstance(place, dict) for name in ID_FIELDS]
    return list(dict.fromkeys(str(value) for value in found if is_usable_id(value)))


def salvage_id(body: bytes) -> str | None:
    """An id that can be read in the bytes of an answer that is cut, compressed or malformed.

    None when the most trusted name that occurs holds different values: adopting the wrong job is worse than asking a person.
    """
    text = (_unpacked(body) if body.startswith(_GZIP) else body).decode("utf-8", "replace")
    for name in ID_FIELDS:
        values = {value for match in _VALUES[name].finditer(text) if (value := _text_of(match)) is not None}
        if values:
            return values.pop() if len(values) == 1 else None
    return None


def _text_of(match: re.Match[str]) -> str | None:
    if match[2] is not None:
        return match[2]
    try:
        value = json.loads(f'"{match[1]}"')
    except ValueError:
        return None
    return value if is_usable_id(value) and "\ufffd" not in value else None


def _unpacked(body: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(body, 1 << 16)
    except zlib.error:
        return b""
