"""`apply`: buy exactly what the plan says, write it down, poll once or until all is settled.

The order is that of the purchase protocol: lock, recover, plan again, compare with what was approved, limits, approval,
key; then disk, wire, disk, screen for every purchase. What happens is decided by the plan and done by `engine/`.
"""

from __future__ import annotations

import contextlib
import gc
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from reconciler.commands.approval import check_approval, read_approved, refuse
from reconciler.commands.context import ON_A_BRANCH, Context, environment_name, load_catalog, open_project, open_store, planned_endpoint
from reconciler.commands.ending import announcement, apply_summary, halted_by, waited_code
from reconciler.commands.local import sent_from
from reconciler.commands.options import ApplyOptions
from reconciler.commands.pause import pause_file, standing_pause
from reconciler.commands.permissions import warn_of_permissions
from reconciler.commands.plan import text_of, with_warnings
from reconciler.commands.problems import show_notes
from reconciler.commands.reports import Reporting, reported
from reconciler.commands.rounds import Patience, as_approved, policy_left
from reconciler.commands.spending import Connected, ask, connect, stoppable, world_of
from reconciler.commands.telling import Teller, telling
from reconciler.engine.apply import Apply, Totals, free_changes
from reconciler.engine.doubt import in_doubt, salvage
from reconciler.engine.origin import refuse_other_world
from reconciler.engine.pace import pace_of
from reconciler.engine.refresh import POLLS_AT_ONCE, Poller, to_poll
from reconciler.engine.stop import Stop
from reconciler.errors import ApiProblem, Declined, HeadMoved, Interrupted, PlanChanged, ReconcilerError, Refused
from reconciler.errors import InDoubt as Doubtful
from reconciler.event import Event
from reconciler.model import Catalog
from reconciler.money import ZERO, Money
from reconciler.plan.action import Action
from reconciler.plan.change import Change, Plan
from reconciler.plan.make import Request, make_plan
from reconciler.plan.premises import approved_plan, require_digest
from reconciler.plan.saved import SavedPlan
from reconciler.policy import Policy
from reconciler.ports import Writer
from reconciler.project import Project
from reconciler.state import State
from reconciler.text import format_money, money_text

WIDEST_NAME = 40


def run(context: Context, options: ApplyOptions) -> int:
    """Carry out a plan; the exit code is the most urgent thing that is left (contract §4)."""
    return reported(context, options.reports, lambda report: _run(context, options, report))


def _run(context: Context, options: ApplyOptions, report: Reporting) -> int:
    project = open_project(context)
    environment_name(context, project)
    warn_of_permissions(context, project)
    check_approval(context, project, options)
    saved = read_approved(context, options.plan_file) if options.plan_file is not None else None
    store = open_store(context, project)
    with store.lock(context.owner, wait_seconds=options.lock_timeout_seconds), stoppable() as stop, contextlib.ExitStack() as stack:
        run, patience = _Run(context, options, project, stop, report, stack, saved), Patience(stop)
        while True:
            with store.writing() as writer:
                code = run.round(writer)
            if code is not None:
                return code
            patience.pause(run.totals.sent)


