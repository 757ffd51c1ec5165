"""The ledger by month, model or label: what was spent, what of it was lost on failures, what is in doubt, what sharing avoided.

From the state alone, offline. Money in doubt is a column of its own and part of nothing else; a failed job was paid for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from reconciler.job import Phase
from reconciler.ledger import Purchased
from reconciler.model import Catalog
from reconciler.money import ZERO, Money
from reconciler.plan.moment import Month, month_of
from reconciler.plan.spending import Purchase, purchases
from reconciler.reports.document import FORMAT_VERSION, plain
from reconciler.reports.layout import Cell, Column, join_lines, table
from reconciler.reports.markdown_text import markdown_code, row
from reconciler.reports.style import Style
from reconciler.state import BindingKey
from reconciler.text import format_money, money_text, safe

TOTAL = "total"
NO_LABEL = "(none)"
LABEL = "label."
_TITLES = ("jobs", "spent", "failed", "not charged", "in doubt", "avoided", "pending")


@dataclass(slots=True)
class Line:
    """One row (USD). `failed` and `not_charged` (documented so by the vendor) and `pending` are parts of `spent`; `prices` counts jobs by price."""

    key: str
    jobs: int = 0
    spent: Money = ZERO
    failed: Money = ZERO
    not_charged: Money = ZERO
    in_doubt: Money = ZERO
    avoided: Money = ZERO
    pending: Money = ZERO
    prices: Counter[Money] = field(default_factory=Counter)

    def amounts(self) -> tuple[Money, ...]:
        """The columns of money, in the order of the titles."""
        return (self.spent, self.failed, self.not_charged, self.in_doubt, self.avoided, self.pending)


@dataclass(frozen=True, slots=True)
class CostReport:
    """All rows by key, and their total. `by` is `month`, `model` or `label.KEY`."""

    by: str
    lines: tuple[Line, ...]
    total: Line


def cost_report(state: Purchased, *, by: str, catalog: Catalog | None = None, timezone: str = "UTC") -> CostReport:
    """The ledger in rows. Months are those of `timezone`. Raises ValueError for any other `by` and for an unknown time zone."""
    key_of = _key_of(by, timezone)
    lines: dict[str, Line] = {}
    total = Line(TOTAL)
    for (key, amount, phase, charged), count in Counter(_kinds(state, key_of, catalog, labelled=by.startswith(LABEL))).items():
        for line in (lines.setdefault(key, Line(key)), total):
            _add(line, amount, phase, charged=charged, count=count)
    for key, amount in _avoided(state, key_of, catalog):
        for line in (lines.setdefault(key, Line(key)), total):
            line.avoided += amount
    return CostReport(by, tuple(lines[key] for key in sorted(lines)), total)


def _kinds(state: Purchased, key_of: Callable[[Purchase], str], catalog: Catalog | None, *, labelled: bool) -> Iterator[tuple[str, Money, Phase | None, bool]]:
    """Of each purchase what its line counts; a doubt has no phase."""
    for purchase in purchases(state, catalog, labelled=labelled):
        job = purchase.job
        yield key_of(purchase), purchase.amount, None if job is None else job.phase, job is None or job.charged


def _key_of(by: str, timezone: str) -> Callable[[Purchase], str]:
    if by == "month":
        month_name = _months(timezone)
        return lambda purchase: month_name(purchase.at)
    if by == "model":
        return lambda purchase: purchase.name
    if by.startswith(LABEL) and len(by) > len(LABEL):
        label = by.removeprefix(LABEL)
        return lambda purchase: purchase.labels.get(label, NO_LABEL)
    raise ValueError("cost is by month, by model or by label.KEY")


def _months(timezone: str) -> Callable[[str], str]:
    """The month of a moment; a calendar is asked once for each month and not for each moment."""
    known: list[Month] = []

    def name_of(at: str) -> str:
        month = next((each for each in known if each.holds(at)), None)
        if month is None:
            month = month_of(at, timezone)
            known.insert(0, month)
        return month.name

    return (lambda at: at[:7]) if timezone == "UTC" else name_of


def _add(line: Line, amount: Money, phase: Phase | None, *, charged: bool, count: int) -> None:
    sum_of_all = amount * count
    if phase is None:
        line.in_doubt += sum_of_all
        return
    line.jobs += count
    line.spent += sum_of_all
    line.prices[amount] += count
    if phase in (Phase.FAILED, Phase.LOST):
        line.failed += sum_of_all
    if not charged:
        line.not_charged += sum_of_all
    if phase.is_pending:
        line.pending += sum_of_all


def _avoided(state: Purchased, key_of: Callable[[Purchase], str], catalog: Catalog | None) -> list[tuple[str, Money]]:
    """One price for every name but one that points to the same job, on the day it was bound. After a rename nothing was saved."""
    found = []
    models = {} if catalog is None else catalog.models
    owners = _owners(state)
    for key in sorted(state.bindings):
        binding = state.bindings[key]
        job = state.jobs.get(binding.job)
        if job is None or owners[binding.job] == key:
            continue
        environment, name = key
        model = models.get(name)
        labels = dict(model.labels) if model is not None else dict(binding.metadata.get("labels") or {})
        found.append((key_of(Purchase(binding.since, environment, name, job.price, labels, job, None)), job.price))
    return found


def _owners(state: Purchased) -> dict[str, BindingKey]:
    """Job → the name it counts for: the one it was bought for while that points to it, else the first that does."""
    owners: dict[str, BindingKey] = {}
    for key in sorted(state.bindings):
        bound = state.bindings[key].job
        job = state.jobs.get(bound)
        if bound not in owners or (job is not None and key == (job.environment, job.name)):
            owners[bound] = key
    return owners


def cost_document(report: CostReport) -> dict[str, Any]:
    """The report as plain data; amounts are decimal strings."""
    return {"format_version": FORMAT_VERSION, "currency": "USD", "by": report.by, "rows": [_row(x) for x in report.lines], "total": _row(report.total)}


def _row(line: Line) -> dict[str, Any]:
    amounts = dict(zip(("spent", "failed", "not_charged", "in_doubt", "avoided", "pending"), line.amounts(), strict=True))
    prices = {money_text(price): count for price, count in sorted(line.prices.items())}
    return dict(plain({"key": line.key, "jobs": line.jobs, **amounts, "prices": prices}))


def cost_text(report: CostReport, style: Style) -> str:
    """A table for people; columns without any money are left out, but for the first two."""
    shown = [i for i, amount in enumerate(report.total.amounts()) if i == 0 or amount]
    titles = [Column(report.by), Column("jobs", "right"), *(Column(_TITLES[i + 1], "right") for i in shown), Column("price", "right")]
    rows: list[list[Cell]] = []
    for line in (*report.lines, report.total):
        amounts = line.amounts()
        key: Cell = (TOTAL, "strong") if line is report.total else style.foreign(line.key)
        rows.append([key, f"{line.jobs:,}", *(format_money(amounts[i]) for i in shown), style.own(_prices(line))])
    return join_lines(table(titles, rows, style))


def _prices(line: Line) -> str:
    known = sorted(line.prices)
    if not known:
        return ""
    return format_money(known[0]) if len(known) == 1 else f"{format_money(known[0])}–{format_money(known[-1])}"


def cost_csv(report: CostReport) -> str:
    """All columns and the total, with a header; amounts are plain decimals, and no text can be a formula."""
    rows = [[safe(report.by, "csv"), *(title.replace(" ", "_") for title in _TITLES)]]
    rows += [[safe(line.key, "csv"), str(line.jobs), *map(money_text, line.amounts())] for line in (*report.lines, report.total)]
    return "".join(",".join(map(_csv_cell, cells)) + "\n" for cells in rows)


def _csv_cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"') else text


def cost_markdown(report: CostReport) -> str:
    """A table."""
    text = row(markdown_code(report.by), *_TITLES) + f"|---|{'--:|' * len(_TITLES)}\n"
    for line in (*report.lines, report.total):
        key = f"**{TOTAL}**" if line is report.total else markdown_code(line.key)
        text += row(key, f"{line.jobs:,}", *map(format_money, line.amounts()))
    return text
