"""A plan as a few values for the steps that follow: GitHub's step outputs, GitLab's dotenv. One line each, no foreign text."""

from __future__ import annotations

import re

from reconciler.money import ZERO
from reconciler.plan.change import Plan
from reconciler.reports.run import Run
from reconciler.text import money_text

_WORD = re.compile(r"[A-Za-z0-9:_-]{1,200}")


def ci_values(plan: Plan | None, run: Run) -> dict[str, str]:
    """`changes` and `paid` are counts, `cost` and `worst` USD; digests are empty where there is no plan."""
    changes = [] if plan is None else [c for c in plan.changes if not c.is_unchanged]
    return {
        "changes": str(len(changes)),
        "paid": str(sum(c.action.is_paid for c in changes)),
        "cost": money_text(ZERO if plan is None else plan.cost.due),
        "worst": money_text(ZERO if plan is None else plan.cost.worst),
        "spend_digest": _word("" if plan is None else plan.spend_digest),
        "plan_digest": _word("" if plan is None else plan.plan_digest),
        "failure_reason": _word(run.reason(plan)),
        "exit_code": str(run.exit_code),
    }


def _word(text: str) -> str:
    """A digest or a reason as it is; anything else could end a line or hold a secret, and is left out."""
    return text if _WORD.fullmatch(text) else ""


def github_output(plan: Plan | None, run: Run) -> str:
    """`name=value` lines, to be appended to `$GITHUB_OUTPUT`."""
    return "".join(f"{name}={value}\n" for name, value in ci_values(plan, run).items())


def dotenv(plan: Plan | None, run: Run) -> str:
    """The same as `LORA_NAME=value`."""
    return "".join(f"LORA_{name.upper()}={value}\n" for name, value in ci_values(plan, run).items())
