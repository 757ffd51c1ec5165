"""Composition: what every command is given, and how it opens the project, its catalog and its store.

Rooms are imported inside the functions: a command pays only for what it opens.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.commands.clock import SystemClock
from reconciler.commands.streams import Output
from reconciler.errors import Invalid, StateProblem, Usage
from reconciler.settings import STATE_VARIABLE, Provenance, Settings, provenance
from reconciler.text import nearest, safe

if TYPE_CHECKING:
    from reconciler.commands.local import LocalData
    from reconciler.diagnostics import Diagnostic
    from reconciler.journal.file import FileJournal
    from reconciler.manifest.catalog import Only
    from reconciler.model import Catalog
    from reconciler.ports import Clock, Owner
    from reconciler.project import Project
    from reconciler.store.sqlite import SqliteStore
    from reconciler.trainer import Trainer

JOURNAL_FILE = "purchases.jsonl"
EMULATOR_FILE = "emulator.db"
EMULATED = "emulated"
ON_A_BRANCH = "git:"


@dataclass(frozen=True, slots=True)
class Context:
    """The world as one command sees it. `settings` know flags and variables; `open_project` adds the project file's."""

    root: Path
    settings: Settings
    environment: Mapping[str, str]
    out: Output
    err: Output
    clock: Clock = field(default_factory=SystemClock)
    arguments: tuple[str, ...] = ()
    """The command line without the program's name."""
    commands: tuple[str, ...] = ()
    """The names of all commands, for those who judge what a variable may be called."""

    @property
    def can_ask(self) -> bool:
        """Whether somebody sits there who can answer: a terminal on both ends and no `CI`."""
        try:
            reads = sys.stdin is not None and sys.stdin.isatty()
        except (OSError, ValueError):
            reads = False
        return reads and self.err.is_terminal and self.settings.prompts.value

    @property
    def owner(self) -> Owner:
        """Who holds the lock when this process does. Values of flags stay out: they may be long, or secret by mistake."""
        from reconciler.ports import Owner

        words = [word.partition("=")[0] for word in self.arguments[:1]]
        return Owner(os.getpid(), os.uname().nodename, self.provenance.actor, " ".join(words), self.clock.now())

    @property
    def provenance(self) -> Provenance:
        """Who runs this, at which commit, in which CI run: for the ledger."""
        return provenance(self.environment)


def project_settings(context: Context, project: Project) -> Settings:
    """The settings with all four layers."""
    return context.settings.with_project(endpoint=project.endpoint, state_path=project.state_path)


def planned_endpoint(context: Context, project: Project, *, emulate: bool) -> str:
    """What a plan notes as its endpoint, and what apply must therefore compare: `emulated`, or the endpoint's address."""
    return EMULATED if emulate else project_settings(context, project).endpoint.value


def environment_name(context: Context, project: Project) -> str:
    """The environment to work on. Raises Usage for one that the project does not declare."""
    from reconciler.model import DEFAULT_ENVIRONMENT

    chosen, declared = context.settings.environment, sorted(project.environments) or [DEFAULT_ENVIRONMENT]
    name = DEFAULT_ENVIRONMENT if chosen.value is None else chosen.value
    if name in declared:
        return name
    if chosen.value is None:
        raise Usage("this project has environments, and none was named", hint=f"add -e={declared[0]}; declared are {', '.join(declared[:10])}")
    near = nearest(name, declared, most=1)
    hint = (
        f"did you mean {near[0]}?"
        if near
        else f"declared are {', '.join(declared[:10])}"
        if project.environments
        else "reconciler.yaml declares no `environments:`"
    )
    raise Usage(f"{chosen.origin}={safe(name, limit=80)}: there is no such environment", hint=hint)


def state_file(context: Context, project: Project) -> Path:
    """Where the state is. Its folder also holds the journal, the lock and the emulator's books.

    Raises StateProblem for a folder that leads out of the project through a link, unless RECONCILER_STATE names it: a link
    comes with a checkout, and with it a stranger's choice of what is read and written; a variable is its owner's own word.
    """
    setting = project_settings(context, project).state_path
    path = context.root / setting.value
    if setting.origin != STATE_VARIABLE and not is_inside(context.root, path.parent):
        raise StateProblem(
            f"the state's folder {safe(path.parent, limit=200)} leads out of the project through a link, which is not followed; nothing was read or sent",
            hint=f"a folder elsewhere has to be named: {STATE_VARIABLE}=FOLDER/{safe(path.name, limit=80)}",
        )
    return path


