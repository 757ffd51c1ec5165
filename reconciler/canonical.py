"""One spelling for equal things: canonical numbers, canonical JSON, digests. Digests decide what is bought."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical_json(value: Any) -> str:
    """`value` as JSON with sorted keys, no blanks and only ASCII. Floats in shortest form; NaN and infinity raise ValueError."""
    return _CANONICAL.encode(value)


def _plain(value: Any) -> dict[Any, Any]:
    """A mapping of another kind as one that can be written."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be JSON")


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False, default=_plain)


def digest_of(value: Any) -> str:
    """`sha256:` and the hex digest of `value`'s canonical JSON."""
    return digest_of_bytes(canonical_json(value).encode("ascii"))


def digest_of_bytes(data: bytes) -> str:
    """`sha256:` and the hex digest of `data`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical_number(value: float) -> str:
    """A number as it stands in names of sweep instances and in texts: integers exact, others as the shortest float."""
    if isinstance(value, bool):
        raise TypeError("a boolean is not a number")
    return repr(value)


def body_bytes(fields: Mapping[str, Any]) -> bytes:
    """The exact bytes of a request body: keys in the given order, floats in shortest form, UTF-8."""
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(", ", ": ")).encode("utf-8")
