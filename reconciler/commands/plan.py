"""`plan`: what would happen and what it costs. Reads files only: no network, no key, no lock, no write but of what was asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.commands.context import EMULATED, Context, load_catalog, open_project, open_store, planned_endpoint
from reconciler.commands.options import PlanOptions
from reconciler.commands.outfile import write_file
from reconciler.commands.pause import pause_file, standing_pause
from reconciler.commands.permissions import open_to_others
from reconciler.commands.problems import show_notes
from reconciler.commands.remainder import Remainder, plan_in_part
from reconciler.commands.remember import Memory, Outcome, remembered
from reconciler.commands.reports import CHANGES, Reporting, reported
from reconciler.commands.style import style
from reconciler.errors import Refused, StateProblem
from reconciler.plan.action import Action, Reason
from reconciler.text import safe

if TYPE_CHECKING:
    from reconciler.diagnostics import Diagnostic
    from reconciler.model import Catalog
    from reconciler.plan.change import Plan
    from reconciler.project import Project
    from reconciler.state import State

NO_CHANGE = (Action.UNCHANGED, Action.WAIT)


def run(context: Context, options: PlanOptions) -> int:
    """Print the plan, save it where asked for. 0; 4 when it is refused; 2 for changes with `-detailed-exitcode`."""
    return reported(context, options.reports, lambda report: _run(context, options, report))


def _run(context: Context, options: PlanOptions, report: Reporting) -> int:
    outcome = remembered(context, options, lambda memory: _made(context, options, memory))
    plan = outcome.plan
    report.plan = plan
    report.reason = refusal_reason(plan)
    if options.out is not None:
        save(context.root / options.out, plan)
    if options.json:
        from reconciler.reports.plan_json import plan_json

        for piece in plan_json(plan):
            context.out.write(piece)
    else:
        show_notes(context, outcome)
        _warn_of_other_world(context, plan, outcome.world)
        context.out.write(_text(context, plan, outcome.last_refresh))
        if options.out is not None:
            context.out.line(f"\nSaved. `reconciler apply {safe(options.out)}` carries out exactly this." if plan.applyable else "\nSaved.")
    return exit_code(plan, detailed=options.detailed_exitcode)


def _made(context: Context, options: PlanOptions, memory: Memory) -> Outcome:
    project = open_project(context)
    if (remainder := memory.begin(project)) is not None and (outcome := _made_in_part(context, project, options, memory, remainder)) is not None:
        return outcome
    plan, state, catalog = _prepared(context, project, options, kept=True)
    outcome = outcome_of(plan, state)
    memory.keep(project, catalog, outcome)
    return outcome


def _made_in_part(context: Context, project: Project, options: PlanOptions, memory: Memory, remainder: Remainder) -> Outcome | None:
    made = plan_in_part(context, project, options, remainder)
    if made is None:
        return None
    state = replace(made.state, notes=(*made.state.notes, *open_to_others(context, project)))
    plan = with_warnings(made.plan, made.warnings, compact=options.compact_warnings and not options.json)
    outcome = Outcome(plan, state.notes, *memory.told)
    memory.keep(project, made.catalog, outcome, remainder)
    return outcome


def outcome_of(plan: Plan, state: State) -> Outcome:
    """A plan with what is told beside it of the state that it was made from."""
    polls = [job.polled_at for job in state.jobs.values() if job.polled_at is not None]
    return Outcome(plan, state.notes, state.world, max(polls, default=None))


def planned(context: Context, options: PlanOptions) -> tuple[Plan, State]:
    """The plan of this project as it is, and the state it was made from. Raises Invalid, StateProblem, Usage."""
    plan, state, _ = prepared(context, options)
    return plan, state


def prepared(context: Context, options: PlanOptions) -> tuple[Plan, State, Catalog]:
    """As `planned`, with the catalog that it was made from."""
    return _prepared(context, open_project(context), options, kept=False)


def _prepared(context: Context, project: Project, options: PlanOptions, *, kept: bool) -> tuple[Plan, State, Catalog]:
    from reconciler.plan.make import Request, make_plan

    seen: list[State | StateProblem] = []

    def look() -> None:
        try:
            seen.append(open_store(context, project).view())
        except StateProblem as error:
            seen.append(error)

    catalog, warnings = load_catalog(context, project, kept=kept, meanwhile=look)
    if not seen:
        look()
    if isinstance(found := seen[0], StateProblem):
        raise found
    state = paused_as_marked(context, project, found)
    state = replace(state, notes=(*state.notes, *open_to_others(context, project)))
    request = Request(options.targets, options.excludes, options.selectors, options.replaces)
    endpoint = planned_endpoint(context, project, emulate=options.emulate)
    plan = make_plan(catalog, state, prices=project.prices, policy=project.policy, request=request, now=context.clock.now(), endpoint=endpoint)
    return with_warnings(plan, warnings, compact=options.compact_warnings and not options.json), state, catalog


def with_warnings(plan: Plan, warnings: list[Diagnostic], *, compact: bool) -> Plan:
    """`plan` with what was found in the manifests too; `compact`: warnings without details and source lines."""
    from reconciler.diagnostics import in_order

    found = [replace(d, detail="", source_line=None) if compact and d.severity == "warning" else d for d in (*plan.diagnostics, *warnings)]
    return replace(plan, diagnostics=tuple(in_order(found)))


def _warn_of_other_world(context: Context, plan: Plan, world: str | None) -> None:
    """Say beforehand what apply would refuse: money of the emulator and real money never share a state."""
    if world is not None and (world == EMULATED) != (plan.endpoint == EMULATED):
        here, there = ("the emulator", "without -emulate") if world == EMULATED else ("a real endpoint", "with -emulate")
        context.err.line(f"Warning: this state was bought from {here}; apply refuses to go on {there}. Another RECONCILER_STATE keeps them apart.")


def paused_as_marked(context: Context, project: Project, state: State) -> State:
    """`state`, paused also where the pause stands only in its marker, because another process holds the lock."""
    from reconciler.job import Pause

    reason = standing_pause(pause_file(context, project)) if state.pause is None else None
    return state if reason is None else replace(state, pause=Pause(reason.removeprefix("pause: "), "", context.clock.now()))


def text_of(context: Context, plan: Plan, state: State) -> str:
    """The plan for people."""
    return _text(context, plan, outcome_of(plan, state).last_refresh)


def _text(context: Context, plan: Plan, last_refresh: str | None) -> str:
    from reconciler.reports.terminal import plan_text

    sweeps = ""
    if any("@" in change.name for change in plan.changes):
        from reconciler.reports.sweep import sweeps_text

        sweeps = sweeps_text(plan, style(context))
    return sweeps + plan_text(plan, style(context), last_refresh=last_refresh, now=context.clock.now())


def save(path: Path, plan: Plan) -> None:
    """Write the plan as a file that `apply` takes, whole or not at all."""
    from reconciler.reports.plan_json import plan_json

    write_file(path, plan_json(plan))


def exit_code(plan: Plan, *, detailed: bool) -> int:
    """A refused plan is 4 whatever was asked for; changes are 2 only where that was asked for."""
    if not plan.applyable:
        return Refused.exit_code
    return CHANGES if detailed and has_changes(plan) else 0


def refusal_reason(plan: Plan) -> str:
    """The failure reason of a refused plan: `paused`, else `budget`, else `guard`; empty where nothing refuses it."""
    kinds = {refusal.kind for refusal in plan.refusals}
    return next((kind for kind in ("paused", "budget", "guard") if kind in kinds), "")


def has_changes(plan: Plan) -> bool:
    """Whether somebody must look: anything but unchanged, waiting, and models that are suspended on purpose."""
    return any(c.action not in NO_CHANGE and not (c.action is Action.HELD and c.reason is Reason.SUSPENDED) for c in plan.changes)
