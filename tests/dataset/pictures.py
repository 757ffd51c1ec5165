"""Small pictures and zips made by hand, whole and in every way broken."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int = 4, height: int = 4, *, seed: int = 0, rows: int | None = None, declared: tuple[int, int] | None = None) -> bytes:
    """A grey PNG. `rows`: how many of its rows are there; `declared`: another size in its header."""
    body = b"".join(b"\0" + bytes((seed * 7 + y + x) % 256 for x in range(width)) for y in range(height if rows is None else rows))
    head = struct.pack(">IIBBBBB", *(declared or (width, height)), 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300080606070605080707070909080a0c140d0c0b0b0c1912130f141d1a1f1e1d1a1c1c20242e2720222c231c1c2837292c3031"
    "3434341f27393d38323c2e333432ffc0000b080001000101011100ffc4001f0000010501010101010100000000000000000102030405060708090a0bffc400b5100002010303020403"
    "050504040000017d01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a434445464748494a"
    "535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6"
    "d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9faffda0008010100003f00fbd0ffd9"
)
WEBP = bytes.fromhex("524946462800000057454250565038201c0000005001009d012a0400040001402625a40004338000fefcde95a5980000")


def zipped(files: dict[str, bytes], *, method: int = zipfile.ZIP_STORED) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return raw.getvalue()


def good(count: int = 12) -> dict[str, bytes]:
    """A flat data set with a caption for each picture."""
    pictures = {f"img{n:02}.png": png(seed=n) for n in range(count)}
    return pictures | {f"img{n:02}.txt": f"a photo of otter {n}".encode() for n in range(count)}
