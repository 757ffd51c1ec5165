"""Planning again when another runner wrote to a shared journal first: how often, and what an approval is still good for.

What was approved is a bound for all rounds together: each later plan must be a part of it, and limits of one apply count
what earlier rounds have bought.
"""

from __future__ import annotations

import random
from dataclasses import replace

from reconciler.canonical import digest_of
from reconciler.engine.stop import Stop
from reconciler.errors import StateProblem
from reconciler.money import Money
from reconciler.plan.change import Plan
from reconciler.plan.saved import SavedPlan
from reconciler.policy import Policy

MOST_IDLE_ROUNDS = 60
LONGEST_PAUSE_SECONDS = 1.0


class Patience:
    """How long to go on while others are always faster."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._idle = 0
        self._done = 0

    def pause(self, done: int) -> None:
        """Wait a moment before the next round; `done` is how much this apply has bought so far. Raises StateProblem in the end."""
        self._idle = 0 if done > self._done else self._idle + 1
        self._done = done
        if self._idle >= MOST_IDLE_ROUNDS:
            raise StateProblem(
                f"other runners wrote to the journal first {self._idle} times in a row; what was bought is recorded, the rest was not sent",
                hint="run the same apply again",
            )
        self._stop.wait(random.uniform(0, min(LONGEST_PAUSE_SECONDS, 0.05 * 2**self._idle)))  # noqa: S311 (runners that meet again must part)


def as_approved(plan: Plan) -> SavedPlan:
    """The plan that was approved just now, for the comparison of later rounds."""
    return SavedPlan(plan, {c.name: digest_of(c.metadata) for c in plan.changes if c.metadata is not None})


def policy_left(policy: Policy, spent: Money) -> Policy:
    """The project's limits for the rest of an apply that has spent so much (USD)."""
    budget = policy.budget
    if budget.per_apply is None or not spent:
        return policy
    return replace(policy, budget=replace(budget, per_apply=max(budget.per_apply - spent, Money(0))))
