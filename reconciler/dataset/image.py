"""What a file is by its bytes, how large a picture it is, and whether it is there to its end. Nothing is painted: that is `decode`."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

MOST_PIXELS = 89_000_000
MOST_IMAGE_BYTES = 256 * 1024 * 1024
PNG, JPEG, WEBP = "PNG", "JPEG", "WebP"
ENDINGS = {PNG: (".png",), JPEG: (".jpg", ".jpeg"), WEBP: (".webp",)}
"""The formats that are trained on, with the endings they have."""
IMAGE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".svg", ".jfif", ".jxl"})
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


class Broken(Exception):
    """Why a picture is not one."""


class Picture(NamedTuple):
    """A picture's format and its size."""

    kind: str
    width: int
    height: int


def kind_of(begin: bytes) -> str:
    """The format, by the first bytes; empty for what is no picture."""
    if begin.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if begin.startswith(b"\xff\xd8\xff"):
        return JPEG
    if begin[:4] == b"RIFF" and begin[8:12] == b"WEBP":
        return WEBP
    if begin[4:8] == b"ftyp":
        return "AVIF" if begin[8:12] in (b"avif", b"avis") else "HEIC" if begin[8:11] in (b"hei", b"hev", b"mif") else ""
    for magic, name in ((b"GIF8", "GIF"), (b"BM", "BMP"), (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"\0\0\0\x0cJXL", "JPEG XL")):
        if begin.startswith(magic):
            return name
    head = begin.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return "SVG" if head.startswith(b"<svg") or (head.startswith(b"<?xml") and b"<svg" in head) else ""


def look_at(data: bytes) -> Picture:
    """The picture that `data` is, whole. Raises Broken."""
    match kind_of(data[:512]):
        case "PNG":
            return _png(data)
        case "JPEG":
            return _jpeg(data)
        case "WebP":
            return _webp(data)
        case "":
            raise Broken("it is no picture")
        case kind:
            raise Broken(f"it is {kind}, which is not trained on")


def _sized(kind: str, width: int, height: int) -> Picture:
    if width < 1 or height < 1:
        raise Broken("it has no size")
    if width * height > MOST_PIXELS:
        raise Broken(f"it has {width * height:,} pixels ({width} x {height}); the limit is {MOST_PIXELS:,}")
    return Picture(kind, width, height)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(data):
        if at + 12 > len(data):
            raise Broken("it is cut off")
        (length,) = struct.unpack_from(">I", data, at)
        if at + 12 + length > len(data):
            raise Broken("it is cut off")
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if zlib.crc32(kind + body) != struct.unpack_from(">I", data, at + 8 + length)[0]:
            raise Broken("its bytes are damaged")
        yield kind, body
        if kind == b"IEND":
            return
        at += 12 + length
    raise Broken("it is cut off")


def _png(data: bytes) -> Picture:
    head: tuple[int, ...] = ()
    picture: Picture | None = None
    inflate, size = zlib.decompressobj(), 0
    for kind, body in _chunks(data):
        if picture is None:
            if kind != b"IHDR" or len(body) != 13:
                raise Broken("it has no header")
            head = struct.unpack(">IIBBBBB", body)
            picture = _sized(PNG, head[0], head[1])
        elif kind == b"IDAT":
            size += _inflated(inflate, body)
    if picture is None:
        raise Broken("it is cut off")
    if head[3] not in _CHANNELS or head[2] not in (1, 2, 4, 8, 16) or head[6] > 1:
        raise Broken("its header is damaged")
    if size < _rows_bytes(head):
        raise Broken("part of its pixels is missing")
    return picture


def _inflated(inflate: zlib._Decompress, body: bytes) -> int:
    """How many bytes `body` holds; they are thrown away piece by piece."""
    size = 0
    try:
        while body and not inflate.eof:
            size += len(inflate.decompress(body, 1 << 20))
            body = inflate.unconsumed_tail
    except zlib.error:
        raise Broken("its pixels are damaged") from None
    return size


def _rows_bytes(head: tuple[int, ...]) -> int:
    """How many bytes the pixels of a PNG take: each row has one more for its filter."""
    width, height, depth, colour, _, _, interlaced = head
    bits = depth * _CHANNELS[colour]
    if not interlaced:
        return height * (1 + (width * bits + 7) // 8)
    total = 0
    for x, y, across, down in _PASSES:
        columns, rows = (width - x + across - 1) // across, (height - y + down - 1) // down
        total += rows * (1 + (columns * bits + 7) // 8) if columns > 0 and rows > 0 else 0
    return total


def _jpeg(data: bytes) -> Picture:
    at, picture, scans = 2, None, 0
    while at + 1 < len(data):
        if data[at] != 0xFF:
            raise Broken("its bytes are damaged")
        marker = data[at + 1]
        at += 1 if marker == 0xFF else 2
        if marker == 0xFF or marker in _STANDALONE:
            continue
        if marker == 0xD9:
            if picture is None or not scans:
                raise Broken("it has no pixels")
            return picture
        if at + 2 > len(data):
            break
        (length,) = struct.unpack_from(">H", data, at)
        if length < 2 or at + length > len(data):
            break
        if marker in _FRAMES and length >= 8:
            height, width = struct.unpack_from(">HH", data, at + 3)
            picture = _sized(JPEG, width, height)
        at += length
        if marker == 0xDA:
            scans += 1
            at = _after_scan(data, at)
    raise Broken("it is cut off")


def _after_scan(data: bytes, at: int) -> int:
    """Where the next marker stands behind the pixels that begin at `at`."""
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 2
    raise Broken("it is cut off")


def _webp(data: bytes) -> Picture:
    size = struct.unpack_from("<I", data, 4)[0] + 8
    if size > len(data):
        raise Broken("it is cut off")
    at, picture, pixels = 12, None, False
    while at + 8 <= size:
        kind, length = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        body = data[at + 8 : at + 8 + length]
        if len(body) < length:
            raise Broken("it is cut off")
        picture = picture or _webp_size(kind, body)
        pixels = pixels or kind in (b"VP8 ", b"VP8L", b"ANMF")
        at += 8 + length + length % 2
    if picture is None or not pixels:
        raise Broken("it has no pixels")
    return picture


def _webp_size(kind: bytes, body: bytes) -> Picture | None:
    if kind == b"VP8X" and len(body) >= 10:
        return _sized(WEBP, 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little"))
    if kind == b"VP8 " and len(body) >= 10 and body[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", body, 6)
        return _sized(WEBP, width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L" and len(body) >= 5 and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return _sized(WEBP, 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    return None
