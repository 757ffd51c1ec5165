"""How a plan looks in a terminal."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from reconciler.diagnostics import Diagnostic, Place
from reconciler.plan.action import ORDER, Action, Reason
from reconciler.plan.change import FieldChange, Refusal
from reconciler.plan.request import Request
from reconciler.reports.layout import display_width
from reconciler.reports.style import Style
from reconciler.reports.terminal import plan_text

from .catalog import BUDGET, CHANGES, COST, NOW, REFRESHED, change, plan

GOLDEN = Path(__file__).parent / "golden"
STYLES = {
    "80": Style.plain(80),
    "100": Style.plain(100),
    "120": Style.plain(120),
    "ascii": Style(width=100, unicode=False),
    "color": Style(width=100, color=True),
}


@pytest.mark.parametrize("name", STYLES)
def test_the_example_of_the_design_is_a_golden_file(name):
    text = plan_text(plan(), STYLES[name], last_refresh=REFRESHED, now=NOW)
    golden = GOLDEN / f"plan-{name}.txt"
    assert text == golden.read_text(encoding="utf-8"), f"differs from {golden.name}; when that is meant, write it anew"


def test_colour_says_nothing_that_the_words_do_not_say():
    painted = plan_text(plan(), STYLES["color"], last_refresh=REFRESHED, now=NOW)
    assert "\x1b[31m" in painted
    assert re.sub(r"\x1b\[[0-9]*m", "", painted) == plan_text(plan(), STYLES["100"], last_refresh=REFRESHED, now=NOW)


@pytest.mark.parametrize("width", [40, 60, 80, 99, 100, 120, 200])
def test_rows_fit_their_width_and_lose_no_word(width):
    text = plan_text(plan(), Style.plain(width), last_refresh=REFRESHED, now=NOW)
    rows = [line for line in text.splitlines() if not line.startswith(("Environment", "Plan", "Decide")) and "reconciler resolve" not in line]
    if width >= 60:
        assert max(display_width(line) for line in rows) < width
    flat = " ".join(text.split())
    for fact in ("steps 1500 → 2000", "captions missing", "products.yaml:31", "was otter", "+$8.00"):
        assert fact in flat or width < 60


def test_very_many_warnings_are_counted():
    many = tuple(Diagnostic("warning", "W1", f"odd thing {i:03}", place=Place("a.yaml", i)) for i in range(60))
    text = plan_text(plan(diagnostics=many), Style.plain(), now=NOW)
    assert "odd thing 024" in text
    assert "odd thing 025" not in text
    assert "35 more warnings; -json has all" in text


def test_max_cost_is_a_limit_with_a_bar():
    text = plan_text(plan(request=Request(max_cost=Decimal("48.00"))), Style.plain(), now=NOW)
    assert "50 %  -max-cost" in text


def test_one_column_is_enough_to_print_everything():
    text = plan_text(plan(), Style.plain(1), now=NOW)
    assert "product-shoes" in text
    assert "Plan: 1 in doubt" in text


def test_rows_come_by_urgency_then_name():
    text = plan_text(plan(tuple(reversed(CHANGES))), Style.plain(), now=NOW)
    names = [m[1] for m in re.finditer(r"^  [?!±+<=→~›.] (\S+)", text, re.MULTILINE)]
    expected = [c.name for c in sorted(CHANGES, key=lambda c: (ORDER[c.action], c.name))]
    assert names == expected


def test_no_changes_is_one_sentence():
    text = plan_text(plan(()), Style.plain(), now=NOW)
    assert "No changes. 35 models are as declared." in text
    assert "Plan:" not in text
    assert "$" not in text


def test_unchanged_models_are_a_number():
    same = change("quiet", Action.UNCHANGED, Reason.UP_TO_DATE)
    text = plan_text(plan((same,), unchanged=2, budgets=()), Style.plain(), now=NOW)
    assert "No changes. 3 models are as declared." in text
    assert "quiet" not in text


def test_the_refusal_comes_after_the_whole_plan_and_names_limit_number_and_flag():
    refusal = Refusal("budget", "budget.per_month", "$328.00 at worst is over the limit of $300.00", "-max-cost=32", Place("reconciler.yaml", 9))
    text = plan_text(plan(refusals=(refusal,)), Style.plain(), now=NOW)
    head, _, tail = text.partition("\nRefused")
    assert "Plan digest" in head
    assert "portrait-warm" in head
    flat = " ".join(tail.split())
    assert "budget.per_month: $328.00 at worst is over the limit of $300.00" in flat
    assert "lifted by -max-cost=32" in flat
    assert "Nothing of this plan is bought." in flat
    assert "reconciler.yaml:9" in flat


def test_a_free_action_with_very_many_rows_is_counted_and_paid_rows_never_are():
    free = tuple(change(f"u{i:03}", Action.UPDATE, Reason.METADATA_ONLY) for i in range(201))
    paid = tuple(change(f"t{i:03}", Action.TRAIN, Reason.NEW_MODEL, cost=Decimal("8.00")) for i in range(201))
    text = plan_text(plan(free + paid), Style.plain(), now=NOW)
    assert "201 models" in text
    assert "u007" not in text
    assert all(f"t{i:03}" in text for i in range(201))
    assert "u007" in plan_text(plan(free[:200]), Style.plain(), now=NOW)


def test_the_place_is_the_shortest_unique_end():
    changes = (
        change("a", Action.TRAIN, Reason.NEW_MODEL, "models/x/logo.yaml", 3),
        change("b", Action.TRAIN, Reason.NEW_MODEL, "models/y/logo.yaml", 4),
        change("c", Action.TRAIN, Reason.NEW_MODEL, "models/y/hero.yaml", 5),
    )
    text = plan_text(plan(changes), Style.plain(), now=NOW)
    assert re.findall(r"\S+\.yaml:[345]", text) == ["x/logo.yaml:3", "y/logo.yaml:4", "hero.yaml:5"]


def test_a_long_name_stands_whole_on_its_own_line():
    long = "sweep@learning_rate=2e-05,steps=1000," + "x" * 30
    text = plan_text(plan((change(long, Action.TRAIN, Reason.NEW_MODEL, cost=Decimal("8.00")),)), Style.plain(80), now=NOW)
    assert f"  + {long}\n" in text


def test_long_values_show_where_they_differ():
    one, other = "x" * 3000 + "A" + "y" * 3000, "x" * 3000 + "B" + "y" * 3000
    changed = change("a", Action.UPDATE, Reason.METADATA_ONLY, fields=(FieldChange("description", one, other),))
    flat = plan_text(plan((changed,)), Style.plain(120), now=NOW).replace("\n", "").replace(" ", "")
    assert "xAy" in flat
    assert "xBy" in flat


def test_commands_that_end_a_doubt_are_never_wrapped():
    name = "n" * 63
    doubt = change(name, Action.IN_DOUBT, Reason.IN_DOUBT, at_risk=Decimal("8.00"))
    text = plan_text(plan((doubt,)), Style.plain(80), now=NOW)
    assert f"reconciler resolve {name} -not-submitted -reason TEXT\n" in text


def test_a_selection_and_a_foreign_endpoint_are_said_in_the_first_line():
    first = plan_text(plan(complete=False, endpoint="http://127.0.0.1:4000"), Style.plain(), now=NOW).splitlines()[0]
    assert "a selection, not the whole catalog" in first
    assert "http://127.0.0.1:4000" in first


def test_warnings_of_the_manifests_are_shown_with_their_place():
    warning = Diagnostic("warning", "W101", "learning_rate is unusual", "usual: 1e-06 to 0.01", Place("models/a.yaml", 7, 3))
    text = plan_text(plan(diagnostics=(warning,)), Style.plain(), now=NOW)
    assert re.search(r"learning_rate is unusual: usual: 1e-06 to 0\.01 +a\.yaml:7", text)


def test_a_full_limit_has_a_full_bar():
    over = replace(BUDGET, after=Decimal("500.00"))
    text = plan_text(plan(budgets=(over,)), Style.plain(), now=NOW)
    assert "█" * 20 + " 125 %" in text


def test_prices_that_differ_are_listed():
    changes = (change("a", Action.TRAIN, Reason.NEW_MODEL, cost=Decimal("12.50")), change("b", Action.TRAIN, Reason.NEW_MODEL, cost=Decimal("8.00")))
    text = plan_text(plan(changes, cost=replace(COST, due=Decimal("20.50"), in_doubt=Decimal(0), avoided=Decimal(0))), Style.plain(), now=NOW)
    assert "1 × $12.50 + 1 × $8.00 (list price of 2026-01-01)" in text
    assert "at worst" not in text.split("Cost")[1].split("Warn")[0]


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("action", [a for a in Action if a is not Action.UNCHANGED])
def test_every_action_and_reason_has_words(action, reason):
    text = plan_text(plan((change("some-model", action, reason),)), Style.plain(), now=NOW)
    assert action.word in text
    assert re.search(r"some-model +\S+( doubt)?  \S", text)
