"""Folders: what the `_defaults.yaml` files above a manifest amount to, outer to inner, over the project's defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reconciler.canonical import digest_of_bytes
from reconciler.manifest import keys
from reconciler.manifest.fields import Fields
from reconciler.manifest.files import DEFAULTS_FILE
from reconciler.manifest.layers import merge
from reconciler.manifest.node import Map, Node
from reconciler.manifest.project_file import check_version

Read = Callable[[str], tuple[bytes | None, Map | None]]
"""A path → its bytes and its tree, each None where there is none; a file that is not there is no problem."""


class Folders:
    """The defaults of every folder of one project, each read once. `parameters`: names that trainers add to the keys."""

    def __init__(self, base: Map | None, fields: Fields, parameters: Sequence[str], read: Read) -> None:
        self._fields = fields
        self._parameters = parameters
        self._read = read
        self._known: dict[str, tuple[Map | None, str]] = {}
        self._base = base

    def over(self, path: str) -> Map | None:
        """What holds for the file at `path` before anything that it says itself."""
        return self._of(path.rpartition("/")[0])[0]

    def digest_over(self, path: str) -> str:
        """A digest of all bytes that `over` is made from, beside the project file's."""
        return self._of(path.rpartition("/")[0])[1]

    def with_defaults(self, below: Map | None, node: Node | None) -> Map | None:
        """`below` with a `defaults:` block over it."""
        block = self._fields.mapping(node, "defaults") if node is not None else None
        if block is None:
            return below
        self._fields.unknown(block, "defaults", keys.SHARED, self._parameters)
        return merge(below, block)

    def _of(self, folder: str) -> tuple[Map | None, str]:
        if folder not in self._known:
            below, digest = self._of(folder.rpartition("/")[0]) if folder else (self._base, "")
            self._known[folder] = self._layer(f"{folder}/{DEFAULTS_FILE}" if folder else DEFAULTS_FILE, below, digest)
        return self._known[folder]

    def _layer(self, path: str, below: Map | None, digest: str) -> tuple[Map | None, str]:
        raw, tree = self._read(path)
        if raw is not None:
            digest = digest_of_bytes(f"{digest}\n{path}\n".encode() + raw)
        if tree is None:
            return below, digest
        self._fields.unknown(tree, DEFAULTS_FILE, keys.FOLDER_DEFAULTS)
        check_version(tree, self._fields)
        return self.with_defaults(below, tree.get("defaults")), digest
