"""Values as JSON text: one spelling for money, no secrets of URLs, only ASCII, nothing that a CI runner takes for a command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

from reconciler.text import money_text, redact

FORMAT_VERSION = "1.0"


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
    return _inert(json.dumps(plain(value), ensure_ascii=True, indent=2, allow_nan=False)) + "\n"


def json_nested(value: Any, *, depth: int) -> str:
    """`value` as it stands in a `json_text` that many levels deep: without the indent of its first line and without a newline at its end."""
    return _inert(json.dumps(plain(value), ensure_ascii=True, indent=2, allow_nan=False)).replace("\n", "\n" + "  " * depth)


def _inert(text: str) -> str:
    # `#` occurs only inside of strings, so the escape is the same text to every JSON reader
    return text.replace("##", "#\\u0023")
