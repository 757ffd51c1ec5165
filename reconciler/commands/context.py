"""Composition: what every command is given, and how it opens the project, its catalog and its store.

Rooms are imported inside the functions: a command pays only for what it opens.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.commands.clock import SystemClock
from reconciler.commands.streams import Output
from reconciler.ports import Clock
from reconciler.settings import Provenance, Settings, provenance

if TYPE_CHECKING:
    from reconciler.ports import Journal, Store
    from reconciler.project import Project

JOURNAL_FILE = "purchases.jsonl"
EMULATOR_FILE = "emulator.db"


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

    @property
    def can_ask(self) -> bool:
        """Whether somebody sits there who can answer: a terminal on both ends and no `CI`."""
        try:
            reads = sys.stdin is not None and sys.stdin.isatty()
        except (OSError, ValueError):
            reads = False
        return reads and self.err.is_terminal and self.settings.prompts.value

    @property
    def provenance(self) -> Provenance:
        """Who runs this, at which commit, in which CI run: for the ledger."""
        return provenance(self.environment)


def project_settings(context: Context, project: Project) -> Settings:
    """The settings with all four layers."""
    return context.settings.with_project(endpoint=project.endpoint, state_path=project.state_path)


def state_file(context: Context, project: Project) -> Path:
    """Where the state is. Its folder also holds the journal, the lock and the emulator's books."""
    return context.root / project_settings(context, project).state_path.value


def open_journal(context: Context, project: Project) -> Journal:
    """The journal; nothing is read or written yet. Raises Invalid for a backend that does not exist."""
    from reconciler.journal.file import FileJournal

    return FileJournal(state_file(context, project).with_name(JOURNAL_FILE))


def open_store(context: Context, project: Project) -> Store:
    """The store over the journal; nothing is read or written yet."""
    from reconciler.store.sqlite import SqliteStore

    return SqliteStore(state_file(context, project), open_journal(context, project), lineage=project.lineage, now=context.clock.now)


def open_project(context: Context) -> Project:
    """`reconciler.yaml` of the project folder. Raises Invalid with every problem of it."""
    from reconciler.manifest.load import load_project

    return load_project(context.root)
