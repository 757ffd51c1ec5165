"""Merging: defaults under models. Maps merge deep, lists and single values replace; every value keeps its own place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.diagnostics import Place
from reconciler.manifest.node import Map, Node


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

    __slots__ = ("_file", "names", "places")

    def __init__(self, file: str, names: tuple[str, ...], places: tuple[int | Place, ...]) -> None:
        self._file = file
        self.names = names
        self.places = places

    @classmethod
    def of(cls, tree: Map, extra: Mapping[str, Node], shapes: dict[tuple[str, ...], tuple[str, ...]]) -> FieldPlaces:
        """The places in `tree`, and of `extra` nodes by path, which win. `shapes` lets equal tuples of names be one."""
        nodes: dict[str, Node] = {}
        for name, (_, node) in tree.entries.items():
            nodes[name] = node
            if type(node) is Map and name != "matrix":
                for inner, (_, value) in node.entries.items():
                    nodes[f"{name}.{inner}"] = value
        nodes.update(extra)
        names, source = tuple(nodes), tree.source
        places = [n.line << 24 | min(n.column, 0xFFFFFF) if n.source is source else n.place for n in nodes.values()]
        return cls(source.path, shapes.setdefault(names, names), tuple(places))

    def __getitem__(self, path: str) -> Place:
        try:
            found = self.places[self.names.index(path)]
        except ValueError:
            raise KeyError(path) from None
        return found if isinstance(found, Place) else Place(self._file, (found >> 24) + 1, (found & 0xFFFFFF) + 1)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)
