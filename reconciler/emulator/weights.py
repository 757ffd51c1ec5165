"""The files of a finished job: a small valid safetensors file and its config, both marked as emulated. Pure."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping

RANK = 4
WIDTH = 64
LAYERS = 2
WEIGHTS_NAME = "output.safetensors"
CONFIG_NAME = "config.json"


def weights(request_id: str, parameters: Mapping[str, object]) -> bytes:
    """A LoRA in safetensors format, the same bytes for the same job; `__metadata__` says that nothing was trained."""
    header: dict[str, object] = {"__metadata__": _metadata(request_id, parameters)}
    tensors: list[bytes] = []
    offset = 0
    for name, shape in _shapes():
        data = _values(f"{request_id}/{name}", shape[0] * shape[1])
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + len(data)]}
        tensors.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(tensors)


def config(request_id: str, trainer: str, parameters: Mapping[str, object]) -> bytes:
    """The configuration file beside the weights."""
    return json.dumps({"emulated": True, "request_id": request_id, "trainer": trainer, "rank": RANK, **parameters}, indent=2).encode() + b"\n"


def _metadata(request_id: str, parameters: Mapping[str, object]) -> dict[str, str]:
    return {"format": "pt", "emulated": "true", "request_id": request_id, **{f"parameter.{k}": json.dumps(v) for k, v in parameters.items()}}


def _shapes() -> list[tuple[str, tuple[int, int]]]:
    return [
        (f"transformer.single_transformer_blocks.{layer}.attn.to_q.lora_{half}.weight", shape)
        for layer in range(LAYERS)
        for half, shape in (("A", (RANK, WIDTH)), ("B", (WIDTH, RANK)))
    ]


def _values(name: str, count: int) -> bytes:
    """Small finite floats that differ between jobs."""
    noise = hashlib.shake_128(name.encode("utf-8", "surrogatepass")).digest(count)
    return struct.pack(f"<{count}f", *((byte - 128) / 2048 for byte in noise))
