"""The header of a safetensors file: what is taken and what is not."""

from __future__ import annotations

import io
import json
import struct

import pytest

from reconciler.artifacts.content import look_into
from reconciler.artifacts.safetensors import Malformed, read_header
from reconciler.emulator.mischief import LOGIN_PAGE, PICKLE
from reconciler.emulator.weights import weights


def built(header: object, data: bytes = b"", *, text: bytes | None = None, length: int | None = None) -> bytes:
    body = json.dumps(header).encode() if text is None else text
    return struct.pack("<Q", len(body) if length is None else length) + body + data


def tensor(begin: int, end: int, shape: list[int], dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def header_of(raw: bytes):
    return read_header(io.BytesIO(raw), len(raw))


def test_a_whole_file_tells_its_tensors_and_its_texts() -> None:
    raw = weights("r-1", {"steps": 1000})
    found = header_of(raw)
    assert found.tensors == 4
    assert found.metadata["request_id"] == "r-1"
    assert header_of(built({"a": tensor(8, 8, [0]), "b": tensor(0, 8, [2, 1]), "c": tensor(8, 9, [2], "F4")}, b"123456789")).tensors == 3


BAD = {
    "empty": b"",
    "shorter than a length": b"1234567",
    "header longer than the file": built({}, length=10_000),
    "header of exabytes": built({}, length=2**63),
    "no JSON": built(None, text=b"{not json}"),
    "a list": built([]),
    "no UTF-8": built(None, text=b'{"\xff": 1}'),
    "a key twice": built(None, text=b'{"a": {"dtype":"U8","shape":[1],"data_offsets":[0,1]}, "a": {"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', data=b"1"),
    "nested without end": built(None, text=b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "NaN": built(None, text=b'{"a": NaN}'),
    "digits without end": built(None, text=b'{"a": ' + b"1" * 5000 + b"}"),
    "unknown type": built({"a": tensor(0, 4, [1], "Q4_K")}, b"1234"),
    "shape and place differ": built({"a": tensor(0, 4, [2])}, b"1234"),
    "negative": built({"a": tensor(-4, 0, [1])}, b""),
    "a true shape": built({"a": tensor(0, 4, [True])}, b"1234"),
    "overlap": built({"a": tensor(0, 4, [1]), "b": tensor(2, 6, [1])}, b"123456"),
    "a hole": built({"a": tensor(0, 4, [1]), "b": tensor(8, 12, [1])}, b"123456789012"),
    "cut off": weights("r", {})[:-1],
    "too long": weights("r", {}) + b"\0",
    "metadata that is no text": built({"__metadata__": {"a": 1}}),
    "a pickle": PICKLE,
    "a page": LOGIN_PAGE,
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_whole_safetensors_file_is_refused(case: str, tmp_path) -> None:
    """In words, and without running anything in it."""
    with pytest.raises(Malformed):
        header_of(BAD[case])
    path = tmp_path / "weights"
    path.write_bytes(BAD[case])
    with pytest.raises(Malformed):
        look_into(path, "weights")


@pytest.mark.parametrize(("raw", "role", "ending"), [(b"{}", "config", ".json"), (weights("r", {}), "other", ".safetensors"), (b"PK\x03\x04", "other", ".bin")])
def test_a_file_is_named_after_its_content(raw: bytes, role: str, ending: str, tmp_path) -> None:
    path = tmp_path / "x"
    path.write_bytes(raw)
    assert look_into(path, role).ending == ending


def test_texts_of_the_header_come_in_the_order_of_who_reads_them_and_are_bounded(tmp_path) -> None:
    texts = {f"x{n}": "v" for n in range(300)} | {"modelspec.title": "T" * 5000, "ss_steps": "1"}
    path = tmp_path / "x"
    path.write_bytes(built({"__metadata__": texts}))
    found = look_into(path, "weights").metadata
    assert list(found)[:2] == ["modelspec.title", "ss_steps"]
    assert len(found) == 200
    assert len(found["modelspec.title"]) == 1000
