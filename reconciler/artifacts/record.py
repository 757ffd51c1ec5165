"""What was saved of one job, as a file beside the files: which artifact became which file, its size, its SHA-256. Pure.

It holds nothing that the state has not, but the digests: so it may be lost, and `pull` makes it again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.text import redact

FORMAT_VERSION = "1.0"
NAME = "artifacts.json"
_FILE = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Unreadable(Exception):
    """A record that is not one."""


@dataclass(frozen=True, slots=True)
class Saved:
    """One file that was downloaded whole. `source`: where in the vendor's answer its address stood."""

    file: str
    role: str
    source: str
    url: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """All files of one job."""

    job: str
    name: str
    request_id: str
    files: tuple[Saved, ...] = ()

    def of(self, source: str) -> Saved | None:
        """The file that the artifact from `source` became."""
        return next((saved for saved in self.files if saved.source == source), None)

    def with_file(self, saved: Saved) -> Record:
        """The record with one more file, or with it anew."""
        kept = [each for each in self.files if each.source != saved.source and each.file != saved.file]
        return Record(self.job, self.name, self.request_id, tuple(sorted((*kept, saved), key=lambda each: each.file)))


def record_text(record: Record) -> str:
    """The record as it is written. Addresses lose their queries: those may be secret."""
    document = {
        "format_version": FORMAT_VERSION,
        "kind": "artifacts",
        "job": record.job,
        "name": record.name,
        "request_id": record.request_id,
        "files": [
            {"file": s.file, "role": s.role, "source": s.source, "url": redact(s.url), "size_bytes": s.size_bytes, "sha256": s.sha256} for s in record.files
        ],
    }
    return json.dumps(document, ensure_ascii=True, indent=2) + "\n"


def read_record(text: bytes) -> Record:
    """The record that was written. Raises Unreadable for anything else, and for a newer format."""
    try:
        document = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Unreadable("it is no JSON") from None
    match document:
        case {"format_version": str(version), "kind": "artifacts", "job": str(job), "name": str(name), "request_id": str(request), "files": list(files)}:
            if not version.startswith("1."):
                raise Unreadable("it was written by a newer version of this program")
            return Record(job, name, request, tuple(_files(files)))
    raise Unreadable("it is not a record of downloads")


def _files(rows: Iterable[Any]) -> Iterable[Saved]:
    for row in rows:
        saved = _saved(row) if isinstance(row, Mapping) else None
        if saved is None:
            raise Unreadable("one of its files is not described as a file")
        yield saved


def _saved(row: Mapping[str, Any]) -> Saved | None:
    texts = [row.get(key) for key in ("file", "role", "source", "url", "sha256")]
    size = row.get("size_bytes")
    if not all(isinstance(text, str) for text in texts) or not isinstance(size, int) or isinstance(size, bool) or size < 0:
        return None
    file, role, source, url, sha256 = map(str, texts)
    return Saved(file, role, source, url, size, sha256) if _FILE.fullmatch(file) and _SHA256.fullmatch(sha256) else None
