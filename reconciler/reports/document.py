"""Values as JSON text: one spelling for money, no secrets of URLs, only ASCII, nothing that a CI runner takes for a command."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

from reconciler.text import money_text, redact

FORMAT_VERSION = "1.0"
_quoted = json.encoder.encode_basestring_ascii


def plain(value: Any) -> Any:
    """`value` as plain JSON data: money as decimal strings, enums as their values, texts without URL queries and inline data."""
    match value:
        case str() if not isinstance(value, Enum):
            return redact(value)
        case Enum():
            return value.value
        case Decimal():
            return money_text(value)
        case Mapping():
            return {redact(str(key)): plain(each) for key, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case set() | frozenset():
            return sorted(plain(each) for each in value)
        case float() if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124
            return None
        case None | bool() | int() | float():
            return value
        case _:
            return redact(str(value))


def json_line(value: Any) -> str:
    """`value` on one line, without a newline at its end."""
    return _inert(json.dumps(plain(value), ensure_ascii=True, separators=(",", ":"), allow_nan=False))


def json_text(value: Any) -> str:
    """`value` indented by two, with a newline at its end."""
    pieces: list[str] = []
    _write(value, "\n", pieces.append)
    return _inert("".join(pieces)) + "\n"


def _write(value: Any, newline: str, put: Callable[[str], object]) -> None:
    """`plain(value)` as `json.dumps` with `indent=2` writes it, in one walk: that function indents in Python too, and slower."""
    kind = type(value)
    if kind is str:
        put(_quoted(redact(value)))
    elif kind is dict and value:
        inner, sign = newline + "  ", "{"
        for key, each in value.items():
            put(f"{sign}{inner}{_quoted(redact(str(key)))}: ")
            _write(each, inner, put)
            sign = ","
        put(newline + "}")
    elif (kind is list or kind is tuple) and value:
        inner, sign = newline + "  ", "["
        for each in value:
            put(sign + inner)
            _write(each, inner, put)
            sign = ","
        put(newline + "]")
    elif kind is int or kind is bool or value is None or kind is dict or kind is list:
        put(json.dumps(value))
    else:
        made = plain(value)
        _write(made, newline, put) if type(made) is not kind else put(json.dumps(made, allow_nan=False))


def json_nested(value: Any, *, depth: int) -> str:
    """`value` as it stands in a `json_text` that many levels deep: without the indent of its first line and without a newline at its end."""
    return _inert(json.dumps(plain(value), ensure_ascii=True, indent=2, allow_nan=False)).replace("\n", "\n" + "  " * depth)


def _inert(text: str) -> str:
    # `#` occurs only inside of strings, so the escape is the same text to every JSON reader
    return text.replace("##", "#\\u0023")
