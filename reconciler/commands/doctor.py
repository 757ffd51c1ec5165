"""`doctor`: what is wrong with this machine or this project. Sends nothing, changes nothing, shows no key.

Each check is a small function that returns findings; a check that cannot run is a finding too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from reconciler.commands.context import Context, journal_file, open_project, open_store, project_settings, state_file
from reconciler.commands.permissions import open_to_others
from reconciler.diagnostics import has_errors, in_order
from reconciler.errors import Invalid, ReconcilerError
from reconciler.project import Project
from reconciler.text import plural, safe

Level = Literal["ok", "warn", "bad"]
OLDEST_SQLITE = (3, 37, 0)
"""STRICT tables."""
ADVISED_PYTHON = (3, 11, 8)
"""Earlier ones read zip archives whose entries overlap (CVE-2024-0450)."""


class Finding(NamedTuple):
    """What one check found."""

    check: str
    level: Level
    message: str


def run(context: Context, *, json: bool) -> int:
    """Print all findings. 1 when one of them is bad."""
    findings = list(_all(context))
    if json:
        from reconciler.reports.document import FORMAT_VERSION, json_text

        context.out.write(json_text({"format_version": FORMAT_VERSION, "ok": _is_well(findings), "checks": [f._asdict() for f in findings]}))
    else:
        from reconciler.commands.style import style
        from reconciler.reports.layout import Column, join_lines, table

        look = style(context)
        rows = [(f.level, f.check, look.foreign(f.message)) for f in findings]
        context.out.write(join_lines(table((Column(), Column(), Column(wraps=True)), rows, look)))
    return 0 if _is_well(findings) else 1


def _is_well(findings: list[Finding]) -> bool:
    return all(f.level != "bad" for f in findings)


def _all(context: Context) -> Iterator[Finding]:
    yield from _program()
    yield from _environment(context)
    yield from _key(context)
    try:
        project = open_project(context)
    except ReconcilerError as error:
        yield Finding("project", "bad", _words(error))
        return
    for check in (_manifests, _endpoint, _folder, _memory):
        yield from _guarded(check, context, project)


def _guarded(check: Callable[[Context, Project], Iterator[Finding]], context: Context, project: Project) -> Iterator[Finding]:
    name = check.__name__.lstrip("_")
    try:
        yield from check(context, project)
    except ReconcilerError as error:
        yield Finding(name, "bad", _words(error))
    except OSError as error:
        yield Finding(name, "bad", f"{error.strerror}: {safe(error.filename, limit=200)}")


def _words(error: ReconcilerError) -> str:
    if isinstance(error, Invalid) and error.diagnostics:
        first = error.diagnostics[0]
        return f"{plural(len(error.diagnostics), 'problem')}, the first: {first.place or ''} {first.summary}; `reconciler validate` shows all"
    return error.message + (f"; {error.hint}" if error.hint else "")


def _program() -> Iterator[Finding]:
    import sqlite3

    from reconciler import __version__

    python = sys.version_info[:3]
    shown = ".".join(map(str, python))
    yield Finding("program", "ok", f"reconciler {__version__} in {Path(__file__).parent.parent}")
    if python < ADVISED_PYTHON:
        yield Finding("python", "warn", f"{shown}; {'.'.join(map(str, ADVISED_PYTHON))} or newer is advised (CVE-2024-0450 in zip reading)")
    else:
        yield Finding("python", "ok", shown)
    yield Finding("sqlite", "bad" if sqlite3.sqlite_version_info < OLDEST_SQLITE else "ok", sqlite3.sqlite_version)


def _environment(context: Context) -> Iterator[Finding]:
    from reconciler.settings import unknown_variables

    yield Finding("output", "ok", f"{'UTF-8' if context.out.is_utf8 else 'ASCII only'}, {context.out.width} columns, colour {context.settings.colour.value}")
    for sentence in unknown_variables(context.environment, context.commands):
        yield Finding("environment", "warn", sentence)


def _key(context: Context) -> Iterator[Finding]:
    """Which source is set, and whether it can be used. A command is not run: that is for whoever sends."""
    from reconciler.pixazo.key import KEY_COMMAND_VARIABLE, SOURCES, read_key

    present = [name for name in SOURCES if context.environment.get(name)]
    if not present:
        yield Finding("key", "warn", f"none; plan needs none, apply and refresh need one of {', '.join(SOURCES)}, or -emulate")
        return
    first = present[0]
    others = f"; {', '.join(present[1:])} is set too and not read" if present[1:] else ""
    if first == KEY_COMMAND_VARIABLE:
        yield Finding("key", "ok", f"from the command in {first}, which was not run{others}")
        return
    try:
        read_key({first: context.environment[first]})
    except ReconcilerError as error:
        yield Finding("key", "bad", error.message)
    else:
        yield Finding("key", "ok", f"from {first}{others}")


def _manifests(context: Context, _project: Project) -> Iterator[Finding]:
    from reconciler.commands.validate import load_everywhere

    loaded = load_everywhere(context)
    found = in_order([d for each in loaded for d in each.diagnostics])
    if has_errors(found):
        raise Invalid([d for d in found if d.severity == "error"])
    names = {name for each in loaded if each.catalog is not None for name in each.catalog.models}
    yield Finding("manifests", "ok", plural(len(names), "model") + (f", {plural(len(found), 'warning')}" if found else ""))


def _endpoint(context: Context, project: Project) -> Iterator[Finding]:
    endpoint = project_settings(context, project).endpoint
    yield Finding("endpoint", "ok", f"{endpoint.value} ({endpoint.origin}); it was not asked")


def _folder(context: Context, project: Project) -> Iterator[Finding]:
    from reconciler.store.lock import describe, file_system, holder, is_held, refuse_network

    state = state_file(context, project)
    folder = state.parent
    if not folder.is_dir():
        yield Finding("state folder", "bad", f"{safe(folder, limit=200)} is missing; `reconciler init` makes it for a new project, else restore it")
        return
    refuse_network(folder)
    kind = file_system(folder)
    writable = os.access(folder, os.W_OK | os.X_OK)
    yield Finding(
        "state folder", "ok" if writable else "bad", f"{safe(folder, limit=200)}{f' on {kind}' if kind else ''}{'' if writable else ' is not writable'}"
    )
    for sentence in open_to_others(context, project):
        yield Finding("permissions", "warn", sentence)
    lock = state.with_name("lock")
    yield Finding("lock", "ok", f"held by {describe(holder(lock))}" if is_held(lock) else "free")


def _memory(context: Context, project: Project) -> Iterator[Finding]:
    state = open_store(context, project).verify()
    where = safe(journal_file(context, project), limit=200)
    counts = f"{plural(len(state.jobs), 'job')}, {plural(len(state.attempts), 'attempt')}, {plural(len(state.bindings), 'name')}"
    yield Finding("journal", "ok", f"{where}: lineage {state.lineage}, serial {state.serial}, {counts}; the state agrees with it")
    if project.lineage is None:
        yield Finding("lineage", "warn", f"reconciler.yaml does not pin it; add `state: {{lineage: {state.lineage}}}`, so that a foreign journal is refused")
    for doubt in state.doubts:
        yield Finding("in doubt", "bad", f"{doubt.name} ({doubt.id}, sent {doubt.sent_at}); `reconciler resolve {doubt.name}`")
    if state.pause is not None:
        yield Finding("pause", "warn", f"purchases are stopped since {state.pause.since} by {state.pause.actor}: {state.pause.reason}")
