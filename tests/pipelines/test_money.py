"""Budgets and guards through the command: refused before the first POST, or stopped before the one that would exceed them."""

from __future__ import annotations

import pytest

from reconciler.emulator.faults import Fault
from reconciler.emulator.server import Emulator
from reconciler.plan.change import Plan
from tests.pipelines.shell import Project

OUT = ("-report", "github-output=out.txt")
THREE = {"a": {"steps": 100}, "b": {"steps": 101}, "c": {"steps": 102, "labels": {"team": "photo"}}}


REFUSALS = {
    "per_apply": ("budget: {per_apply: 23.99}\n", (), "budget", "budget.per_apply"),
    "per_month": ("budget: {per_apply: 80, per_month: {limit: 23.99}}\n", (), "budget", "budget.per_month"),
    "by_label": ("budget: {per_apply: 80, by_label: {team: {photo: 7.99}}}\n", (), "budget", "budget.by_label.team.photo"),
    "max-cost": ("budget: {per_apply: 80}\n", ("-max-cost=23.99",), "budget", "-max-cost"),
    "max_trains": ("budget: {per_apply: 80}\nguards: {max_trains: 2}\n", (), "guard", "guards.max_trains"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_limit_refuses_before_the_first_request(project: Project, emulator: Emulator, case: str) -> None:
    """Exit 4 and the failure reason, from plan and from apply; one cent more and it is bought."""
    settings, words, reason, limit = REFUSALS[case]
    project.settings(settings)
    project.models(**THREE)
    if not words:
        planned = project.run("plan", "-detailed-exitcode", *OUT)
        assert (planned.code, project.outputs()["failure_reason"], project.outputs()["cost"]) == (4, reason, "24.00")
        assert limit in planned.out
    refused = project.apply(*words, *OUT)
    assert (refused.code, project.outputs()["failure_reason"], project.outputs()["exit_code"]) == (4, reason, "4")
    assert limit in refused.err
    assert not emulator.books.charges()
    assert "reconciler.yaml:" in refused.out or words
    project.settings(settings.replace("23.99", "24").replace("7.99", "8").replace("max_trains: 2", "max_trains: 3"))
    assert project.apply(*[w.replace("23.99", "24") for w in words]).code == 0
    assert len(emulator.books.charges()) == 3


def test_money_in_doubt_counts_as_spent_everywhere(project: Project, emulator: Emulator) -> None:
    project.settings("budget: {per_apply: 80, per_month: {limit: 23.99, warn_at: 50%}, by_label: {team: {photo: 15.99}}}\n")
    emulator.plan.replace([Fault("accept_then_close")])
    project.models(c=THREE["c"])
    assert project.apply(*OUT).code == 7
    assert project.outputs()["failure_reason"] == "in_doubt"
    emulator.plan.replace([])
    cost = project.run("cost", "-json").json
    assert (cost["total"]["spent"], cost["total"]["in_doubt"]) == ("0.00", "8.00")
    project.models(c=THREE["c"], d={"steps": 103, "labels": {"team": "photo"}})
    refused = project.apply()
    assert refused.code == 4
    assert "budget.by_label.team.photo: $16.00" in refused.err
    assert "spent or in doubt" in refused.err
    project.models(c=THREE["c"], a=THREE["a"], b=THREE["b"])
    assert "budget.per_month: $24.00" in project.apply().err
    project.models(c=THREE["c"], a=THREE["a"])
    planned = project.run("plan")
    assert planned.code == 0
    assert "budget.per_month: 67 % of the limit" in planned.out
    assert project.apply().code == 7
    assert len(emulator.books.charges()) == 2


def test_too_many_retrains_are_refused_from_ten_models_up(project: Project, emulator: Emulator) -> None:
    project.settings("budget: {per_apply: 1000}\nguards: {max_retrain_percent: 30}\n")
    models = {f"m{i}": {"steps": 100 + i} for i in range(10)}
    project.models(**models)
    assert project.apply("-parallelism=10").code == 0
    project.models(**{name: {"steps": spec["steps"] + (50 if i < 4 else 0)} for i, (name, spec) in enumerate(models.items())})
    refused = project.apply(*OUT)
    assert (refused.code, project.outputs()["failure_reason"]) == (4, "guard")
    assert "4 of 10 models (40 %) to retrain, limit 30 %" in refused.err
    assert len(emulator.books.charges()) == 10
    assert project.apply("-allow-retrain=m0").code == 0
    assert len(emulator.books.charges()) == 14


def test_a_run_of_failures_stops_the_rest(project: Project, emulator: Emulator) -> None:
    project.settings("budget: {per_apply: 1000}\nguards: {stop_after_failures: 2}\n")
    emulator.plan.replace([Fault("error_before_accept")])
    project.models(**{f"m{i}": {"steps": 100 + i} for i in range(6)})
    done = project.apply("-parallelism=1", *OUT, "-report", "markdown=done.md")
    assert done.code == 7
    assert "guards.stop_after_failures" in done.err
    text = (project.path / "done.md").read_text()
    assert "4 not bought $32.00" in text
    assert "Unsent" in text
    assert project.run("status", "-json").json["in_doubt"][0]["amount"] == "8.00"


def test_a_canary_that_fails_saves_the_rest(project: Project, emulator: Emulator) -> None:
    project.models(a={"dataset": "https://data.example.com/fail-training.zip", "steps": 100}, b={"steps": 101}, c={"steps": 102})
    done = project.apply("-canary=1", *OUT)
    assert (done.code, project.outputs()["failure_reason"]) == (4, "guard")
    assert len(emulator.books.charges()) == 1
    assert "2 not bought $16.00" in done.err
    assert "-canary=1" in done.err


def test_a_canary_that_trains_well_lets_the_rest_go(project: Project, emulator: Emulator) -> None:
    project.models(**THREE)
    assert project.apply("-canary=1").code == 0
    assert len(emulator.books.charges()) == 3


@pytest.mark.parametrize("limit", ["budget.per_apply", "-max-cost"])
def test_a_budget_that_runs_out_midway_stops_before_the_request_that_would_exceed_it(
    project: Project, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """Whatever let the plan through: every purchase asks again. What was bought and what was not is said."""
    monkeypatch.setattr(Plan, "applyable", property(lambda _: True))
    project.settings(f"budget: {{per_apply: {20 if limit == 'budget.per_apply' else 80}}}\n")
    project.models(**THREE)
    done = project.apply("-parallelism=1", *OUT, "-report", "markdown=done.md", *(["-max-cost=20"] if limit == "-max-cost" else []))
    assert (done.code, project.outputs()["failure_reason"], project.outputs()["exit_code"]) == (4, "budget", "4")
    assert len(emulator.books.charges()) == 2
    assert f"{limit}: $8.00 more for c, $4.00 left" in done.err
    assert "2 bought $16.00" in done.err
    assert "1 not bought $8.00" in done.err
    text = (project.path / "done.md").read_text()
    assert "applied in part" in text.splitlines()[1]
    assert "2 bought $16.00" in text


def test_a_pause_is_told_by_its_reason(project: Project, emulator: Emulator) -> None:
    project.models(**THREE)
    project.run("pause", "-reason", "holiday")
    assert project.apply(*OUT).code == 4
    assert project.outputs()["failure_reason"] == "paused"


def test_the_ledger_tells_who_when_why_and_how_much(project: Project, emulator: Emulator) -> None:
    who = {
        "GITHUB_ACTOR": "ann",
        "GITHUB_SHA": "ab" * 20,
        "GITHUB_RUN_ID": "17",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "acme/loras",
    }
    project.models(a=THREE["a"], c=THREE["c"])
    assert project.apply(**who).code == 0
    project.models(a={"steps": 150}, twin={"steps": 150}, c=THREE["c"])
    assert project.apply("-wait=60s").code == 0
    entries = project.run("history", "-json").json["entries"]
    bought = [e for e in entries if e["what"] == "bought"]
    assert [(e["name"], e["amount"], e["why"]) for e in bought if e["name"] == "a"] == [
        ("a", "8.00", "first purchase of this name"),
        ("a", "8.00", "steps 100 → 150"),
    ]
    assert (bought[0]["actor"], bought[0]["commit"], bought[0]["run_url"]) == ("ann", "ab" * 20, "https://github.com/acme/loras/actions/runs/17")
    assert project.run("history", "-json").json["spent"] == "24.00"
    assert {e["what"] for e in entries if e["name"] == "twin"} == {"reuse"}
    assert {e["name"] for e in project.run("history", "a", "-json").json["entries"]} == {"a"}
    assert project.run("history", "nobody").code == 1
    assert "steps 100 → 150" in project.run("history").out
    assert project.run("history", "-format=csv").out.count("\nb") == 0
    assert project.run("history", "-format=markdown").out.startswith("| when |")
    team = project.run("cost", "-by=label.team", "-json").json
    assert {row["key"]: row["spent"] for row in team["rows"]} == {"photo": "8.00", "(none)": "16.00"}
    assert project.run("cost", "-by=model", "-format=csv").out.splitlines()[0].startswith("model,jobs,spent")
    assert "| **total** | 3 | $24.00 |" in project.run("cost", "-format=markdown").out
    assert project.run("cost", "-by=team").code == 64
    assert project.run("cost", "-json", "-format=csv").code == 64


def test_cost_and_history_need_neither_key_nor_network_nor_valid_manifests(project: Project, emulator: Emulator) -> None:
    project.models(a=THREE["a"])
    assert project.apply().code == 0
    project.write("models: [")
    offline = Project(project.path, "http://127.0.0.1:1", key=None)
    for words in (("cost",), ("cost", "-by=label.team"), ("history",)):
        done = offline.run(*words)
        assert done.code == 0, done
        assert "$8.00" in done.out
