"""`state`: look at names and what they point to, move and forget names, check the state, make it anew.

Every change is facts in one transaction. A job is never touched: a name that is forgotten leaves its job in the ledger.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from reconciler.commands.context import Context, environment_name, open_journal, open_project, open_store
from reconciler.commands.problems import show_notes
from reconciler.diagnostics import Diagnostic
from reconciler.errors import Invalid
from reconciler.fact import Draft, binding
from reconciler.job import Binding
from reconciler.reports.document import FORMAT_VERSION, json_text
from reconciler.state import State
from reconciler.text import nearest, plural, safe


class Change(NamedTuple):
    """A name and the job it points to, before and after; None: nothing."""

    environment: str
    name: str
    before: str | None
    after: str | None


def run_list(context: Context, *, json: bool) -> int:
    """Every name that points to a job, one a line; those of one environment where one is named or there is only one."""
    project = open_project(context)
    state = open_store(context, project).ledger()
    chosen = context.settings.environment.value
    wanted = environment_name(context, project) if chosen is not None or not project.environments else None
    rows = [state.bindings[key] for key in sorted(state.bindings) if wanted in (None, key[0])]
    if json:
        found = [{"environment": b.environment, "name": b.name, "job": b.job, "phase": state.jobs[b.job].phase, "since": b.since} for b in rows]
        context.out.write(json_text({"format_version": FORMAT_VERSION, "kind": "state_list", "bindings": found}))
        return 0
    show_notes(context, state)
    for bound in rows:
        context.out.line(safe(bound.name if wanted is not None else f"{bound.environment}/{bound.name}"))
    return 0


def run_show(context: Context, *, name: str, json: bool) -> int:
    """One name: its job, and every attempt that was made for it."""
    from reconciler.commands.style import style
    from reconciler.reports.binding import binding_document, binding_text

    project = open_project(context)
    state = open_store(context, project).view(whole=True)
    bound = _bound(state, environment_name(context, project), name)
    if json:
        context.out.write(json_text(binding_document(state, bound)))
        return 0
    show_notes(context, state)
    context.out.write(binding_text(state, bound, style(context)))
    return 0


def run_mv(context: Context, *, old: str, new: str, dry_run: bool, json: bool, lock_timeout_seconds: float) -> int:
    """Let `new` point to what `old` points to, with its protections; `old` is forgotten."""
    from reconciler.manifest.keys import NAME_PATTERN

    if not re.fullmatch(rf"{NAME_PATTERN}(?:@.{{1,1024}})?", new):
        raise Invalid([Diagnostic("error", "name", f"{safe(new, limit=80)!r} cannot be a model's name")])

    def change(state: State, environment: str) -> list[Draft]:
        bound = _bound(state, environment, old)
        if (taken := state.bindings.get((environment, new))) is not None:
            detail = f"`reconciler state rm {new}` forgets that first; its job stays"
            raise Invalid([Diagnostic("error", "name-taken", f"{safe(new, limit=80)!r} points to job {taken.job} already", detail)])
        now = context.clock.now()
        return [
            binding(now, environment=environment, name=new, job=bound.job, metadata=bound.metadata, reason="state mv"),
            binding(now, environment=environment, name=old, job=None, metadata={}, reason="state mv"),
        ]

    return _carry_out(context, change, dry_run=dry_run, json=json, lock_timeout_seconds=lock_timeout_seconds)


def run_rm(context: Context, *, names: Sequence[str], dry_run: bool, json: bool, lock_timeout_seconds: float) -> int:
    """Forget names; their jobs stay in the ledger."""

    def change(state: State, environment: str) -> list[Draft]:
        now = context.clock.now()
        bound = [_bound(state, environment, name) for name in dict.fromkeys(names)]
        return [binding(now, environment=environment, name=b.name, job=None, metadata={}, reason="state rm") for b in bound]

    return _carry_out(context, change, dry_run=dry_run, json=json, lock_timeout_seconds=lock_timeout_seconds)


def _carry_out(context: Context, change: Callable[[State, str], list[Draft]], *, dry_run: bool, json: bool, lock_timeout_seconds: float) -> int:
    project = open_project(context)
    environment = environment_name(context, project)
    store = open_store(context, project)
    if dry_run:
        state = store.view()
        drafts = change(state, environment)
    else:
        with store.hold(context.owner, wait_seconds=lock_timeout_seconds) as writer:
            state = writer.state()
            drafts = change(state, environment)
            writer.record(drafts)
    changes = [_change(state, draft) for draft in drafts]
    if json:
        rows = [{"environment": c.environment, "name": c.name, "job_before": c.before, "job_after": c.after} for c in changes]
        context.out.write(json_text({"format_version": FORMAT_VERSION, "kind": "state_change", "dry_run": dry_run, "changes": rows}))
        return 0
    _tell(context, state, changes, dry_run=dry_run)
    return 0


def _change(state: State, draft: Draft) -> Change:
    key = (str(draft.data["environment"]), str(draft.data["name"]))
    before = state.bindings.get(key)
    return Change(*key, None if before is None else before.job, draft.data["job"])


def _tell(context: Context, state: State, changes: Sequence[Change], *, dry_run: bool) -> None:
    kept = {c.after for c in changes}
    for change in changes:
        name = safe(change.name)
        if change.after is not None:
            context.out.line(f"{name} {'would point' if dry_run else 'points'} to job {safe(change.after)}.")
        elif change.before in kept:
            context.out.line(f"{name} {'would be' if dry_run else 'is'} forgotten.")
        else:
            context.out.line(
                f"{name} {'would be' if dry_run else 'is'} forgotten; job {safe(change.before)} stays in the ledger (`reconciler jobs show {safe(change.before)}`)."
            )
            if state.bindings[change.environment, change.name].prevent_retrain:
                context.err.line(f"Warning: {name} was protected from being trained again; its protection is forgotten with it")


def _bound(state: State, environment: str, name: str) -> Binding:
    if (bound := state.bindings.get((environment, name))) is not None:
        return bound
    elsewhere = sorted(env for env, each in state.bindings if each == name)
    near = nearest(name, sorted(each for env, each in state.bindings if env == environment), most=2)
    detail = f"it is bound in environment {elsewhere[0]}: -e={elsewhere[0]}" if elsewhere else f"did you mean {' or '.join(near)}?" if near else ""
    raise Invalid([Diagnostic("error", "no-such-name", f"no name {safe(name, limit=80)!r} points to a job", detail or "`reconciler state list` shows all")])


def run_verify(context: Context, *, json: bool) -> int:
    """Compare journal, chain, rows and checksums, whole. Raises StateProblem for the first difference."""
    from reconciler.commands.style import style
    from reconciler.reports.layout import join_lines, paragraph
    from reconciler.reports.merged import duplicate_sentences, duplicates_document

    project = open_project(context)
    state = open_store(context, project).verify()
    journal = open_journal(context, project)
    head, _ = journal.read(None)
    if json:
        counts = {"attempts": len(state.attempts), "jobs": len(state.jobs), "bindings": len(state.bindings), "in_doubt": len(state.doubts)}
        document: dict[str, Any] = {"format_version": FORMAT_VERSION, "kind": "state_verify", "ok": True, "lineage": state.lineage, "serial": state.serial}
        document |= {**counts, "histories": len(head.hashes), "unfinished_line": journal.has_unfinished(), "duplicates": duplicates_document(state.duplicates)}
        context.out.write(json_text(document | {"notes": list(state.notes)}))
        return 0
    show_notes(context, state)
    if journal.has_unfinished():
        context.err.line("Note: the journal ends in a line that was never finished; the next command that writes removes it")
    look = style(context)
    rows = [look.paint(line, tone) for text, tone in duplicate_sentences(state, look) for line in paragraph(text, look)]
    what = f"{plural(state.serial, 'fact')}, {plural(len(state.attempts), 'attempt')}, {plural(len(state.jobs), 'job')}, {plural(len(state.bindings), 'name')}"
    context.out.write(join_lines([*rows, f"Journal and state agree: {what}."]))
    return 0


def run_rebuild(context: Context, *, dry_run: bool, json: bool, lock_timeout_seconds: float) -> int:
    """Fold the journal into a new state file; the old one is kept beside it as `.old`."""
    project = open_project(context)
    store = open_store(context, project)
    state = store.folded() if dry_run else store.rebuild(context.owner, wait_seconds=lock_timeout_seconds)
    if json:
        document = {"format_version": FORMAT_VERSION, "kind": "state_rebuild", "dry_run": dry_run, "lineage": state.lineage, "serial": state.serial}
        counts = {"attempts": len(state.attempts), "jobs": len(state.jobs), "bindings": len(state.bindings), "in_doubt": len(state.doubts)}
        context.out.write(json_text({**document, **counts, "file": str(store.path), "notes": list(state.notes)}))
        return 0
    what = f"{plural(len(state.jobs), 'job')}, {plural(len(state.bindings), 'name')}, {plural(len(state.doubts), 'doubt')}"
    verb = "Would fold" if dry_run else "Folded"
    context.out.line(f"{verb} {plural(state.serial, 'fact')} into a new state: {what}.")
    return 0
