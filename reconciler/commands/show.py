"""`show`: what the state holds; a saved plan; the combinations of one sweep."""

from __future__ import annotations

from pathlib import Path

from reconciler.commands.context import Context, load_catalog, open_project, open_store
from reconciler.commands.infile import read_named
from reconciler.commands.problems import show_notes
from reconciler.commands.style import style
from reconciler.diagnostics import Diagnostic
from reconciler.errors import Invalid, Usage
from reconciler.reports.document import json_text
from reconciler.text import nearest, safe

LARGEST_PLAN_BYTES = 512 * 1024 * 1024


def run_state(context: Context, *, json: bool) -> int:
    """What the state holds."""
    from reconciler.reports.state import state_document, state_text

    state = open_store(context, open_project(context)).view()
    if json:
        context.out.write(json_text(state_document(state)))
        return 0
    show_notes(context, state)
    context.out.write(state_text(state, style(context)))
    return 0


def run_plan(context: Context, *, plan_file: str, json: bool) -> int:
    """A saved plan, as it was printed when it was made. Needs neither project nor state."""
    from reconciler.plan.saved import read_plan
    from reconciler.reports.terminal import plan_text

    text = read_file(context.root / plan_file)
    plan = read_plan(text).plan
    if json:
        from json import loads

        context.out.write(json_text(loads(text)))
    else:
        context.out.write(plan_text(plan, style(context), now=plan.created_at))
    return 0


def read_file(path: Path) -> str:
    """The text of a saved plan. Raises Usage when it cannot be read, or cannot be a plan."""
    content = read_named(path, most_bytes=LARGEST_PLAN_BYTES)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise Usage(f"{safe(path, limit=300)} is not UTF-8 and is no plan of ours") from None


def run_matrix(context: Context, *, name: str, json: bool) -> int:
    """The combinations of one sweep: parameters, phases, artifacts."""
    from reconciler.reports.sweep import sweep_document, sweep_of, sweep_text

    project = open_project(context)
    catalog, _ = load_catalog(context, project, kept=True)
    state = open_store(context, project).view()
    sweep = sweep_of(name, catalog.models, state, catalog.environment)
    if sweep is None:
        known = sorted({each.partition("@")[0] for each in catalog.models if "@" in each})
        near = nearest(name, known, most=2) or known[:5]
        what = "has no matrix" if name in catalog.models else "is not declared in this environment"
        raise Invalid([Diagnostic("error", "no-such-matrix", f"{safe(name, limit=80)!r} {what}", f"sweeps: {', '.join(near)}" if near else "")])
    if json:
        context.out.write(json_text(sweep_document(sweep, catalog.environment)))
        return 0
    show_notes(context, state)
    context.out.write(sweep_text(sweep, style(context)))
    return 0
