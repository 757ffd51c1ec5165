"""The money of a plan in the terminal: what is due, what it is at worst, the month, the limits with a bar, and the warnings."""

from __future__ import annotations

from collections import Counter

from reconciler.money import Money
from reconciler.plan.action import Action
from reconciler.plan.change import BudgetLine, Plan
from reconciler.reports.layout import pad, pad_left, paragraph
from reconciler.reports.reasons import share_percent
from reconciler.reports.style import Style, Tone
from reconciler.text import format_money, plural

LABEL = 8
"""Columns of the words that begin a block (`Cost`, `Warn`, `Decide`)."""
BAR = 20
MOST_LIMITS = 10
"""Limits that are shown, fullest first; the rest is counted."""
_NAME, _AMOUNT = 13, 12


def cost_lines(plan: Plan, style: Style) -> list[str]:
    """The block, without an empty line around it."""
    cost = plan.cost
    rows: list[tuple[str, Money, str, Tone]] = [("due", cost.due, _due_text(plan), "strong" if cost.due else "plain")]
    if cost.in_doubt:
        rows.append(("at worst", cost.worst, _doubt_text(plan), "bad"))
    if cost.month:
        rows.append((cost.month, cost.spent_month, _month_text(plan), "plain"))
    lines = []
    for index, (name, amount, text, tone) in enumerate(rows):
        lines.extend(_row(style, name, amount, style.own(text), label="Cost" if index == 0 else "", tone=tone))
    return [*lines, *_limit_lines(plan, style)]


def _row(style: Style, name: str, amount: Money, text: str, *, label: str = "", tone: Tone = "plain") -> list[str]:
    money = pad_left(format_money(amount), _AMOUNT)
    first, *rest = paragraph(text, style, first=" " * (LABEL + _NAME + _AMOUNT + 2))
    painted = pad(label, LABEL) + pad(name, _NAME) + style.paint(money, tone) + "  "
    return [painted + first[LABEL + _NAME + _AMOUNT + 2 :], *rest]


def _due_text(plan: Plan) -> str:
    amounts = Counter(c.cost for c in plan.changes if c.cost)
    parts = [f"{count:,} × {format_money(amount)}" for amount, count in sorted(amounts.items(), reverse=True)]
    text = " + ".join(parts) if len(parts) <= 3 else plural(sum(amounts.values()), "purchase")
    if text and plan.cost.price_since:
        text += f" (list price of {plan.cost.price_since})"
    if plan.cost.avoided:
        text += f"{'; ' if text else ''}{format_money(plan.cost.avoided)} avoided"
    return text or "nothing is bought"


def _doubt_text(plan: Plan) -> str:
    doubts = plan.counts[Action.IN_DOUBT]
    return f"with {plural(doubts, 'attempt')} in doubt, which count as spent" if doubts > 1 else "with the attempt in doubt, which counts as spent"


def _month_text(plan: Plan) -> str:
    cost = plan.cost
    text = f"{plural(cost.jobs_month, 'job')}"
    if cost.due or cost.in_doubt:
        text += f"; {format_money(cost.spent_month + cost.due)} after this apply"
    return f"{text}, {format_money(cost.spent_month + cost.worst)} at worst" if cost.in_doubt else text


def _limit_lines(plan: Plan, style: Style) -> list[str]:
    ranked = sorted(plan.budgets, key=lambda b: (b.after < b.limit, -share_percent(b.after, b.limit), b.name))
    lines = []
    for budget in ranked[:MOST_LIMITS]:
        percent = share_percent(budget.after, budget.limit)
        text = f"{_bar(percent)} {percent} %  {budget.name}"
        lines.extend(_row(style, "limit", budget.limit, style.foreign(text), tone=_limit_tone(budget)))
    if len(ranked) > MOST_LIMITS:
        lines.append(" " * LABEL + f"{len(ranked) - MOST_LIMITS:,} more limits, none of them fuller")
    if (most := plan.request.max_cost) is not None:
        percent = share_percent(plan.cost.due, most)
        lines.extend(_row(style, "limit", most, style.own(f"{_bar(percent)} {percent} %  -max-cost"), tone="bad" if plan.cost.due > most else "plain"))
    return lines


def _limit_tone(budget: BudgetLine) -> Tone:
    if budget.after > budget.limit:
        return "bad"
    return "warn" if budget.warn_at is not None and budget.after >= budget.warn_at else "plain"


def _bar(percent: int) -> str:
    filled = min(BAR, max(percent, 0) * BAR // 100)
    return "█" * filled + "░" * (BAR - filled)
