"""Where the variables in a value come from, found on demand by reading files again: for people who ask, not for plans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from reconciler.diagnostics import Place
from reconciler.manifest.catalog import read_file
from reconciler.manifest.fields import Marked
from reconciler.manifest.files import find_manifests
from reconciler.manifest.front import read_bytes
from reconciler.manifest.node import Map, Node, Scalar, Seq
from reconciler.manifest.source import Problems
from reconciler.manifest.variables import Declared, read_declarations, used_in
from reconciler.project import Project


class Origins:
    """The variables of one project in one environment. `given`: name → (value, where it was set)."""

    def __init__(self, root: Path, project: Project, *, environment: str, given: Mapping[str, tuple[str, str]]) -> None:
        self._root = root
        self._given = given
        self._trees: dict[str, Map | None] = {}
        declared: dict[str, Declared] = {}
        for node in self._declarations(project):
            read_declarations(node, Problems(), declared)
        own = project.environments[environment].variables if environment in project.environments else {}
        self._set_here = own.node.entries if isinstance(own, Marked) else {}
        self._declared = declared

    def at(self, place: Place) -> list[tuple[str, str]]:
        """(variable, where its value was set) of every variable in the value that stands at `place`; values of variables may hold more."""
        node = self._node(place)
        names = sorted(used_in(str(node.value))) if node is not None else []
        found: dict[str, str] = {}
        while names:
            name = names.pop()
            if name not in found:
                found[name], value = self._origin(name)
                names += sorted(used_in(value))
        return sorted(found.items())

    def _origin(self, name: str) -> tuple[str, str]:
        """Where a variable's value was set, and the value as it is written there."""
        if name in self._given:
            return self._given[name][1], ""
        node: Node | None = self._set_here[name][1] if name in self._set_here else None
        if node is None and name in self._declared:
            node = self._declared[name].default
        return ("", "") if node is None else (str(node.place), str(getattr(node, "value", "")))

    def _declarations(self, project: Project) -> Iterator[Map]:
        if isinstance(project.variables, Marked):
            yield project.variables.node
        for path in find_manifests(self._root, project.manifests, Problems()):
            raw = read_bytes(self._root, path, Problems())
            tree = read_file(path, raw).tree if raw is not None and b"variables" in raw else None
            node = tree.get("variables") if tree is not None else None
            if type(node) is Map:
                yield node

    def _node(self, place: Place) -> Scalar | None:
        """The single value that begins at `place`."""
        if place.file not in self._trees:
            raw = read_bytes(self._root, place.file, Problems())
            self._trees[place.file] = None if raw is None else read_file(place.file, raw).tree
        pending: list[Node] = [tree] if (tree := self._trees[place.file]) is not None else []
        seen: set[int] = set()
        while pending:
            node = pending.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if type(node) is Scalar and node.place == place:
                return node
            if type(node) is Map:
                pending += [value for _, value in node.entries.values()]
            elif type(node) is Seq:
                pending += node.items
        return None
