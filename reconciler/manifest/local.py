"""Data that lie in the project: where they may lie, and what identifies them. The digest itself is made by a function that the caller hands in."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Protocol

from reconciler.errors import ReconcilerError
from reconciler.manifest.fields import Fields
from reconciler.manifest.node import Node
from reconciler.manifest.source import shown
from reconciler.model import MOST_INLINE_BYTES
from reconciler.text import safe


class FolderDigest(Protocol):
    """How the manifests come to know local data."""

    def __call__(self, path: Path, most_bytes: int | None, /) -> str:
        """The digest (hex) of a folder's names and contents, or of a zip's bytes. With `most_bytes` the data are to be sent
        themselves: they must be a zip, or make one, of no more bytes. Raises ReconcilerError for what cannot be used.
        """
        ...


class LocalReader:
    """Reads local paths of data sets. Each is digested once."""

    def __init__(self, root: Path, fields: Fields, folder_digest: FolderDigest | None) -> None:
        self._root = root
        self._fields = fields
        self._folder_digest = folder_digest
        self._digests: dict[tuple[str, int | None], str | None] = {}
        self.looked = 0
        """How often the file system was asked."""

    def content(self, node: Node, path: str) -> str | None:
        """What identifies the data at `path`, as their kind and digest, or None after their problem."""
        local = self.find(node, path)
        return None if local is None else self._content(node, path, local, None)

    def sent_content(self, node: Node, path: str) -> str | None:
        """As `content`, of data that have no URL and are sent themselves."""
        local = self.find(node, path)
        if local is None or self._is_private(node, path, local):
            return None
        return self._content(node, path, local, MOST_INLINE_BYTES)

    def find(self, node: Node, path: str) -> Path | None:
        """The path inside the project, or None after its problem."""
        self.looked += 1
        parts = PurePosixPath(path).parts
        if path.startswith(("/", "~")) or ".." in parts or "\\" in path or "\0" in path or re.match(r"[A-Za-z]:", path):
            self._fields.fault(
                "E112",
                node,
                f"{shown(path)} is not a path inside the project",
                "Allowed: https, http to loopback, data:, or a path relative to the project folder.",
            )
            return None
        local = self._root / path
        try:
            real, is_there = local.resolve(), local.exists()
        except (OSError, RuntimeError):  # a name too long; a circle of links
            self._fields.fault("E112", node, f"{shown(path)} cannot be looked up", "Its name is too long, or links lead in a circle.")
            return None
        if not real.is_relative_to(self._root.resolve()):
            self._fields.fault("E112", node, f"the path {shown(path)} leads out of the project", "Links out of the project are not followed.")
            return None
        if not is_there:
            self._fields.fault("E112", node, f"there is nothing at {shown(path)}", "Paths are relative to the project folder. A URL begins with https://.")
            return None
        return local

    def _is_private(self, node: Node, path: str, local: Path) -> bool:
        """Whether it is nothing to be sent to anybody: a checkout and a runner keep their secrets there."""
        inside = local.resolve().relative_to(self._root.resolve()).parts
        if not inside:
            summary = "the project folder itself is no dataset"
        elif any(part.startswith(".") for part in inside):
            summary = f"{shown(path)} is hidden; hidden folders and files are not sent"
        else:
            return False
        self._fields.fault("E112", node, summary, "Put images and captions into a folder of their own.")
        return True

    def _content(self, node: Node, path: str, local: Path, most_bytes: int | None) -> str | None:
        if (path, most_bytes) not in self._digests:
            self._digests[path, most_bytes] = self._digest(node, local, most_bytes)
        digest = self._digests[path, most_bytes]
        # of a zip the content is the file: writing its sha256 down later changes nothing
        return None if digest is None else f"{'folder' if local.is_dir() else 'sha256'}:{digest}"

    def _digest(self, node: Node, local: Path, most_bytes: int | None) -> str | None:
        if self._folder_digest is None:
            self._fields.fault("E112", node, "a local dataset cannot be digested here", "Give its `sha256` or an `id`.")
            return None
        try:
            return self._folder_digest(local, most_bytes).removeprefix("sha256:")
        except (OSError, ValueError, ReconcilerError) as error:
            detail = error.hint if isinstance(error, ReconcilerError) else ""
            self._fields.fault("E112", node, f"the dataset at this path cannot be used: {safe(error)}", detail)
            return None
