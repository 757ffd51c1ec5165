"""The ledger as a report."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from decimal import Decimal

import pytest

from reconciler.job import Binding, Phase
from reconciler.reports.cost import cost_csv, cost_document, cost_markdown, cost_report, cost_text
from reconciler.reports.document import json_text
from reconciler.reports.style import Style

from .ledger import attempt, job, state


def known():
    first = state(
        job(1, "logo", Phase.SUCCEEDED, submitted_at="2026-10-31T23:30:00Z"),
        job(2, "hero", Phase.FAILED, submitted_at="2026-11-02T00:00:00Z"),
        job(3, "otter", Phase.LOST, submitted_at="2026-11-03T00:00:00Z", charged=False),
        job(4, "heron", Phase.RUNNING, submitted_at="2026-11-04T00:00:00Z", price=Decimal("12.50")),
        attempts=(attempt("fox"),),
    )
    shared = Binding("prod", "logo-dark", "j-01", "2026-11-05T00:00:00Z", {"labels": {"team": "=cmd()"}})
    renamed = Binding("prod", "otter-new", "j-03", "2026-11-06T00:00:00Z", {})
    bindings = {**first.bindings, ("prod", "logo-dark"): shared, ("prod", "otter-new"): renamed}
    del bindings["prod", "otter"]
    return replace(first, bindings=bindings)


def test_the_table_of_the_months():
    assert cost_text(cost_report(known(), by="month"), Style.plain(100)) == (
        "month    jobs   spent  failed  not charged  in doubt  avoided  pending         price\n"
        "2026-10     1   $8.00   $0.00        $0.00     $0.00    $0.00    $0.00         $8.00\n"
        "2026-11     3  $28.50  $16.00        $8.00     $8.00    $8.00   $12.50  $8.00–$12.50\n"
        "total       4  $36.50  $16.00        $8.00     $8.00    $8.00   $12.50  $8.00–$12.50\n"
    )


def test_months_are_those_of_the_time_zone():
    report = cost_report(known(), by="month", timezone="Europe/Berlin")
    assert [(line.key, line.jobs) for line in report.lines] == [("2026-11", 4)]


def test_a_rename_avoided_nothing_and_a_shared_job_its_price():
    lines = {line.key: line for line in cost_report(known(), by="model").lines}
    assert lines["logo-dark"].avoided == Decimal("8.00")
    assert lines["logo-dark"].jobs == 0
    assert "otter-new" not in lines


def test_rows_by_label_sum_to_the_total():
    report = cost_report(known(), by="label.team")
    assert [line.key for line in report.lines] == ["(none)", "=cmd()"]
    assert sum(line.spent for line in report.lines) == report.total.spent
    assert sum(line.in_doubt for line in report.lines) == report.total.in_doubt == Decimal("8.00")


def test_a_csv_reader_gets_numbers_and_no_formula():
    rows = list(csv.reader(io.StringIO(cost_csv(cost_report(known(), by="label.team")))))
    assert rows[0] == ["label.team", "jobs", "spent", "failed", "not_charged", "in_doubt", "avoided", "pending"]
    assert rows[2][0] == "'=cmd()"
    assert rows[-1][:3] == ["total", "4", "36.50"]
    assert all(len(row) == 8 for row in rows)


def test_the_document_has_decimal_strings_and_the_prices_in_force():
    document = json.loads(json_text(cost_document(cost_report(known(), by="month"))))
    assert document["total"]["spent"] == "36.50"
    assert document["total"]["prices"] == {"8.00": 3, "12.50": 1}
    assert document["rows"][0]["key"] == "2026-10"


def test_the_markdown_table_has_a_row_per_key():
    text = cost_markdown(cost_report(known(), by="month"))
    assert "| `2026-11` | 3 | $28.50 | $16.00 | $8.00 | $8.00 | $8.00 | $12.50 |" in text
    assert "| **total** | 4 |" in text


def test_nothing_bought_is_a_total_of_zero_and_an_unknown_key_is_refused():
    assert "total     0  $0.00" in cost_text(cost_report(state(), by="month"), Style.plain())
    for by in ("year", "label.", ""):
        with pytest.raises(ValueError, match="by month, by model or by label"):
            cost_report(known(), by=by)