@dataclass(slots=True)
class _Run:
    """One apply under the lock: one round, and another one whenever a shared journal was written by somebody faster."""

    context: Context
    options: ApplyOptions
    project: Project
    stop: Stop
    report: Reporting
    stack: contextlib.ExitStack
    saved: SavedPlan | None = None
    totals: Totals = field(default_factory=Totals)
    poller: Poller | None = None
    problem: ReconcilerError | None = None
    has_moved: bool = False
    writer: Writer = field(init=False)
    catalog: Catalog = field(init=False)
    plan: Plan = field(init=False)
    connected: Connected | None = None
    teller: Teller | None = None

    def round(self, writer: Writer) -> int | None:
        """Plan, and carry it out. The exit code; None when it has to be planned again."""
        self.writer = writer
        if self.teller is None:
            self.teller = self._begin()
        else:
            self._plan_again(self.teller)
        if self.problem is None:
            self._carry_out(self.plan, self.teller)
        return None if self.has_moved else self._end(self.plan, self.teller)

    def _begin(self) -> Teller:
        self.catalog, warnings = load_catalog(self.context, self.project)
        if any(a.salvaged for a in self.writer.state().doubts):
            self.connected = self._connect()
            for _ in salvage(self.writer, self.connected.api, self.context.clock, self.catalog, actor=self.connected.origin.actor):
                pass
        state = self.writer.state()
        show_notes(self.context, state)
        refuse_other_world(state, world_of(self.context, self.project, emulate=self.options.emulate))
        plan = self._planned(state)
        self.plan = self.report.plan = with_warnings(plan, warnings, compact=self.options.compact_warnings and not self.options.json)
        self._approve(self.plan, state)
        self.saved = self.saved or as_approved(self.plan)
        self._connect_if_needed(state)
        width = min(WIDEST_NAME, max((len(c.name) for c in self.plan.changes), default=14))
        told = telling(self.context, as_json=self.options.json, json_into=self.options.json_into, name_width=width)
        teller = self.stack.enter_context(told)
        if self.options.json:
            teller.tell_all(announcement(self.plan, self.context.clock.now()))
        return teller

    def _plan_again(self, teller: Teller) -> None:
        """What is left of the approved plan, now that another runner has bought too."""
        self.has_moved = False
        state = self.writer.state()
        try:
            plan = self._planned(state)
            refuse(plan)
        except ReconcilerError as problem:
            problem.message = problem.message.replace("nothing was bought", "nothing more was bought")
            self.problem = problem
            return
        self.plan = plan
        text = f"another runner wrote to the journal first; planned again: {format_money(plan.cost.due)} due"
        teller.tell(Event("diagnostic", self.context.clock.now(), text, data={"severity": "info", "code": "planned_again", "summary": text}))
        self._connect_if_needed(state)

    def _connect(self) -> Connected:
        lineage = self.writer.state().lineage
        return self.stack.enter_context(connect(self.context, self.project, emulate=self.options.emulate, lineage=lineage))

    def _planned(self, state: State) -> Plan:
        options, project, now = self.options, self.project, self.context.clock.now()
        endpoint = planned_endpoint(self.context, project, emulate=options.emulate)
        if self.saved is not None:
            return approved_plan(
                self.saved,
                self.catalog,
                state,
                prices=project.prices,
                policy=self.policy,
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
        return make_plan(self.catalog, state, prices=project.prices, policy=self.policy, request=request, now=now, endpoint=endpoint)

    @property
    def ceiling(self) -> Money | None:
        """The most this apply may still spend, as the command line or the environment says (USD)."""
        most = self.context.settings.max_cost.value if self.options.max_cost is None else self.options.max_cost
        return None if most is None else max(most - self.totals.spent, ZERO)

    @property
    def is_shared(self) -> bool:
        """Whether other runners write to the same journal."""
        return self.project.journal.startswith(ON_A_BRANCH)

    @property
    def policy(self) -> Policy:
        """The project's limits for what is left of this apply."""
        return policy_left(self.project.policy, self.totals.spent)

    def _approve(self, plan: Plan, state: State) -> None:
        """Show the plan whole, then refuse it or get it approved."""
        if not self.options.json:
            self.context.out.write(text_of(self.context, plan, state))
            self.context.out.flush()
        refuse(plan)
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

    def _connect_if_needed(self, state: State) -> None:
        sends = any(c.action.is_paid or c.action is Action.ADOPT or c.resolution is not None for c in self.plan.changes)
        if self.connected is None and (sends or to_poll(state)):
            self.connected = self._connect()

    def _carry_out(self, plan: Plan, teller: Teller) -> None:
        gc.freeze()  # catalog, state and plan stay until the end; they need not be searched for garbage while purchases are under way
        connected = self.connected
        try:
            if connected is None:
                teller.tell_all(free_changes(plan, self.writer, self.context.clock, self.totals))
                return
            poller = Poller(self.writer, connected.api, self.context.clock, self.stop, pace_of(connected.origin.world), self._polls_at_once)
            self.poller = poller
            poller.seconds_per_step = connected.seconds_per_step
            poller.learn(self.writer.state())
            teller.tell_all(self._apply(plan, connected, poller).run())
            teller.tell_all(self._poll(poller))
        except HeadMoved:
            self.has_moved = not self.totals.halted and not self.stop.is_requested
        except ReconcilerError as problem:
            self.problem = problem
        finally:
            gc.unfreeze()

    def _apply(self, plan: Plan, connected: Connected, poller: Poller) -> Apply:
        pauses = pause_file(self.context, self.project)
        return Apply(
            plan,
            self.catalog,
            self.policy,
            self.writer,
            connected.api,
            self.context.clock,
            connected.origin,
            self.stop,
            parallelism=self.options.parallelism,
            ceiling=self.ceiling,
            canary=self.options.canary,
            watch=lambda jobs: poller.wait(jobs, seconds=math.inf),
            ask_beside=poller.ask_beside,
            news=poller.news,
            url_of=sent_from(self.context.root),
            is_paused=lambda: standing_pause(pauses),
            is_shared=self.is_shared,
            totals=self.totals,
        )

    @property
    def _polls_at_once(self) -> int:
        """As many as purchases, or a few more: each purchase is asked about once."""
        return self.options.poll_parallelism or max(POLLS_AT_ONCE, self.options.parallelism)

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
        stopped = self.totals.halted or ("" if self.problem is None else "; ".join(self.problem.message.splitlines()))
        settled = [] if self.poller is None else self.poller.settled
        self.report.result = apply_summary(plan, self.totals, settled, state, stopped=stopped, is_alone=not self.is_shared)
        teller.tell(Event("change_summary", self.context.clock.now(), "apply ended", data=self.report.result))
        if self.problem is not None:
            raise self.problem
        assert state is not None
        if teller.trouble:
            self.totals.problems.append(teller.trouble)
        return self._code(state)

    def _code(self, state: State) -> int:
        if in_doubt(state, is_alone=not self.is_shared):
            return Doubtful.exit_code
        if self.stop.is_requested:
            return 128 + self.stop.signal_number
        refused = "" if self.poller is None else self.poller.refused
        if self.totals.is_only_stale and not refused:
            self.report.reason = PlanChanged.failure_reason
            return PlanChanged.exit_code
        if self.totals.problems or refused:
            self.report.reason = ApiProblem.failure_reason
            return ReconcilerError.exit_code
        if self.totals.halted:
            self.report.reason = halted_by(self.totals)
            return Refused.exit_code
        if self.options.wait_seconds is None or self.poller is None:
            return 0
        return waited_code(state, self.poller.settled)


def _does_something(plan: Plan) -> bool:
    return any(_is_done(c) for c in plan.changes)


def _is_done(change: Change) -> bool:
    return change.action not in (Action.WAIT, Action.HELD, Action.UNCHANGED) and (change.action is not Action.IN_DOUBT or change.resolution is not None)
