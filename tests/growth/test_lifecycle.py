"""Lifecycle on both protocols: protection that outlives its block, retries, ignored changes, suspension, jobs that are not shared."""

from __future__ import annotations

from reconciler.emulator.server import Emulator
from tests.growth.inside import Inside


def write(project: Inside, data: str, *, steps: int = 700, lifecycle: str = "", name: str = "otter", more: str = "") -> None:
    block = f"    lifecycle: {{{lifecycle}}}\n" if lifecycle else ""
    project.write(f"version: 1\nmodels:\n  {name}:\n    dataset: https://data.example.com/{data}.zip\n    steps: {steps}\n{block}{more}")


def bought(project: Inside, server: Emulator, *words: str, code: int = 0) -> int:
    before = len(server.books.charges())
    result = project.apply("-wait=60s", *words)
    assert result.code == code, result
    return len(server.books.charges()) - before


def test_protection_holds_after_its_block_was_removed_and_one_flag_lifts_exactly_that_one(both: Inside, server: Emulator) -> None:
    other = "  heron:\n    dataset: https://data.example.com/p.zip\n    steps: {}\n{}"
    protect = "    lifecycle: {prevent_retrain: true}\n"
    write(both, "protected", lifecycle="prevent_retrain: true", more=other.format(800, protect))
    assert bought(both, server) == 2
    write(both, "protected", more=other.format(800, ""))
    assert both.run("plan", "-detailed-exitcode").code == 0, "removing the block lifts nothing and changes nothing"
    assert bought(both, server) == 0
    write(both, "protected", steps=701, more=other.format(801, ""))
    refused = both.run("plan", "-json")
    assert refused.code == 4
    assert {c["name"]: (c["action"], c["reason"]) for c in refused.json["changes"]} == {"otter": ("held", "protected"), "heron": ("held", "protected")}
    assert refused.json["cost"]["due"] == "0.00"
    assert bought(both, server, code=4) == 0
    assert both.run("plan", "-detailed-exitcode").code == 4
    assert bought(both, server, "-allow-retrain=otter", code=4) == 0, "heron is still protected, so the plan is refused as a whole"
    write(both, "protected", steps=701, more=other.format(800, ""))
    assert bought(both, server, "-allow-retrain=heron", code=4) == 0
    assert bought(both, server, "-allow-retrain=otter") == 1
    write(both, "protected", steps=702, more=other.format(800, ""))
    assert both.run("plan").code == 4, "the flag lifts it once"
    assert bought(both, server, "-allow-retrain=nobody", code=1) == 0


def test_protection_goes_along_with_a_rename_and_is_lifted_by_false_alone(both: Inside, server: Emulator) -> None:
    write(both, "lifted", lifecycle="prevent_retrain: true")
    assert bought(both, server) == 1
    write(both, "lifted", name="lutra")
    assert bought(both, server) == 0
    write(both, "lifted", name="lutra", steps=701)
    assert both.run("plan").code == 4
    write(both, "lifted", name="lutra", steps=701, lifecycle="prevent_retrain: false")
    assert both.actions() == {"lutra": "update"}, "the plan that lifts a protection buys nothing yet"
    assert bought(both, server) == 0
    assert both.actions() == {"lutra": "retrain"}
    assert bought(both, server) == 1


def test_protection_does_not_forbid_what_is_free(both: Inside, server: Emulator) -> None:
    write(both, "free", steps=600)
    assert bought(both, server) == 1
    write(both, "free", steps=700, lifecycle="prevent_retrain: true")
    assert both.run("plan").code == 4, "a protection that is declared together with the change protects already"
    write(both, "free", steps=600, lifecycle="prevent_retrain: true")
    assert both.actions() == {"otter": "update"}
    assert bought(both, server) == 0
    write(both, "free", steps=600, more="    description: Text\n")
    assert both.actions() == {"otter": "update"}


def test_a_name_that_is_held_on_removal_stays_until_it_is_retired(both: Inside, server: Emulator) -> None:
    write(both, "kept", lifecycle="on_remove: hold")
    assert bought(both, server) == 1
    both.write("version: 1\nmodels: {}\n")
    assert both.actions() == {"otter": "held"}
    assert bought(both, server) == 0
    assert both.run("output", "otter", "-format=raw").code == 0, "its outputs are still there"
    write(both, "kept", lifecycle="on_remove: hold")
    assert both.run("plan", "-detailed-exitcode").code == 0
    write(both, "kept")
    assert both.actions() == {"otter": "update"}
    assert bought(both, server) == 0
    both.write("version: 1\nmodels: {}\n")
    assert both.actions() == {"otter": "forget"}


def test_a_failure_is_bought_again_within_max_attempts_and_then_held(both: Inside, server: Emulator) -> None:
    write(both, "fail-training-retry", lifecycle="on_failure: retry, max_attempts: 3")
    assert [bought(both, server, code=code) for code in (8, 8, 8, 0)] == [1, 1, 1, 0]
    (change,) = both.plan()["changes"]
    assert (change["action"], change["reason"]) == ("held", "max_attempts")
    write(both, "fail-training-retry", name="renamed", lifecycle="on_failure: retry, max_attempts: 3")
    assert bought(both, server) == 0, "a rename is no new allowance"


def test_ignored_changes_are_no_reason_to_buy_until_they_count_again(both: Inside, server: Emulator) -> None:
    write(both, "ignored")
    assert bought(both, server) == 1
    write(both, "ignored-elsewhere", steps=701, lifecycle="ignore_changes: [dataset.url, steps]")
    assert both.actions() == {"otter": "update"}
    assert bought(both, server) == 0
    assert both.run("plan", "-detailed-exitcode").code == 0
    write(both, "ignored-elsewhere", steps=701, lifecycle="ignore_changes: [dataset.url]")
    assert both.actions() == {"otter": "retrain"}


def test_a_suspended_model_is_not_bought_until_it_is_resumed(both: Inside, server: Emulator) -> None:
    write(both, "suspended", lifecycle="suspend: true")
    plan = both.plan()
    assert [(c["action"], c["reason"], c["cost"]) for c in plan["changes"]] == [("held", "suspended", "0.00")]
    assert bought(both, server) == 0
    assert both.run("plan", "-detailed-exitcode").code == 0, "nothing to look at: it is meant"
    write(both, "suspended")
    assert bought(both, server) == 1


def test_reuse_false_makes_the_name_part_of_the_spec(both: Inside, server: Emulator) -> None:
    shared = "  second:\n    dataset: https://data.example.com/own.zip\n    steps: 700\n{}"
    write(both, "own", more=shared.format(""))
    assert bought(both, server) == 1
    write(both, "own", more=shared.format("    lifecycle: {reuse: false}\n"))
    assert both.actions() == {"second": "retrain"}
    assert bought(both, server) == 1
    assert both.run("plan", "-detailed-exitcode").code == 0
