"""Whether an inline dataset lacks captions, as the backend finds out after charging for it. Reads names and sizes, unpacks nothing."""

from __future__ import annotations

import base64
import io
from pathlib import PurePosixPath
from urllib.parse import unquote_to_bytes
from zipfile import BadZipFile, ZipFile

_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp"})


def lacks_captions(url: str) -> bool:
    """Whether `url` is a data: URL of a zip in which an image has no text beside it. Anything unreadable lacks nothing."""
    if url[:5].lower() != "data:":
        return False
    head, comma, data = url.partition(",")
    try:
        content = base64.b64decode(unquote_to_bytes(data)) if head.lower().endswith(";base64") else unquote_to_bytes(data)
        with ZipFile(io.BytesIO(content)) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    except (ValueError, BadZipFile, NotImplementedError):
        return False
    images = [PurePosixPath(name) for name in sizes if PurePosixPath(name).suffix.lower() in _IMAGES]
    return bool(comma) and any(sizes.get(str(image.with_suffix(".txt")), 0) == 0 for image in images)
