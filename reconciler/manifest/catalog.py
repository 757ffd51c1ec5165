"""All manifests of a project into one Catalog for one environment, with every problem of every file.

Reading one file (`read_file`) is a pure function of its bytes, so that a cache keyed by their digest can stand before it.
What needs more than one file (names, variables, acts) is checked after all are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from reconciler.diagnostics import Diagnostic, Place
from reconciler.manifest import keys
from reconciler.manifest.acts import Acts, check_acts, read_acts
from reconciler.manifest.dataset import DatasetReader
from reconciler.manifest.fields import Fields, Marked, marked, perhaps
from reconciler.manifest.files import DEFAULTS_FILE, find_manifests
from reconciler.manifest.front import decode, read_bytes
from reconciler.manifest.layers import merge
from reconciler.manifest.models import ModelReader
from reconciler.manifest.node import Map, Node
from reconciler.manifest.parse import parse_map
from reconciler.manifest.project_file import check_version, parameter_names
from reconciler.manifest.source import Problems, Source, shown
from reconciler.manifest.variables import Declared, Variables, read_declarations, used_in
from reconciler.model import DEFAULT_ENVIRONMENT, Catalog, Model
from reconciler.project import PROJECT_FILE, Project

MAX_MODELS = 1_000_000


class Parsed(NamedTuple):
    """One file, read: its tree (None when it cannot be), the problems of its bytes and its YAML, the variables it names."""

    tree: Map | None
    problems: tuple[Diagnostic, ...]
    uses: frozenset[str]


def read_file(path: str, raw: bytes) -> Parsed:
    """Bytes into a tree. Depends on nothing but its arguments and this program's version."""
    problems = Problems()
    source = decode(path, raw, problems)
    tree = parse_map(source, problems) if source is not None else None
    return Parsed(tree, tuple(problems.found), frozenset(used_in(source.text)) if source is not None else frozenset())


