"""All manifests of a project into one Catalog for one environment, with every problem of every file.

Each file is made into a part by itself (`part`), or taken from where parts are kept; what needs more than one file
(names, variables, acts) is checked after all are there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from reconciler.diagnostics import Diagnostic, Place
from reconciler.manifest.acts import Acts, check_acts
from reconciler.manifest.ahead import Ahead
from reconciler.manifest.dataset import DatasetReader
from reconciler.manifest.fields import Fields, Marked, marked, perhaps
from reconciler.manifest.files import find_manifests
from reconciler.manifest.folders import Folders
from reconciler.manifest.front import decode, read_bytes
from reconciler.manifest.kept import Kept
from reconciler.manifest.local import FolderDigest
from reconciler.manifest.models import ModelReader
from reconciler.manifest.node import Map
from reconciler.manifest.packed import pack
from reconciler.manifest.parse import parse_map
from reconciler.manifest.part import Part, PartReader, Shelf
from reconciler.manifest.project_file import parameter_names
from reconciler.manifest.source import Problems, Source, shown
from reconciler.manifest.variables import Declared, Variables, read_declarations, used_in
from reconciler.model import DEFAULT_ENVIRONMENT, Catalog, Manifest, Model
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


class Only(NamedTuple):
    """The manifests to read, when the rest is known; and which variables the rest names."""

    paths: frozenset[str]
    uses: frozenset[str]


class Reading(NamedTuple):
    """What a catalog is made from beside the files of the project."""

    environment: str
    variables: Mapping[str, tuple[str, str]]
    """Name → (value as text, where it came from)."""
    folder_digest: FolderDigest | None = None
    today: str = ""
    shelf: Shelf | None = None
    """Where parts are kept between runs; it is this program's, this environment's and these variables' alone."""
    only: Only | None = None
    meanwhile: Callable[[], None] | None = None
    """Other work for this process, when others read manifests beside it; without any nothing is read beside it."""


