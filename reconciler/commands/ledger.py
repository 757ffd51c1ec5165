"""`cost` and `history`: the ledger in rows and in order. From files alone; no key, no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.commands.answers import Answer, answered
from reconciler.commands.context import Context, load_catalog, open_journal, open_project, open_store
from reconciler.commands.problems import show_notes
from reconciler.commands.style import style
from reconciler.diagnostics import Diagnostic
from reconciler.errors import Invalid, Usage
from reconciler.text import nearest, safe

if TYPE_CHECKING:
    from reconciler.model import Catalog
    from reconciler.project import Project

FORMATS = ("text", "json", "csv", "markdown")


def run_cost(context: Context, *, by: str, form: str) -> int:
    """What was spent, by month, model or `label.KEY`. Raises Usage for any other `by`."""
    from reconciler.reports.cost import cost_csv, cost_document, cost_markdown, cost_report, cost_text
    from reconciler.reports.document import json_text

    project = open_project(context)

    def made() -> Answer:
        state = open_store(context, project).ledger()
        monthly = project.policy.budget.per_month
        catalog = _catalog(context, project) if by.startswith("label.") else None
        try:
            report = cost_report(state, by=by, catalog=catalog, timezone="UTC" if monthly is None else monthly.timezone)
        except ValueError as error:
            raise Usage(f"-by={safe(by, limit=80)}: {error}") from None
        match form:
            case "json":
                text = json_text(cost_document(report))
            case "csv":
                text = cost_csv(report)
            case "markdown":
                text = cost_markdown(report)
            case _:
                show_notes(context, state)
                text = cost_text(report, style(context))
        return Answer(text, 0, lasts=not state.notes and (catalog is not None or not by.startswith("label.")))

    return answered(context, project, made)


def _catalog(context: Context, project: Project) -> Catalog | None:
    """The labels as they are declared now; None where they cannot be read: then those count that were declared at the last apply."""
    try:
        return load_catalog(context, project, kept=True)[0]
    except (Invalid, Usage):
        return None


def run_history(context: Context, *, name: str | None, form: str) -> int:
    """Every purchase, decision and end, oldest first. Raises Invalid for a name that nothing ever happened to."""
    from reconciler.reports.document import json_text
    from reconciler.reports.history import history, history_csv, history_document, history_markdown, history_text

    project = open_project(context)
    state = open_store(context, project).view(whole=True)
    _, facts = open_journal(context, project).read(None)
    entries = history(facts, state)
    if name is not None:
        _check_name(name, sorted({entry.name for entry in entries if entry.name}))
        entries = [entry for entry in entries if entry.name == name]
    match form:
        case "json":
            context.out.write(json_text(history_document(entries)))
        case "csv":
            context.out.write(history_csv(entries))
        case "markdown":
            context.out.write(history_markdown(entries))
        case _:
            show_notes(context, state)
            context.out.write(history_text(entries, style(context)))
    return 0


def _check_name(name: str, known: list[str]) -> None:
    if name not in known:
        near = nearest(name, known, most=2)
        detail = f"did you mean {' or '.join(near)}?" if near else "`reconciler history` shows everything"
        raise Invalid([Diagnostic("error", "no-such-model", f"nothing ever happened to {safe(name, limit=80)!r}", detail)])
