"""Watch: everything on disk that an answer of this project can depend on, and whether it is as it was.

That is this program, the project file, the manifests and which files are manifests, the defaults of their folders, the
journal and the state. What must not be there (a pause, what a writer that died left of the state) makes it unwatchable.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.cache.witness import Look, Seen, Witness
from reconciler.canonical import canonical_json
from reconciler.commands.context import JOURNAL_FILE
from reconciler.commands.kept import PACKAGE, program_files
from reconciler.project import PROJECT_FILE

if TYPE_CHECKING:
    from reconciler.commands.context import Context
    from reconciler.project import Project


class Inputs(NamedTuple):
    """Every file that an answer is made from: the program's by their path in it, the project's by their path from its folder."""

    program: dict[str, Seen]
    files: dict[str, Seen]

    @property
    def is_sure(self) -> bool:
        """Whether a look will be enough to know them again."""
        return all(seen.is_sure for seen in (*self.program.values(), *self.files.values()))


class Listed(NamedTuple):
    """What to look at."""

    manifests: list[str]
    paths: list[str]
    absent: list[str]
    problems: list[str]


class Watch:
    """Looks at one project for one command."""

    def __init__(self, context: Context) -> None:
        self._context = context
        began = time.time_ns()
        self._files = Witness(context.root, began)
        self._program = Witness(PACKAGE, began)
        project = self._files.see([PROJECT_FILE])
        self.project_digest = None if project is None else project[PROJECT_FILE].digest
        """SHA-256 of the project file; None where it cannot be read."""

    @property
    def hashed_bytes(self) -> int:
        """How much content had to be read to know that nothing has changed."""
        return self._files.hashed + self._program.hashed

    def list(self, patterns: tuple[str, ...], state_path: str) -> Listed | None:
        """What to look at; None where links lead to manifests or the state, because more than files decides then."""
        from reconciler.manifest.files import DEFAULTS_FILE, find_manifests
        from reconciler.manifest.source import Problems

        root, problems = self._context.root, Problems()
        manifests = find_manifests(root, patterns, problems)
        folders: set[str] = {""}
        for path in manifests:
            folder = path.rpartition("/")[0]
            while folder not in folders:
                folders.add(folder)
                folder = folder.rpartition("/")[0]
        if any((root / folder).is_symlink() for folder in folders if folder):
            return None
        defaults = [f"{folder}/{DEFAULTS_FILE}" if folder else DEFAULTS_FILE for folder in sorted(folders)]
        state = Path(self._context.settings.with_project(endpoint=None, state_path=state_path).state_path.value)
        if any((root / folder).is_symlink() for folder in state.parents):
            return None
        books = [str(state), str(state.with_name(JOURNAL_FILE))]
        absent = [str(state.with_name(f"{state.name}-journal")), str(state.with_name("paused"))]
        found = [canonical_json([d.severity, d.code, d.summary, d.detail, d.place]) for d in problems.found]
        return Listed(manifests, [PROJECT_FILE, *manifests, *defaults, *books], absent, found)

    def look(self, listed: Listed, known: Inputs | None = None, *, glance: bool = False) -> Inputs | None:
        """All of it as it is; None where it cannot be said. Content that `known` vouches for is not read again; `glance`: see `Witness.see`."""
        absent = self._files.see(listed.absent)
        if absent is None or any(seen.look for seen in absent.values()):
            return None
        program = self._program.see(program_files(), known=None if known is None else known.program, glance=glance)
        files = self._files.see(listed.paths, known=None if known is None else known.files, glance=glance)
        return Inputs(program, files) if program and files else None


def validity(now: str, project: Project) -> tuple[str, str]:
    """From when to when (UTC, exclusive) prices, days and months are those of `now`."""
    from reconciler.plan.moment import month_of

    monthly = project.policy.budget.per_month
    month = month_of(now, "UTC" if monthly is None else monthly.timezone)
    return max(f"{now[:10]}T00:00:00Z", month.begin), min(f"{now[:10]}T24", month.end)


def inputs_of(program: Mapping[str, Iterable[Any]], files: Mapping[str, Iterable[Any]]) -> Inputs:
    """Inputs from plain JSON data. Raises ValueError or TypeError for anything else."""
    return Inputs(_seen(program), _seen(files))


def _seen(rows: Mapping[str, Iterable[Any]]) -> dict[str, Seen]:
    return {path: Seen(None if look is None else Look(*look), digest, at) for path, (look, digest, at) in rows.items()}
