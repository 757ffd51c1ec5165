"""The header of a safetensors file: read and checked without looking at a tensor. Nothing is ever unpickled."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

MOST_HEADER_BYTES = 100_000_000
"""The format's own limit."""
MOST_DIMENSIONS = 16
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip


class Malformed(Exception):
    """Why a file is not what it should be."""


class Header(NamedTuple):
    """What a header says: how many tensors there are, and the free text under `__metadata__`."""

    tensors: int
    metadata: Mapping[str, str]


def read_header(file: BinaryIO, size: int) -> Header:
    """The header of an open file of `size` bytes, checked against that size. Raises Malformed."""
    head = file.read(8)
    if len(head) < 8:
        raise Malformed("it ends before the length of its header")
    length = struct.unpack("<Q", head)[0]
    if length > MOST_HEADER_BYTES:
        raise Malformed(f"its header would have {length:,} bytes, more than {MOST_HEADER_BYTES:,}: this is no safetensors file")
    if length < 2 or 8 + length > size:
        raise Malformed(f"its header of {length:,} bytes does not fit into {size:,} bytes")
    text = file.read(length)
    if text[:1] != b"{" or len(text) < length:
        raise Malformed("its header is no JSON object")
    return _checked(_parsed(text), size - 8 - length)


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("its header is no JSON") from None
    except ValueError as error:
        raise Malformed(str(error) if str(error).startswith("its header") else "its header is no JSON") from None
    if not isinstance(value, dict):
        raise Malformed("its header is no JSON object")
    return value


def _checked(header: dict[str, Any], data_bytes: int) -> Header:
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise Malformed("its `__metadata__` is not a mapping of texts")
    at = 0
    for begin, end in sorted(_span(tensor) for tensor in header.values()):
        if begin != at:
            raise Malformed("its tensors overlap" if begin < at else "there are bytes between its tensors that belong to none")
        at = end
    if at != data_bytes:
        raise Malformed(f"its tensors end at byte {at:,} of {data_bytes:,}: it is {'cut off' if at > data_bytes else 'longer than it says'}")
    return Header(len(header), metadata)


def _span(tensor: object) -> tuple[int, int]:
    """Where a tensor's bytes lie, after its shape and type were found to need just as many."""
    match tensor:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)]} if dtype in _BITS:
            pass
        case _:
            raise Malformed("a tensor has no known `dtype`, `shape` and `data_offsets`")
    if len(shape) > MOST_DIMENSIONS or not all(_is_whole(each) for each in (*shape, begin, end)):
        raise Malformed("a tensor has an impossible shape or place")
    bits = math.prod(shape) * _BITS[dtype]
    if bits % 8 or end - begin != bits // 8:
        raise Malformed("a tensor's place does not fit its shape")
    return begin, end


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("its header has a key twice")
    return found


def _refuse(word: str) -> None:
    raise ValueError(f"its header holds {word}, which is no number")
