"""Matrices through the command: what they cost, what they are called, and that growing one renames nothing."""

from __future__ import annotations

from reconciler.emulator.server import Emulator
from tests.growth.inside import Inside

SWEEP = """version: 1
models:
  shots:
    dataset: https://data.example.com/{data}.zip
    matrix:
      steps: {steps}
      learning_rate: {rates}
{exclude}    max_combinations: 6
"""
WITHOUT_ONE = "      exclude:\n        - {steps: 2000, learning_rate: 3e-5}\n"


def sweep(both: Inside, steps: str = "[1000, 1500, 2000]", rates: str = "[2e-5, 3e-5]", data: str = "shots", exclude: str = "", more: str = "") -> None:
    both.write(SWEEP.format(steps=steps, rates=rates, data=data, exclude=exclude) + more)


def test_three_times_two_less_one_is_five_jobs_for_forty_dollars_and_the_winner_is_free(both: Inside, server: Emulator) -> None:
    sweep(both, exclude=WITHOUT_ONE)
    plan = both.plan()
    names = [c["name"] for c in plan["changes"]]
    assert names == [f"shots@learning_rate={lr},steps={s}" for lr, s in (("2e-05", 1000), ("2e-05", 1500), ("2e-05", 2000), ("3e-05", 1000), ("3e-05", 1500))]
    assert plan["cost"]["due"] == "40.00"
    text = both.run("plan").out
    assert text.startswith("Sweep shots: 5 combinations to buy, $40.00\n\n")
    before = len(server.books.charges())
    assert both.apply("-wait=60s").code == 0
    assert len(server.books.charges()) - before == 5
    assert both.run("plan", "-detailed-exitcode").code == 0
    sweep(both, exclude=WITHOUT_ONE, more="    winner: {steps: 1500, learning_rate: 0.00002}\n")
    assert both.actions() == {"shots": "reuse"}
    assert both.plan()["cost"]["due"] == "0.00"
    assert both.apply().code == 0
    assert len(server.books.charges()) - before == 5
    assert both.run("plan", "-detailed-exitcode").code == 0
    winner = both.run("output", "shots", "-json").json["models"][0]
    cell = both.run("output", "shots@learning_rate=2e-05,steps=1500", "-json").json["models"][0]
    assert winner["job"] == cell["job"]


def test_more_reordered_and_respelled_values_rename_nothing_and_buy_only_what_is_new(both: Inside, server: Emulator) -> None:
    sweep(both, steps="[1000]", data="grow")
    assert both.apply().code == 0
    sweep(both, steps="[1000.0]", rates="[0.00003, 2.0E-5]", data="grow")
    assert both.actions() == {} or set(both.actions().values()) == {"wait"}
    sweep(both, steps="[1250, 1000]", rates="[3e-5, 4e-5, 2e-5]", data="grow")
    actions = both.actions()
    new = {n: a for n, a in actions.items() if a != "wait"}
    assert set(new) == {
        "shots@learning_rate=2e-05,steps=1250",
        "shots@learning_rate=3e-05,steps=1250",
        "shots@learning_rate=4e-05,steps=1000",
        "shots@learning_rate=4e-05,steps=1250",
    }
    assert set(new.values()) == {"train"}
    before = len(server.books.charges())
    assert both.apply("-wait=60s").code == 0
    assert len(server.books.charges()) - before == 4
    sweep(both, steps="[1250, 1000]", rates="[3e-5, 2e-5]", data="grow")
    assert set(both.actions().values()) == {"forget"}
    assert both.apply().code == 0
    sweep(both, steps="[1250, 1000]", rates="[3e-5, 4e-5, 2e-5]", data="grow")
    assert set(both.actions().values()) == {"reuse"}


def test_a_product_above_the_limit_is_told_with_its_price_before_anything_is_expanded(offline: Inside) -> None:
    sweep(offline, rates="[1e-5, 2e-5, 3e-5]")
    for command in ("validate", "plan"):
        refused = offline.run(command)
        assert refused.code == 1
        assert "models/a.yaml:6:7: error[E221]: the matrix has 3 x 3 = 9 combinations, $72.00; the limit is 6" in refused.err + refused.out
    steps, rates = ", ".join(map(str, range(100, 10_001))), ", ".join(f"{n}e-6" for n in range(1, 200))
    offline.write(
        f"version: 1\nmodels:\n  shots:\n    dataset: https://d.example.com/o.zip\n    matrix:\n      steps: [{steps}]\n      learning_rate: [{rates}]\n"
    )
    assert "199 x 9901 = 1,970,299 combinations, $15,762,392.00; the limit is 1,000" in offline.run("plan").err


def test_no_number_of_warnings_hides_an_error(offline: Inside) -> None:
    steps = ", ".join(map(str, range(20_000, 22_000)))
    offline.write(f"version: 1\nmodels:\n  shots:\n    dataset: https://d.example.com/o.zip\n    matrix:\n      steps: [{steps}]\n")
    found = offline.run("validate", "-json")
    assert found.code == 1
    severities = [d["severity"] for d in found.json["diagnostics"]]
    assert (severities.count("error"), severities.count("warning")) == (1, 1000)
    assert "2,000 combinations, $16,000.00; the limit is 1,000" in found.out


def test_prices_per_step_are_summed_over_the_product(offline: Inside) -> None:
    offline.project('prices:\n  - {from: 2026-01-01, per_step: "0.01", minimum: "8.00"}\n')
    sweep(offline, rates="[1e-5, 2e-5, 3e-5]")
    assert "9 combinations, $135.00;" in offline.run("plan").err
    sweep(offline, exclude=WITHOUT_ONE)
    assert offline.plan()["cost"]["due"] == "70.00"
