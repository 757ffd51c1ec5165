"""plan, apply, refresh: their flags."""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli.command import declare
from reconciler.cli.flag import OUTPUT, RUNNING, SPENDING, Amount, Whole, list_flag, switch, value_flag
from reconciler.cli.shared import (
    api,
    compact_flag,
    detailed_flag,
    events_flag,
    json_flag,
    lock_timeout_flag,
    poll_parallelism_flag,
    report_flag,
    selection,
    together,
    variables,
    wait_flag,
)


@declare("plan", epilog="Reads files only: no network, no lock, no key, and no write but of -out and -report.")
@together(
    value_flag("out", "FILE", "Save the plan; `reconciler apply FILE` carries out exactly that.", group=OUTPUT),
    value_flag("explain", "NAME", "Why for this model, since which line and commit, and how to pay nothing.", group=OUTPUT),
    json_flag,
    report_flag,
    detailed_flag,
    compact_flag,
    selection,
    variables,
    api,
)
def plan(context: Any, *, target: Any, exclude: Any, selector: Any, replace: Any, report: Any, explain: Any, **values: Any) -> int:
    """Show what would happen and what it costs."""
    from reconciler.commands import plan as command
    from reconciler.commands.options import PlanOptions

    options = PlanOptions(targets=target, excludes=exclude, selectors=selector, replaces=replace, reports=report, **values)
    if explain is not None:
        from reconciler.commands import explain as explaining
        from reconciler.errors import Usage

        if options.out is not None or options.reports or options.detailed_exitcode:
            raise Usage("-explain explains; -out, -report and -detailed-exitcode belong to a plan without it")
        return explaining.run(context, options, name=explain)
    return command.run(context, options)


@declare("apply", epilog="With FILE nothing is asked: the saved plan is the approval. Without a terminal, -auto-approve and a ceiling are needed.")
@click.argument("plan_file", required=False, metavar="[FILE]")
@together(
    switch("auto-approve", "Do not ask; needs -max-cost or budget.per_apply.", group=SPENDING),
    value_flag("max-cost", "USD", "Refuse a plan that costs more.", group=SPENDING, convert=Amount()),
    value_flag("plan-digest", "D", "Go on only if the plan has this digest.", group=SPENDING),
    value_flag("expect-spend", "D", "Go on only if the plan has this spend digest.", group=SPENDING),
    list_flag("allow-retrain", "NAME", "Let a protected model be trained again, once. Repeatable.", group=SPENDING),
    value_flag("allow-forget", "N", "Let so many names be forgotten.", group=SPENDING, convert=Whole(0, 1_000_000)),
    wait_flag,
    value_flag("parallelism", "N", "Purchases at the same time; default 4.", group=RUNNING, convert=Whole(1, 64)),
    poll_parallelism_flag,
    value_flag("canary", "N", "Buy so many first, and go on when they have trained well.", group=RUNNING, convert=Whole(1, 1_000_000)),
    lock_timeout_flag,
    switch("input", "-input=false: never ask.", group=RUNNING, default=True, metavar="BOOL"),
    events_flag,
    value_flag("json-into", "FILE", "Also write the events as JSON into a file.", group=OUTPUT),
    report_flag,
    compact_flag,
    selection,
    variables,
    api,
)
def apply(context: Any, *, target: Any, exclude: Any, selector: Any, replace: Any, report: Any, wait: Any, **values: Any) -> int:
    """Buy and bind what the plan says, poll once and return."""
    from reconciler.commands import apply as command
    from reconciler.commands.options import ApplyOptions

    values["max_cost"] = context.settings.max_cost.value
    values["parallelism"] = values["parallelism"] or 4
    values["lock_timeout_seconds"] = values.pop("lock_timeout") or 0.0
    options = ApplyOptions(targets=target, excludes=exclude, selectors=selector, replaces=replace, reports=report, wait_seconds=wait, **values)
    return command.run(context, options)


@declare("refresh", epilog="Never buys anything.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@together(wait_flag, poll_parallelism_flag, lock_timeout_flag, events_flag, report_flag, detailed_flag, variables, api)
def refresh(context: Any, *, report: Any, wait: Any, lock_timeout: Any, **values: Any) -> int:
    """Ask the API how far pending jobs are."""
    from reconciler.commands import refresh as command
    from reconciler.commands.options import RefreshOptions

    options = RefreshOptions(reports=report, wait_seconds=wait, lock_timeout_seconds=lock_timeout or 0.0, **values)
    return command.run(context, options)
