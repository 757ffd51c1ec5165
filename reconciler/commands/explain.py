"""`plan -explain NAME`: why, since which line and commit, and how to avoid the cost. Reads files, the state and git's history; asks nobody."""

from __future__ import annotations

from reconciler.commands.blame import commits_of
from reconciler.commands.context import Context
from reconciler.commands.options import PlanOptions
from reconciler.commands.plan import prepared
from reconciler.commands.style import style
from reconciler.plan.avoid import ways_to_pay_nothing
from reconciler.plan.explain import explain
from reconciler.plan.known import know
from reconciler.reports.document import json_text
from reconciler.reports.explanation import Explanation, explanation_document, explanation_text, since


def run(context: Context, options: PlanOptions, *, name: str) -> int:
    """Explain what the plan says about one name. Raises Invalid for a name that nobody knows, with the nearest ones."""
    plan, state, catalog = prepared(context, options)
    steps = explain(name, plan, catalog, state)
    change = next((c for c in plan.changes if c.name == name), None)
    ways = ways_to_pay_nothing(change, know(state, plan.environment)) if change is not None else ()
    lines = [(place.file, place.line) for _, _, _, place in since(change)]
    told = Explanation(name, change, steps, ways, commits_of(context.root, lines, context.environment))
    context.out.write(json_text(explanation_document(told)) if options.json else explanation_text(told, style(context)))
    return 0
