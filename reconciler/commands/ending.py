"""What an apply says before it begins and when it has ended, and what `-wait` ends with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler import __version__
from reconciler.engine.apply import Totals
from reconciler.engine.doubt import in_doubt
from reconciler.errors import BudgetRefused, JobFailed, Paused, Refused, WaitOver
from reconciler.event import Event
from reconciler.job import Job, Phase
from reconciler.money import ZERO
from reconciler.plan.action import Action
from reconciler.plan.change import Plan
from reconciler.plan.digests import FORMAT_VERSION
from reconciler.state import State
from reconciler.text import format_money, money_text


def apply_summary(plan: Plan, totals: Totals, settled: Sequence[Job], state: State | None, *, stopped: str, is_alone: bool) -> dict[str, object]:
    """The data of the last event. `state` is None when it could not be written any more, `stopped` says why it ended early."""
    doubts = [] if state is None else in_doubt(state, is_alone=is_alone)
    pending = [] if state is None else [j for j in state.jobs.values() if j.phase.is_pending]
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
        "held": sum(c.action is Action.HELD for c in plan.changes),
        "rejected": len(totals.rejected),
        "training": len(pending),
        "not_bought": len(totals.not_bought),
        "not_bought_amount": money_text(sum((c.cost for c in totals.not_bought), ZERO)),
        "not_bought_names": [c.name for c in totals.not_bought],
        "stopped": stopped,
        "problems": list(totals.problems),
        **({"unacknowledged": totals.unacknowledged} if totals.unacknowledged else {}),
        **_ended(settled),
    }


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


def halted_by(totals: Totals) -> str:
    """The failure reason of an apply that ended before all was bought."""
    error = BudgetRefused if totals.refused_by_budget else Paused if totals.halted.startswith("pause:") else Refused
    return error.failure_reason


def _ended(settled: Sequence[Job]) -> dict[str, object]:
    counts: dict[str, object] = {str(phase): sum(j.phase is phase for j in settled) for phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.LOST)}
    return {**counts, "failed_names": sorted({j.name for j in settled if j.phase is not Phase.SUCCEEDED})}
