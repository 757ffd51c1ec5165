"""`apply`: buy exactly what the plan says, write it down, poll once or until all is settled.

The order is that of the purchase protocol: lock, recover, plan again, compare with what was approved, limits, approval,
key; then disk, wire, disk, screen for every purchase. What happens is decided by the plan and done by `engine/`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from reconciler import __version__
from reconciler.commands.context import Context, environment_name, load_catalog, open_project, open_store, planned_endpoint
from reconciler.commands.options import ApplyOptions
from reconciler.commands.pause import pause_file, standing_pause
from reconciler.commands.plan import refusal_reason, text_of
from reconciler.commands.problems import show_notes
from reconciler.commands.reports import Reporting, reported
from reconciler.commands.spending import Connected, ask, connect, stoppable, world_of
from reconciler.commands.telling import Teller, telling
from reconciler.diagnostics import in_order
from reconciler.engine.apply import Apply, Totals, free_changes
from reconciler.engine.doubt import salvage
from reconciler.engine.origin import refuse_other_world
from reconciler.engine.pace import pace_of
from reconciler.engine.refresh import Poller, to_poll
from reconciler.engine.stop import Stop
from reconciler.errors import ApiProblem, BudgetRefused, Declined, Interrupted, JobFailed, Paused, PlanChanged, ReconcilerError, Refused, Usage, WaitOver
from reconciler.errors import InDoubt as Doubtful
from reconciler.event import Event
from reconciler.job import Job, Phase
from reconciler.model import Catalog
from reconciler.money import ZERO, Money
from reconciler.plan.action import Action
from reconciler.plan.change import Change, Plan
from reconciler.plan.digests import FORMAT_VERSION
from reconciler.plan.make import Request, make_plan
from reconciler.plan.premises import approved_plan, require_digest
from reconciler.plan.saved import SavedPlan, read_plan
from reconciler.ports import Writer
from reconciler.project import Project
from reconciler.state import State
from reconciler.text import format_money, money_text, safe

WIDEST_NAME = 40
MOST_PLAN_BYTES = 512_000_000


def run(context: Context, options: ApplyOptions) -> int:
    """Carry out a plan; the exit code is the most urgent thing that is left (contract §4)."""
    return reported(context, options.reports, lambda report: _run(context, options, report))


def _run(context: Context, options: ApplyOptions, report: Reporting) -> int:
    project = open_project(context)
    environment_name(context, project)
    _check_approval(context, project, options)
    saved = _read(context, options.plan_file) if options.plan_file is not None else None
    with open_store(context, project).hold(context.owner, wait_seconds=options.lock_timeout_seconds) as writer, stoppable() as stop:
        return _Run(context, options, project, writer, stop, report, saved).run()


def _check_approval(context: Context, project: Project, options: ApplyOptions) -> None:
    """Whoever is not asked must have said how much may be spent."""
    ceiling = context.settings.max_cost.value if options.max_cost is None else options.max_cost
    if options.plan_file is not None:
        selective = options.targets or options.excludes or options.selectors or options.replaces
        if selective:
            raise Usage("a saved plan is carried out as it is: -target, -exclude, -selector and -replace belong to `plan`")
        return
    if options.auto_approve:
        if ceiling is None and project.policy.budget.per_apply is None and not options.emulate:
            raise Usage("-auto-approve needs a ceiling", hint="add -max-cost=USD, or budget.per_apply to reconciler.yaml")
    elif not (context.can_ask and options.input):
        raise Usage("nobody is there to approve", hint="use -auto-approve with -max-cost=USD, or apply a saved plan: `reconciler plan -out=plan.json`")


def _read(context: Context, name: str) -> SavedPlan:
    path = context.root / name
    try:
        if path.stat().st_size > MOST_PLAN_BYTES:
            raise Usage(f"{safe(name, limit=80)} has more than {MOST_PLAN_BYTES} bytes")
        return read_plan(path.read_bytes().decode("utf-8"))
    except UnicodeDecodeError:
        raise PlanChanged(f"{safe(name, limit=80)} is not a saved plan: it is not UTF-8; nothing was bought") from None
    except OSError as error:
        raise Usage(f"{safe(name, limit=80)}: {error.strerror}", hint="`reconciler plan -out=plan.json` saves a plan") from error


@dataclass(slots=True)
class _Run:
    """One apply under the lock."""

    context: Context
    options: ApplyOptions
    project: Project
    writer: Writer
    stop: Stop
    report: Reporting
    saved: SavedPlan | None = None
    totals: Totals = field(default_factory=Totals)
    poller: Poller | None = None
    problem: ReconcilerError | None = None

    def run(self) -> int:
        catalog, warnings = load_catalog(self.context, self.project)
        with contextlib.ExitStack() as stack:
            connected: Connected | None = None
            if any(a.salvaged for a in self.writer.state().doubts):
                connected = self._connect(stack)
                for _ in salvage(self.writer, connected.api, self.context.clock, catalog, actor=connected.origin.actor):
                    pass
            state = self.writer.state()
            show_notes(self.context, state)
            refuse_other_world(state, world_of(self.context, self.project, emulate=self.options.emulate))
            plan = self._plan(catalog, state)
            plan = replace(plan, diagnostics=tuple(in_order([*plan.diagnostics, *warnings])))
            self.report.plan = plan
            self._approve(plan, state)
            connected = connected or self._connect_if_needed(stack, plan, state)
            names = [len(c.name) for c in plan.changes]
            width = min(WIDEST_NAME, max(names, default=14))
            with telling(self.context, as_json=self.options.json, json_into=self.options.json_into, name_width=width) as teller:
                if self.options.json:
                    teller.tell_all(announcement(plan, self.context.clock.now()))
                self._carry_out(plan, catalog, connected, teller)
                return self._end(plan, teller)

    def _connect(self, stack: contextlib.ExitStack) -> Connected:
        lineage = self.writer.state().lineage
        return stack.enter_context(connect(self.context, self.project, emulate=self.options.emulate, lineage=lineage))

    def _plan(self, catalog: Catalog, state: State) -> Plan:
        options, project, now = self.options, self.project, self.context.clock.now()
        endpoint = planned_endpoint(self.context, project, emulate=options.emulate)
        if self.saved is not None:
            return approved_plan(
                self.saved,
                catalog,
                state,
                prices=project.prices,
                policy=project.policy,
                now=now,
                endpoint=endpoint,
                max_cost=self.ceiling,
                allow_retrain=options.allow_retrain,
                allow_forget=options.allow_forget,
            )
        request = Request(
            options.targets,
            options.excludes,
            options.selectors,
            options.replaces,
            max_cost=self.ceiling,
            allow_retrain=options.allow_retrain,
            allow_forget=options.allow_forget,
        )
        return make_plan(catalog, state, prices=project.prices, policy=project.policy, request=request, now=now, endpoint=endpoint)

    @property
    def ceiling(self) -> Money | None:
        """The most this apply may spend, as the command line or the environment says (USD)."""
        return self.context.settings.max_cost.value if self.options.max_cost is None else self.options.max_cost

    def _approve(self, plan: Plan, state: State) -> None:
        """Show the plan whole, then refuse it or get it approved."""
        if not self.options.json:
            self.context.out.write(text_of(self.context, plan, state))
            self.context.out.flush()
        _refuse(plan)
        approved = plan if self.saved is None else self.saved.plan
        if self.options.plan_digest is not None:
            require_digest("-plan-digest", self.options.plan_digest, approved.plan_digest)
        if self.options.expect_spend is not None:
            require_digest("-expect-spend", self.options.expect_spend, approved.spend_digest)
        if not self.options.auto_approve and self.options.plan_file is None and _does_something(plan):
            self._ask(plan)

    def _ask(self, plan: Plan) -> None:
        environment = self.project.environments.get(plan.environment)
        due, confirm = plan.cost.due, self.project.policy.guards.confirm_over
        if environment is not None and environment.protected:
            expected, what = plan.environment, f"the environment is protected; type its name, {plan.environment}"
        elif confirm is not None and due > confirm:
            expected, what = money_text(due), f"type the amount, {money_text(due)}"
        else:
            expected, what = "yes", "type yes"
        limit = "" if plan.cost.limit is None else f", limit {format_money(plan.cost.limit)}"
        question = f"\nBuy this for {format_money(due)} (at worst {format_money(plan.cost.worst)}{limit})? To go on, {what}: "
        answer = ask(self.context, self.stop, question).removeprefix("$")
        if self.stop.is_requested:
            raise Interrupted(self.stop.signal_number, "stopped at the prompt; nothing was bought")
        if answer != expected:
            raise Declined

    def _connect_if_needed(self, stack: contextlib.ExitStack, plan: Plan, state: State) -> Connected | None:
        sends = any(c.action.is_paid or c.action is Action.ADOPT or c.resolution is not None for c in plan.changes)
        return self._connect(stack) if sends or to_poll(state) else None

    def _carry_out(self, plan: Plan, catalog: Catalog, connected: Connected | None, teller: Teller) -> None:
        try:
            if connected is None:
                teller.tell_all(free_changes(plan, self.writer, self.context.clock, self.totals))
                return
            poller = Poller(self.writer, connected.api, self.context.clock, self.stop, pace_of(connected.origin.world), self.options.poll_parallelism or 8)
            self.poller = poller
            poller.seconds_per_step = connected.seconds_per_step
            poller.learn(self.writer.state())
            teller.tell_all(self._apply(plan, catalog, connected, poller).run())
            teller.tell_all(self._poll(poller))
        except ReconcilerError as problem:
            self.problem = problem

    def _apply(self, plan: Plan, catalog: Catalog, connected: Connected, poller: Poller) -> Apply:
        pauses = pause_file(self.context, self.project)
        return Apply(
            plan,
            catalog,
            self.project.policy,
            self.writer,
            connected.api,
            self.context.clock,
            connected.origin,
            self.stop,
            parallelism=self.options.parallelism,
            ceiling=self.ceiling,
            canary=self.options.canary,
            watch=lambda jobs: poller.wait(jobs, seconds=math.inf),
            is_paused=lambda: standing_pause(pauses),
            totals=self.totals,
        )

    def _poll(self, poller: Poller) -> Iterator[Event]:
        jobs = to_poll(self.writer.state())
        if self.stop.is_requested or not jobs:
            return
        yield from poller.round(jobs)
        if self.options.wait_seconds is not None:
            pending = [j for j in (self.writer.job(job.id) for job in jobs) if j.phase.is_pending]
            yield from poller.wait(pending, seconds=self.options.wait_seconds)

    def _end(self, plan: Plan, teller: Teller) -> int:
        state = self.writer.state() if self.problem is None else None
        self.report.result = self._summary(plan, state)
        teller.tell(Event("change_summary", self.context.clock.now(), "apply ended", data=self.report.result))
        if self.problem is not None:
            raise self.problem
        assert state is not None
        if teller.trouble:
            self.totals.problems.append(teller.trouble)
        return self._code(state)

    def _summary(self, plan: Plan, state: State | None) -> dict[str, object]:
        totals, settled = self.totals, self.poller.settled if self.poller is not None else []
        doubts = [] if state is None else state.doubts
        pending = [] if state is None else [j for j in state.jobs.values() if j.phase.is_pending]
        held = sum(c.action is Action.HELD for c in plan.changes)
        return {
            "command": "apply",
            "bought": len(totals.bought),
            "bought_amount": money_text(sum((b.spent for b in totals.bought), ZERO)),
            "in_doubt": len(doubts) if state is not None else len(totals.in_doubt),
            "in_doubt_amount": money_text(sum((a.price for a in doubts), ZERO)),
            "in_doubt_names": sorted({a.name for a in doubts}),
            "adopted": totals.counts.get(Action.ADOPT, 0),
            "reused": totals.counts.get(Action.REUSE, 0),
            "moved": totals.counts.get(Action.MOVE, 0),
            "updated": totals.counts.get(Action.UPDATE, 0),
            "forgotten": totals.counts.get(Action.FORGET, 0),
            "held": held,
            "rejected": len(totals.rejected),
            "training": len(pending),
            "not_bought": len(totals.not_bought),
            "not_bought_amount": money_text(sum((c.cost for c in totals.not_bought), ZERO)),
            "not_bought_names": [c.name for c in totals.not_bought],
            "stopped": totals.halted or ("" if self.problem is None else self.problem.message),
            "problems": list(totals.problems),
            **_ended(settled),
        }

    def _code(self, state: State) -> int:
        if state.doubts:
            return Doubtful.exit_code
        if self.stop.is_requested:
            return 128 + self.stop.signal_number
        refused = "" if self.poller is None else self.poller.refused
        if self.totals.problems or refused:
            self.report.reason = ApiProblem.failure_reason
            return ReconcilerError.exit_code
        if self.totals.halted:
            self.report.reason = _halted_by(self.totals)
            return Refused.exit_code
        if self.options.wait_seconds is None or self.poller is None:
            return 0
        return waited_code(state, self.poller.settled)


def announcement(plan: Plan, now: str) -> Iterator[Event]:
    """The plan as events, before anything of it is done."""
    yield Event("version", now, f"reconciler {__version__}", data={"reconciler": __version__, "format_version": FORMAT_VERSION})
    for change in plan.changes:
        data = {"action": change.action.value, "cost": money_text(change.cost), "reason": str(change.reason), "spec_digest": change.spec_digest}
        yield Event("planned_change", now, f"{change.action.word}: {change.reason}", change.name, data=data)
    counts = {action.value: count for action, count in plan.counts.items()}
    cost = {"due": money_text(plan.cost.due), "worst": money_text(plan.cost.worst)}
    digests = {"spend_digest": plan.spend_digest, "plan_digest": plan.plan_digest}
    yield Event("change_summary", now, f"{format_money(plan.cost.due)} due", data={"command": "plan", **counts, **cost, **digests})


def waited_code(state: State, settled: Sequence[Job]) -> int:
    """What `-wait` ends with: 8 when a job failed, 9 when jobs are still training, else 0."""
    if any(job.phase is not Phase.SUCCEEDED for job in settled):
        return JobFailed.exit_code
    if any(job.phase.is_pending for job in state.jobs.values()):
        return WaitOver.exit_code
    return 0


def _halted_by(totals: Totals) -> str:
    """The failure reason of an apply that ended before all was bought."""
    error = BudgetRefused if totals.refused_by_budget else Paused if totals.halted.startswith("pause:") else Refused
    return error.failure_reason


def _ended(settled: Sequence[Job]) -> dict[str, object]:
    counts: dict[str, object] = {str(phase): sum(j.phase is phase for j in settled) for phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.LOST)}
    return {**counts, "failed_names": sorted({j.name for j in settled if j.phase is not Phase.SUCCEEDED})}


def _refuse(plan: Plan) -> None:
    if plan.applyable:
        return
    error = next(e for e in (Paused, BudgetRefused, Refused) if e.failure_reason == refusal_reason(plan))
    lines = [f"{r.message} (lift it: {r.lift})" for r in plan.refusals]
    raise error("refused; nothing was bought\n" + "\n".join(lines))


def _does_something(plan: Plan) -> bool:
    return any(_is_done(c) for c in plan.changes)


def _is_done(change: Change) -> bool:
    return change.action not in (Action.WAIT, Action.HELD, Action.UNCHANGED) and (change.action is not Action.IN_DOUBT or change.resolution is not None)