def is_inside(root: Path, folder: Path) -> bool:
    """Whether `folder`, there or not, is in the project once all links are followed."""
    real, home = os.path.realpath(folder), os.path.realpath(root)
    return real == home or real.startswith(home.rstrip("/") + "/")


def journal_file(context: Context, project: Project) -> Path:
    """Where the journal is: beside the state."""
    return state_file(context, project).with_name(JOURNAL_FILE)


def open_store(context: Context, project: Project) -> SqliteStore:
    """The store over the journal; nothing is read or written yet. Raises Invalid for a branch that cannot be one."""
    from reconciler.cache.folder import Folder
    from reconciler.commands.kept import cache_folder
    from reconciler.commands.proofs import CachedProofs
    from reconciler.store.sqlite import SqliteStore

    return SqliteStore(
        state_file(context, project),
        open_journal(context, project),
        lineage=project.lineage,
        now=context.clock.now,
        proofs=CachedProofs(cache_folder(context) or Folder(Path(os.devnull))),
        journal_path=journal_file(context, project),
    )


def open_journal(context: Context, project: Project) -> FileJournal:
    """The journal: the file beside the state, which is a copy where `state.journal` names a branch. Nothing is read yet."""
    path = journal_file(context, project)
    if not project.journal.startswith(ON_A_BRANCH):
        from reconciler.journal.file import FileJournal

        return FileJournal(path)
    from reconciler.journal.git import GitJournal
    from reconciler.journal.plumbing import Git

    return GitJournal(path, Git(context.root, context.environment), project.journal.removeprefix(ON_A_BRANCH), lineage=project.lineage)


def open_project(context: Context) -> Project:
    """`reconciler.yaml` of the project folder. Raises Invalid with every problem of it."""
    from reconciler.manifest.load import load_project

    project, diagnostics = load_project(context.root)
    if project is None:
        raise Invalid(diagnostics)
    return project


def load_catalog(
    context: Context, project: Project, *, kept: bool = False, only: Only | None = None, meanwhile: Callable[[], None] | None = None
) -> tuple[Catalog, list[Diagnostic]]:
    """What the manifests want in the chosen environment, and the warnings about them. Raises Invalid with every problem, Usage for an unknown environment.

    `kept`: unchanged manifests need not be read again; nobody who spends or writes asks for that. `only`, `meanwhile`: as in `manifest.load.load_catalog`.
    """
    from reconciler.commands.kept import manifest_shelf
    from reconciler.manifest.load import load_catalog as load

    variables = {name: (setting.value, setting.origin) for name, setting in context.settings.variables.items()}
    environment = environment_name(context, project)
    local = local_data(context, kept=kept)
    catalog, diagnostics = load(
        context.root,
        project,
        environment=environment,
        variables=variables,
        folder_digest=local,
        today=context.clock.now()[:10],
        shelf=manifest_shelf(context, environment) if kept else None,
        only=only,
        meanwhile=meanwhile,
    )
    local.keep()
    if catalog is None:
        raise Invalid(diagnostics)
    return catalog, diagnostics


def local_data(context: Context, *, kept: bool = False) -> LocalData:
    """What digests local data, handed to the manifests so that they need not know how. `kept`: files that look as they did need not be read again."""
    from reconciler.commands.kept import cache_folder
    from reconciler.commands.local import LocalData

    return LocalData(context.root, cache_folder(context) if kept else None)


def trainers_here(context: Context) -> Mapping[str, Trainer]:
    """The trainers of the project in this folder, or the built-in ones where there is no project."""
    from reconciler.project import PROJECT_FILE
    from reconciler.trainer import BUILT_IN

    return open_project(context).trainers if (context.root / PROJECT_FILE).exists() else BUILT_IN
