"""`state merge OTHER`: take over what another copy of this project wrote. Reads OTHER, changes only this project.

Nothing is written before the union was folded in memory. Then the lines that are missing are appended as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.commands.context import JOURNAL_FILE, Context, journal_file, open_journal, open_project, open_store
from reconciler.errors import Invalid, Locked, StateProblem, Usage
from reconciler.fact import Draft, outcome
from reconciler.job import Sent
from reconciler.journal.chain import Line, heads
from reconciler.journal.file import FileJournal
from reconciler.journal.merge import Merged, merge
from reconciler.project import PROJECT_FILE, Project
from reconciler.reports.document import json_text
from reconciler.reports.merged import Report, merge_document, merge_text
from reconciler.state import State, fold_all
from reconciler.text import safe


@dataclass(slots=True)
class _Other:
    """The other copy: its journal's lines, and what it could not bring to its journal yet."""

    path: Path
    lines: Sequence[Line]
    unfinished: tuple[str, str] | None
    waiting: list[Draft] = field(default_factory=list)

    @property
    def loose(self) -> list[Draft]:
        """What the other copy knows beside its journal, as facts for ours; each may be written twice without harm."""
        if self.unfinished is None:
            return self.waiting
        attempt, request_id = self.unfinished
        at = self.lines[-1].fact.at
        return [*self.waiting, outcome(at, attempt, Sent.IN_DOUBT, evidence="its answer was being written when the other copy stopped", salvaged=request_id)]


def run(context: Context, *, other: str, dry_run: bool, json: bool, lock_timeout_seconds: float) -> int:
    """Merge, and say what it brought: facts, jobs, names that point elsewhere, doubts, and everything that was bought twice."""
    from reconciler.commands.style import style

    project = open_project(context)
    journal, store = open_journal(context, project), open_store(context, project)
    if journal.shared is not None:
        raise StateProblem(f"this project's journal is `{safe(project.journal, limit=80)}`, where all its copies append already; nothing was merged")
    theirs = _read(context, other)
    before = store.view()
    merged, after = _union(journal, theirs)
    _refuse_other_world(before, fold_all(line.fact for line in theirs.lines).snapshot())
    if not dry_run and (merged.missing or theirs.loose):

        def absorb() -> None:
            nonlocal merged
            merged, _ = _union(journal, theirs)
            journal.absorb(merged.missing)
            journal.close()

        with store.hold_after(absorb, context.owner, wait_seconds=lock_timeout_seconds) as writer:
            writer.record([draft for draft in theirs.loose if draft.data.get("attempt") in (None, *writer.state().attempts)])
            after = writer.state()
    report = Report(
        str(other), is_dry=dry_run, facts=len(merged.missing), loose=len(theirs.loose), histories=len(heads(merged.union)), before=before, after=after
    )
    context.out.write(json_text(merge_document(report)) if json else merge_text(report, style(context)))
    return 0


def _union(journal: FileJournal, theirs: _Other) -> tuple[Merged, State]:
    """The union as it is now, folded: what does not fold is not written."""
    merged = merge(journal.lines(), theirs.lines)
    return merged, fold_all(line.fact for line in merged.union).snapshot()


def _refuse_other_world(ours: State, theirs: State) -> None:
    if None not in (ours.world, theirs.world) and ours.world != theirs.world:
        raise StateProblem(f"the other copy was bought from another world ({theirs.world}, this one {ours.world}); nothing was merged")


def _read(context: Context, other: str) -> _Other:
    path = context.root / other
    if not path.is_dir():
        if not path.exists():
            raise Usage(f"{safe(other, limit=200)} is not there", hint="state merge takes a journal file or a project folder")
        return _lines(path)
    project = _project_of(context, path)
    if project is None:
        return _lines(path / JOURNAL_FILE)
    there = _there(context, path)
    from reconciler.store.lock import describe, holder, is_held

    store = open_store(there, project)
    if is_held(store.lock_path):
        raise Locked(f"{safe(other, limit=200)} is locked by {describe(holder(store.lock_path))}; nothing was merged", hint="merge when it has finished")
    found = _lines(journal_file(there, project))
    found.waiting = store.waiting()
    return found


def _there(context: Context, folder: Path) -> Context:
    """The other folder as itself: settings that name another state are this project's, not its."""
    from reconciler.settings import Flags, resolve

    environment = {name: value for name, value in context.environment.items() if not name.startswith("RECONCILER_")}
    return Context(folder, resolve(Flags(), environment), environment, context.out, context.err, context.clock)


def _project_of(context: Context, folder: Path) -> Project | None:
    if not (folder / PROJECT_FILE).exists():
        return None
    try:
        return open_project(_there(context, folder))
    except Invalid as problem:
        raise StateProblem(
            f"{PROJECT_FILE} of the other folder has errors, so its state cannot be found; nothing was merged", hint="name its journal file instead"
        ) from problem


def _lines(path: Path) -> _Other:
    journal = FileJournal(path)
    lines = journal.lines()
    return _Other(path, lines, journal.unfinished())
