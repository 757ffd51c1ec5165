"""Merging: defaults under models. Maps merge deep, lists and single values replace; every value keeps its own place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.diagnostics import Place
from reconciler.manifest.tree import Map, Node


def merge(lower: Map | None, upper: Map) -> Map:
    """`upper` over `lower`; stands where `upper` stands. Neither is changed."""
    if lower is None or not lower.entries:
        return upper
    merged = Map(upper.source, upper.line, upper.column)
    entries = merged.entries
    entries.update(lower.entries)
    for name, entry in upper.entries.items():
        below = lower.entries.get(name)
        if below is not None and type(below[1]) is Map and type(entry[1]) is Map:
            entries[name] = (entry[0], merge(below[1], entry[1]))
        else:
            entries[name] = entry
    return merged


class FieldPlaces(Mapping[str, Place]):
    """Dotted path of a field as written → its place; packed, because a catalog holds a million of them."""

    __slots__ = ("_file", "_packed")

    def __init__(self, tree: Map, extra: Mapping[str, Node] | None = None) -> None:
        self._file = tree.source.path
        self._packed: dict[str, int | Place] = {}
        for name, (_, node) in tree.entries.items():
            self._keep(name, node)
            if type(node) is Map and name != "matrix":
                for inner, (_, value) in node.entries.items():
                    self._keep(f"{name}.{inner}", value)
        for name, node in (extra or {}).items():
            self._keep(name, node)

    def _keep(self, path: str, node: Node) -> None:
        self._packed[path] = node.line << 24 | min(node.column, 0xFFFFFF) if node.source.path == self._file else node.place

    def __getitem__(self, path: str) -> Place:
        found = self._packed[path]
        return found if isinstance(found, Place) else Place(self._file, (found >> 24) + 1, (found & 0xFFFFFF) + 1)

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)
