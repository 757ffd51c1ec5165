"""JSON from outside, read strictly: bounded depth and numbers, no duplicate keys, no NaN, no lone surrogates. No meaning here."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

MOST_LEVELS = 64
MOST_DIGITS = 40

_STRING = re.compile(r'"(?>[^"\\]+|\\.)*+"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Unreadable(ValueError):
    """The answer is not JSON that may be believed; the text says why, without quoting it."""


def read_json(data: bytes) -> Any:
    """The value in `data`. Raises Unreadable."""
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")  # the codec for both is a file, and may be out of reach when the disk fails
    except UnicodeDecodeError:
        raise Unreadable("it is not UTF-8") from None
    if not text.strip():
        raise Unreadable("it is empty")
    # The parser itself recurses: the depth is counted before it is let in.
    if _depth(text) > MOST_LEVELS:
        raise Unreadable(f"it is nested deeper than {MOST_LEVELS} levels")
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_constant)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except Unreadable:
        raise
    except UnicodeEncodeError:
        raise Unreadable("it holds half a character") from None
    except (ValueError, RecursionError):
        raise Unreadable("it is not JSON") from None
    return value


def read_object(data: bytes) -> Mapping[str, Any]:
    """The JSON object in `data`. Raises Unreadable, also for any other JSON value."""
    value = read_json(data)
    if not isinstance(value, dict):
        raise Unreadable("it is not a JSON object")
    return value


def _depth(text: str) -> int:
    level = deepest = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        level += 1 if bracket in "[{" else -1
        deepest = max(deepest, level)
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("it holds a key twice")
    return found


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise Unreadable(f"it holds a number of more than {MOST_DIGITS} digits")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits) if len(digits) <= MOST_LEVELS * 16 else math.inf
    if not math.isfinite(value):
        raise Unreadable("it holds a number that is not finite")
    return value


def _constant(name: str) -> NoReturn:
    raise Unreadable(f"it holds {name}, which is not JSON")