class CatalogReader:
    """Reads one project's manifests once."""

    def __init__(
        self,
        root: Path,
        project: Project,
        *,
        environment: str,
        variables: Mapping[str, tuple[str, str]],
        folder_digest: Callable[[Path], str] | None,
        problems: Problems,
        today: str = "",
    ) -> None:
        self._root = root
        self._project = project
        self._environment = environment
        self._given = variables
        self._folder_digest = folder_digest
        self._today = today
        self._problems = problems
        self._parameters = parameter_names(dict(project.trainers))
        self._folders: dict[str, Map | None] = {}
        self._complete = True
        self._uses: set[str] = set()
        self.files = 0

    def read(self) -> Catalog | None:
        """The catalog, or None after errors."""
        problems = self._problems
        if not self._environment_is_known():
            return None
        paths = find_manifests(self._root, self._project.manifests, problems)
        self.files = len(paths)
        files = [(path, raw) for path in paths if (raw := self._bytes(path)) is not None]
        # Variables of any file hold in all, so files that may declare some are parsed first. Other trees live only
        # while their models are made: a tree is many times larger than what comes of it.
        early = {path: self._parse(path, raw) for path, raw in files if b"variables" in raw}
        variables = self._variables([tree for tree in early.values() if tree is not None])
        fields = Fields(problems, variables.fill)
        trees = (early.pop(path) if path in early else self._parse(path, raw) for path, raw in files)
        models, declared, acts = self._build(trees, variables, fields)
        if self._complete:
            variables.check(self._uses)
            check_acts(acts, declared, problems)
        if problems.errors:
            return None
        used = {model.spec.trainer for model in models.values()} | {self._project.trainer}
        trainers = {name: trainer for name, trainer in sorted(self._project.trainers.items()) if name in used}
        ordered = dict(sorted(models.items()))
        return Catalog(ordered, trainers, self._environment, tuple(acts.moved), tuple(acts.removed), tuple(acts.adoptions), tuple(acts.resolutions))

    def _environment_is_known(self) -> bool:
        known = sorted(self._project.environments) or [DEFAULT_ENVIRONMENT]
        if self._environment in known:
            return True
        detail = f"{perhaps(self._environment, known, self._problems)}Known: {', '.join(known)}."
        if self._environment == DEFAULT_ENVIRONMENT:
            detail = f"This project has environments; name one with -e: {', '.join(known)}."
        self._problems.add("E120", f"there is no environment {shown(self._environment)}", detail, place=Place(PROJECT_FILE))
        return False

    def _bytes(self, path: str) -> bytes | None:
        raw = read_bytes(self._root, path, self._problems)
        if raw is None:
            self._complete = False
        return raw

    def _parse(self, path: str, raw: bytes) -> Map | None:
        parsed = read_file(path, raw)
        if parsed.tree is None:
            self._complete = False
        self._problems.extend(parsed.problems)
        self._uses |= parsed.uses
        return parsed.tree

    def _variables(self, trees: list[Map]) -> Variables:
        problems, project = self._problems, self._project
        declared: dict[str, Declared] = {}
        if project.variables:
            read_declarations(self._node_of(project.variables), problems, declared)
        for tree in trees:
            if (node := tree.get("variables")) is not None:
                read_declarations(node, problems, declared)
        blocks = {name: self._node_of(env.variables) for name, env in project.environments.items() if env.variables}
        for node in (*blocks.values(), *(self._node_of(m) for m in (project.variables, project.defaults) if m)):
            self._uses |= used_in(node.source.text)
        variables = Variables(problems, declared, environment=self._environment, set_here=blocks.get(self._environment), given=self._given)
        variables.declare_from_environments(blocks)
        return variables

    def _node_of(self, data: Mapping[str, object]) -> Map:
        """The node of a part of the project file; for a project made by hand, nodes that stand at its beginning."""
        if isinstance(data, Marked):
            return data.node
        node = marked(data, _beginning())
        assert type(node) is Map, "a mapping becomes a mapping"
        return node

    def _build(self, trees: Iterable[Map | None], variables: Variables, fields: Fields) -> tuple[dict[str, Model], dict[str, Place], Acts]:
        reader = ModelReader(
            self._project,
            self._environment,
            variables=variables,
            fields=fields,
            datasets=DatasetReader(self._root, fields, self._folder_digest),
            today=self._today,
        )
        base = self._node_of(self._project.defaults) if self._project.defaults else None
        models: dict[str, Model] = {}
        declared: dict[str, Place] = {}
        acts = Acts()
        for tree in trees:
            if tree is None:
                continue
            fields.unknown(tree, "a manifest", keys.MANIFEST)
            check_version(tree, fields)
            defaults = self._with_defaults(self._folder(tree.source.path, base, fields), tree.get("defaults"), fields)
            self._models(tree, defaults, reader, fields, models=models, declared=declared)
            read_acts(tree, fields, acts)
        return models, declared, acts

    def _models(self, tree: Map, defaults: Map | None, reader: ModelReader, fields: Fields, *, models: dict[str, Model], declared: dict[str, Place]) -> None:
        node = tree.get("models")
        block = fields.mapping(node, "models") if node is not None else None
        for name, (key, value) in block.entries.items() if block is not None else ():
            if name in declared:
                fields.fault("E200", key, f"the model {shown(name)} is declared twice", f"The first one is at {declared[name]}. Rename or remove one of them.")
                continue
            declared[name] = key.place
            own = value if type(value) is Map else fields.mapping(value, f"the model {name}")
            if own is None:
                continue
            if self._problems.is_full(tree.source.path):
                self._complete = False
                return
            for model in reader.read(name, key, own, merge(defaults, own)):
                models[model.name] = model
            if len(models) > MAX_MODELS:
                fields.fault("E004", key, f"more than {MAX_MODELS:,} models")
                return

    def _with_defaults(self, below: Map | None, node: Node | None, fields: Fields) -> Map | None:
        block = fields.mapping(node, "defaults") if node is not None else None
        if block is None:
            return below
        fields.unknown(block, "defaults", keys.SHARED, self._parameters)
        return merge(below, block)

    def _folder(self, path: str, base: Map | None, fields: Fields) -> Map | None:
        """What the `_defaults.yaml` of a file's folders amount to, outer to inner, over the project's defaults."""
        folder = path.rpartition("/")[0]
        if folder not in self._folders:
            below = self._folder(folder, base, fields) if folder else base
            self._folders[folder] = self._folder_defaults(f"{folder}/{DEFAULTS_FILE}" if folder else DEFAULTS_FILE, below, fields)
        return self._folders[folder]

    def _folder_defaults(self, path: str, below: Map | None, fields: Fields) -> Map | None:
        if not (self._root / path).exists() and not (self._root / path).is_symlink():
            return below
        raw = self._bytes(path)
        tree = self._parse(path, raw) if raw is not None else None
        if tree is None:
            return below
        fields.unknown(tree, DEFAULTS_FILE, keys.FOLDER_DEFAULTS)
        check_version(tree, fields)
        return self._with_defaults(below, tree.get("defaults"), fields)


def _beginning() -> Map:
    return Map(Source(PROJECT_FILE, ""), 0, 0)
