"""The doors for commands: a project folder in, a Project and a Catalog out, or every problem that forbids it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from reconciler.diagnostics import Diagnostic, has_errors, in_order
from reconciler.manifest.catalog import CatalogReader, Only, Reading
from reconciler.manifest.local import FolderDigest
from reconciler.manifest.part import Shelf
from reconciler.manifest.project_file import read_project
from reconciler.manifest.source import Problems
from reconciler.model import Catalog
from reconciler.project import Project

NO_VARIABLES: Mapping[str, tuple[str, str]] = {}


class Loaded(NamedTuple):
    """All of it. `project` and `catalog` are None when errors forbid them; `files` counts the manifests that were read."""

    project: Project | None
    catalog: Catalog | None
    diagnostics: tuple[Diagnostic, ...]
    files: int


def load_project(root: Path) -> tuple[Project | None, list[Diagnostic]]:
    """The project file of `root`. None with errors; a missing file is one of them."""
    problems = Problems()
    project = read_project(root, problems)
    return project, in_order(problems.found)


def load_catalog(
    root: Path,
    project: Project,
    *,
    environment: str,
    variables: Mapping[str, tuple[str, str]] = NO_VARIABLES,
    folder_digest: FolderDigest | None = None,
    today: str = "",
    shelf: Shelf | None = None,
    only: Only | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> tuple[Catalog | None, list[Diagnostic]]:
    """Everything that the manifests want in `environment`. None with errors.

    `variables`: name → (value as text, where it came from, such as `-var` or `RECONCILER_VAR_bucket`).
    `folder_digest` gives the content digest of a local dataset; see `manifest.local`. `today` (ISO date) is the day whose
    list prices are told of sweeps that are too large; without it none is. `shelf`: where what was read is kept between
    runs; it must be of this program, this environment and these variables. `only`: a part of the manifests; what comes of it
    is a part of the catalog. `meanwhile`: what this process does first when others help it to read; given by who may be copied.
    """
    catalog, diagnostics, _ = _catalog(root, project, Reading(environment, variables, folder_digest, today, shelf, only, meanwhile))
    return catalog, diagnostics


def load(
    root: Path,
    *,
    environment: str,
    variables: Mapping[str, tuple[str, str]] = NO_VARIABLES,
    folder_digest: FolderDigest | None = None,
    today: str = "",
    meanwhile: Callable[[], None] | None = None,
) -> Loaded:
    """The project file, then the manifests. Without a readable project file no manifest is read. `meanwhile`: as in `load_catalog`."""
    project, diagnostics = load_project(root)
    if project is None:
        return Loaded(None, None, tuple(diagnostics), 0)
    catalog, found, files = _catalog(root, project, Reading(environment, variables, folder_digest, today, meanwhile=meanwhile))
    return Loaded(project, catalog, tuple(in_order([*diagnostics, *found])), files)


def _catalog(root: Path, project: Project, reading: Reading) -> tuple[Catalog | None, list[Diagnostic], int]:
    problems = Problems()
    reader = CatalogReader(root, project, reading, problems)
    with _no_collector():
        catalog = reader.read()
    diagnostics = in_order(problems.found)
    return None if has_errors(diagnostics) else catalog, diagnostics, reader.files


@contextmanager
def _no_collector() -> Iterator[None]:
    """Millions of small values are made that all stay: looking for garbage among them triples the time (measured)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
