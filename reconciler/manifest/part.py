"""Part: what one manifest adds to the catalog, made from its tree and what stands around it, never from other manifests.

A part without problems is a function of bytes that are known (its own, the defaults over it, the project file, declared
variables), so it may be kept and need not be made again. Whatever is not so says that it must not be kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from reconciler.diagnostics import Place
from reconciler.manifest import keys
from reconciler.manifest.acts import Acts, read_acts
from reconciler.manifest.dataset import DatasetReader
from reconciler.manifest.fields import Fields
from reconciler.manifest.folders import Folders
from reconciler.manifest.layers import merge
from reconciler.manifest.models import ModelReader
from reconciler.manifest.node import Map
from reconciler.manifest.project_file import check_version
from reconciler.manifest.variables import Variables
from reconciler.model import Model


class Part(NamedTuple):
    """The models of one manifest in one environment, the names of all its blocks, and the variables that its text names."""

    models: tuple[Model, ...]
    declared: tuple[tuple[str, Place], ...]
    uses: frozenset[str]


class Shelf(Protocol):
    """Where parts are kept between runs, as bytes by key. May forget at any time; never raises."""

    def get(self, key: str) -> bytes | None:
        """What was kept under `key`."""
        ...

    def keep(self, made: Mapping[str, bytes], used: Collection[str]) -> None:
        """Keep what was made in this run, and of what was there before only what was `used`."""
        ...


class PartReader:
    """Makes parts. One for a run: problems, acts and values of variables are shared by all of them."""

    def __init__(self, models: ModelReader, fields: Fields, folders: Folders, *, variables: Variables, datasets: DatasetReader, acts: Acts) -> None:
        self._models = models
        self._fields = fields
        self._folders = folders
        self._variables = variables
        self._datasets = datasets
        self._acts = acts
        self.complete = True
        """False once a file had so many errors that its rest was not read."""

    def read(self, tree: Map, uses: frozenset[str]) -> tuple[Part, bool, bool]:
        """The part of one file, whether it is plain (see `model.Manifest`), and whether it may be kept. Acts are added to those of the other files."""
        touched, before = self._touched(), self._marks()
        fields = self._fields
        fields.unknown(tree, "a manifest", keys.MANIFEST)
        check_version(tree, fields)
        defaults = self._folders.with_defaults(self._folders.over(tree.source.path), tree.get("defaults"))
        models, declared = self._blocks(tree, defaults)
        read_acts(tree, fields, self._acts)
        is_plain = before == self._marks()
        return Part(tuple(models), tuple(declared), uses), is_plain, is_plain and touched == self._touched()

    def _marks(self) -> tuple[int, ...]:
        return self._datasets.looked, len(self._acts.sources)

    def _touched(self) -> tuple[int, ...]:
        return self._fields.problems.touched, self._variables.outside_reads

    def _blocks(self, tree: Map, defaults: Map | None) -> tuple[list[Model], list[tuple[str, Place]]]:
        fields, read = self._fields, self._models.read
        models: list[Model] = []
        declared: list[tuple[str, Place]] = []
        node = tree.get("models")
        block = fields.mapping(node, "models") if node is not None else None
        for name, (key, value) in block.entries.items() if block is not None else ():
            declared.append((name, key.place))
            own = value if type(value) is Map else fields.mapping(value, f"the model {name}")
            if own is None:
                continue
            if fields.problems.is_full(tree.source.path):
                self.complete = False
                break
            models += read(name, key, own, merge(defaults, own))
        return models, declared