class CatalogReader:
    """Reads one project's manifests once."""

    def __init__(self, root: Path, project: Project, reading: Reading, problems: Problems) -> None:
        self._root = root
        self._project = project
        self._reading = reading
        self._environment = reading.environment
        self._problems = problems
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
        if (only := self._reading.only) is not None:
            paths = [path for path in paths if path in only.paths]
            self._uses |= only.uses
        files = {path: raw for path in paths if (raw := self._bytes(path)) is not None}
        # Variables of any file hold in all, so files that may declare some are parsed first. Other trees live only
        # while their models are made: a tree is many times larger than what comes of it.
        early = {path: self._parse(path, raw) for path, raw in files.items() if b"variables" in raw}
        variables = self._variables([parsed.tree for parsed in early.values() if parsed.tree is not None])
        acts, fields = Acts(), Fields(problems, variables.fill)
        folders = Folders(self._base(), fields, parameter_names(dict(self._project.trainers)), self._folder_file)
        kept = Kept(self._reading.shelf, self._project.digest, [files[path] for path in early], folders)
        models, declared, manifests = self._gather(files, self._parts(files, early, kept, self._reader(variables, fields, folders, acts)))
        if self._complete:
            variables.check(self._uses)
            check_acts(acts, declared, problems)
        if problems.errors:
            return None
        if only is None:
            kept.leave()
        used = {model.spec.trainer for model in models.values()} | {self._project.trainer}
        trainers = {name: trainer for name, trainer in sorted(self._project.trainers.items()) if name in used}
        ordered = dict(sorted(models.items()))
        told = (tuple(acts.moved), tuple(acts.removed), tuple(acts.adoptions), tuple(acts.resolutions))
        return Catalog(ordered, trainers, self._environment, *told, manifests)

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

    def _parse(self, path: str, raw: bytes) -> Parsed:
        parsed = read_file(path, raw)
        if parsed.tree is None:
            self._complete = False
        self._problems.extend(parsed.problems)
        return parsed

    def _variables(self, trees: list[Map]) -> Variables:
        problems, project, reading = self._problems, self._project, self._reading
        declared: dict[str, Declared] = {}
        if project.variables:
            read_declarations(self._node_of(project.variables), problems, declared)
        for tree in trees:
            if (node := tree.get("variables")) is not None:
                read_declarations(node, problems, declared)
        blocks = {name: self._node_of(env.variables) for name, env in project.environments.items() if env.variables}
        for node in (*blocks.values(), *(self._node_of(m) for m in (project.variables, project.defaults) if m)):
            self._uses |= used_in(node.source.text)
        variables = Variables(problems, declared, environment=self._environment, set_here=blocks.get(self._environment), given=reading.variables)
        variables.declare_from_environments(blocks)
        return variables

    def _node_of(self, data: Mapping[str, object]) -> Map:
        """The node of a part of the project file; for a project made by hand, nodes that stand at its beginning."""
        if isinstance(data, Marked):
            return data.node
        node = marked(data, _beginning())
        assert type(node) is Map, "a mapping becomes a mapping"
        return node

    def _base(self) -> Map | None:
        return self._node_of(self._project.defaults) if self._project.defaults else None

    def _reader(self, variables: Variables, fields: Fields, folders: Folders, acts: Acts) -> PartReader:
        datasets = DatasetReader(self._root, fields, self._reading.folder_digest)
        models = ModelReader(self._project, self._environment, variables=variables, fields=fields, datasets=datasets, today=self._reading.today)
        return PartReader(models, fields, folders, variables=variables, datasets=datasets, acts=acts)

    def _folder_file(self, path: str) -> tuple[bytes | None, Map | None]:
        if not (self._root / path).exists() and not (self._root / path).is_symlink():
            return None, None
        raw = self._bytes(path)
        if raw is None:
            return None, None
        parsed = self._parse(path, raw)
        self._uses |= parsed.uses
        return raw, parsed.tree

    def _parts(self, files: Mapping[str, bytes], early: dict[str, Parsed], kept: Kept, reader: PartReader) -> Iterator[tuple[Part, Manifest]]:
        """The part of every file that has one, in their order, and what it says in names."""
        meanwhile = self._reading.meanwhile
        unknown = {path: raw for path, raw in files.items() if path not in early and not kept.knows(path, raw)} if meanwhile is not None else {}
        number = itertools.count()
        with Ahead(unknown, lambda path: self._packed(path, files[path], reader)) as ahead:
            if meanwhile is not None and ahead.is_working:
                meanwhile()
            for path, raw in files.items():
                packed = ahead.get(next(number)) if path in unknown else None
                if path not in early and (part := kept.get(path, raw, packed)) is not None:
                    yield part, _told(path, part, declares=False, is_plain=True)
                    continue
                parsed = early.pop(path) if (was_early := path in early) else None
                part, is_plain, may_be_kept = self._made(path, raw, parsed, reader)
                if part is None:
                    continue
                if may_be_kept and not was_early and kept.is_open:
                    kept.add(path, raw, pack(part))
                yield part, _told(path, part, declares=was_early, is_plain=is_plain)
        self._complete = self._complete and reader.complete

    def _made(self, path: str, raw: bytes, parsed: Parsed | None, reader: PartReader) -> tuple[Part | None, bool, bool]:
        """The part of a file, whether it is plain, and whether it may be kept."""
        touched = self._problems.touched
        parsed = self._parse(path, raw) if parsed is None else parsed
        self._uses |= parsed.uses
        if parsed.tree is None:
            return None, False, False
        part, is_plain, may_be_kept = reader.read(parsed.tree, parsed.uses)
        return part, is_plain, may_be_kept and touched == self._problems.touched

    def _packed(self, path: str, raw: bytes, reader: PartReader) -> bytes | None:
        part, _, may_be_kept = self._made(path, raw, None, reader)
        return pack(part) if part is not None and may_be_kept else None

    def _gather(self, files: Mapping[str, bytes], parts: Iterator[tuple[Part, Manifest]]) -> tuple[dict[str, Model], dict[str, Place], dict[str, Manifest]]:
        """All models by name, and where each name is declared; a name belongs to the file that declares it first."""
        models: dict[str, Model] = {}
        declared: dict[str, Place] = {}
        manifests: dict[str, Manifest] = {}
        for part, told in parts:
            path = told.path
            manifests[path] = told
            self._uses |= part.uses
            again = {name for name, _ in part.declared if name in declared}
            for name, place in part.declared:
                if name in again:
                    detail = f"The first one is at {declared[name]}. Rename or remove one of them."
                    self._fault("E200", path, files, place, f"the model {shown(name)} is declared twice", detail)
                declared.setdefault(name, place)
            for model in part.models:
                if not again or model.name.partition("@")[0] not in again:
                    models[model.name] = model
            if len(models) > MAX_MODELS:
                self._fault("E004", path, files, part.declared[0][1], f"more than {MAX_MODELS:,} models")
                break
        return models, declared, manifests

    def _fault(self, code: str, path: str, files: Mapping[str, bytes], place: Place, summary: str, detail: str = "") -> None:
        """A problem that was found when the file's text was not at hand any more."""
        self._problems.add(code, summary, detail, place=place, source=decode(path, files[path], Problems()))


def _told(path: str, part: Part, *, declares: bool, is_plain: bool) -> Manifest:
    names = tuple([model.name for model in part.models])
    trainers = frozenset([model.spec.trainer for model in part.models])
    return Manifest(path, names, tuple([name for name, _ in part.declared]), part.uses, trainers, declares, is_plain)


def _beginning() -> Map:
    return Map(Source(PROJECT_FILE, ""), 0, 0)
