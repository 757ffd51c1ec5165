"""What a plain YAML scalar means: YAML 1.2's core schema, cut to what manifests need.

No dates, no sexagesimals, no octals, no underscores. A number that a person and a parser could read differently is an
`Odd`: neither number nor text until somebody quotes it or writes it plainly.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_DIGITS = 40
MAX_INTEGER = 2**63 - 1
MIN_INTEGER = -(2**63)

_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_GROUPED = re.compile(r"[-+]?[0-9]{1,3}(?:,[0-9]{3})+")
_BASED = re.compile(r"[-+]?0[xo][0-9a-fA-F]+")
_NUMBER_STARTS = frozenset("0123456789+-.")
MAY_RESOLVE = frozenset("0123456789+-.~nNtTfF") | {""}
"""A plain scalar that begins with none of these is text."""


class Odd(NamedTuple):
    """A plain scalar that looks like a number and is none that can be used; `why` completes "… is not usable: "."""

    text: str
    why: str


POISON = Odd("", "")
"""Stands where something was wrong already: its problem was added, and it is the cause of no other."""

Value = None | bool | int | float | str | Odd


def resolve(text: str) -> Value:
    """The value of a plain scalar."""
    if text[:1] in _NUMBER_STARTS:
        return _number(text)
    return _WORDS.get(text, text)


def _number(text: str) -> Value:
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return _float(text)
    if _INFINITE.fullmatch(text):
        return Odd(text, "infinity and NaN are not numbers here")
    if _BASED.fullmatch(text):
        return Odd(text, "write it as a decimal number")
    return _WORDS.get(text, text)


def _integer(text: str) -> Value:
    digits = text.lstrip("+-")
    if len(digits) > MAX_DIGITS:
        return Odd(text, f"it has more than {MAX_DIGITS} digits")
    if len(digits) > 1 and digits[0] == "0":
        return Odd(text, "a leading zero can mean octal; write it without, or quote it if it is text")
    value = int(text)
    return value if MIN_INTEGER <= value <= MAX_INTEGER else Odd(text, "it does not fit in 64 bits")


def _float(text: str) -> Value:
    if sum(c.isdigit() for c in text) > MAX_DIGITS if len(text) > MAX_DIGITS else False:
        return Odd(text, f"it has more than {MAX_DIGITS} digits")
    value = float(text)
    if value in (float("inf"), float("-inf")):
        return Odd(text, "it is beyond the largest number")
    return value


def number_in_text(text: str) -> str | None:
    """The number that a text was probably meant to be (`"1,500"` → `1500`), or None."""
    plain = text.strip().replace("_", "").replace(" ", "")
    if "," in plain and not _GROUPED.fullmatch(plain):  # may be a decimal comma: better no hint than a wrong number
        return None
    plain = plain.replace(",", "")
    if len(plain) <= MAX_DIGITS and (_INTEGER.fullmatch(plain) or _FLOAT.fullmatch(plain)):
        return plain.lstrip("+")
    return None
