"""`required_version`: what one part of it looks like, and whether a version fits it."""

from __future__ import annotations

import re

REQUIREMENT = re.compile(r"\s*(>=|<=|==|!=|~>|~=|>|<)?\s*v?(\d{1,6}(?:\.\d{1,6}){0,3})\s*")
"""One part: a sign (none means `==`) and a version of one to four numbers."""


def satisfies(version: str, sign: str, wanted: str) -> bool:
    """Whether `version` fits; `~>` and `~=` fix all numbers of `wanted` but the last."""
    have, need = _numbers(version), _numbers(wanted)
    match sign:
        case ">=":
            return have >= need
        case "<=":
            return have <= need
        case ">":
            return have > need
        case "<":
            return have < need
        case "!=":
            return have != need
        case "==":
            return have == need
        case _:
            fixed = max(wanted.count("."), 1)
            return have >= need and have[:fixed] == need[:fixed]


def _numbers(version: str) -> tuple[int, int, int, int]:
    parts = [int(p) for p in re.findall(r"\d+", version)[:4]]
    first, second, third, fourth = [*parts, 0, 0, 0, 0][:4]
    return first, second, third, fourth
