"""Who approves an apply, and by what: a person at the prompt, a ceiling, or a saved plan. And what a refused plan ends with."""

from __future__ import annotations

from reconciler.commands.context import Context
from reconciler.commands.infile import read_named
from reconciler.commands.options import ApplyOptions
from reconciler.commands.plan import refusal_reason
from reconciler.errors import BudgetRefused, Paused, PlanChanged, Refused, Usage
from reconciler.plan.change import Plan
from reconciler.plan.saved import SavedPlan, read_plan
from reconciler.project import Project
from reconciler.text import safe

MOST_PLAN_BYTES = 512 * 1024 * 1024


def check_approval(context: Context, project: Project, options: ApplyOptions) -> None:
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


def read_approved(context: Context, name: str) -> SavedPlan:
    """The saved plan in a file. Raises Usage, Invalid, PlanChanged."""
    content = read_named(context.root / name, most_bytes=MOST_PLAN_BYTES, hint="`reconciler plan -out=plan.json` saves a plan")
    try:
        return read_plan(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise PlanChanged(f"{safe(name, limit=80)} is not a saved plan: it is not UTF-8; nothing was bought") from None


def refuse(plan: Plan) -> None:
    """Raise what a refused plan ends with, with every refusal and what lifts it."""
    if plan.applyable:
        return
    error = next(e for e in (Paused, BudgetRefused, Refused) if e.failure_reason == refusal_reason(plan))
    lines = [f"{r.message} (lift it: {r.lift})" for r in plan.refusals]
    raise error("refused; nothing was bought\n" + "\n".join(lines))
