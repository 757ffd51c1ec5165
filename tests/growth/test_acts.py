"""Declared acts on both protocols: each is in the plan with its cost, is done once, and leaves a fact in the journal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.emulator.faults import Fault, When
from reconciler.emulator.server import Emulator
from tests.growth.inside import Inside


@pytest.fixture
def project(both: Inside, server: Emulator) -> Iterator[Inside]:
    yield both
    server.plan.replace([])


def facts(project: Inside, kind: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (project.path / "state" / "purchases.jsonl").read_text().splitlines()]
    return [row["data"] for row in rows if row["kind"] == kind]


def model(name: str, data: str, more: str = "") -> str:
    return f"  {name}:\n    dataset: https://data.example.com/{data}.zip\n    steps: 700\n{more}"


def write(project: Inside, models: str, acts: str = "", name: str = "a.yaml") -> None:
    project.write(f"version: 1\nmodels:{' {}' if not models else ''}\n{models}{acts}", name)


def once(project: Inside, server: Emulator, actions: dict[str, str], *, due: str = "0.00") -> None:
    """The plan has these actions at this price, the apply buys no more than that, and a second plan is empty."""
    plan = project.plan()
    assert {c["name"]: c["action"] for c in plan["changes"] if c["action"] != "wait"} == actions
    assert plan["cost"]["due"] == due
    before = len(server.books.charges())
    assert project.apply("-wait=60s").code == 0
    assert (len(server.books.charges()) - before) * 8 == float(due)
    assert project.run("plan", "-detailed-exitcode").code == 0
    serial = len((project.path / "state" / "purchases.jsonl").read_text().splitlines())
    assert project.apply().code == 0
    assert len((project.path / "state" / "purchases.jsonl").read_text().splitlines()) == serial, "a second apply writes nothing down"


def test_moved_takes_history_and_protection_along_also_when_the_spec_changes_at_once(project: Inside, server: Emulator) -> None:
    protected = "    lifecycle: {prevent_retrain: true}\n"
    write(project, model("otter", "moved", protected))
    once(project, server, {"otter": "train"}, due="8.00")
    moved = "moved:\n  - {from: otter, to: lutra}\n"
    write(project, model("lutra", "moved"), moved)
    once(project, server, {"lutra": "move"})
    write(project, model("lutra", "moved-2"), moved)
    assert project.run("plan").code == 4, "the protection went along"
    write(project, model("lutra", "moved"), moved)
    assert project.run("plan", "-detailed-exitcode").code == 0
    (bound, unbound) = facts(project, "binding")[-2:]
    assert (bound["name"], bound["reason"], bound["metadata"]["lifecycle"]["prevent_retrain"]) == ("lutra", "move", True)
    assert (unbound["name"], unbound["job"]) == ("otter", None)


def test_moved_with_another_spec_is_a_retrain_of_one_name(project: Inside, server: Emulator) -> None:
    write(project, model("otter", "respec"))
    once(project, server, {"otter": "train"}, due="8.00")
    write(project, model("lutra", "respec-2"), "moved:\n  - {from: otter, to: lutra}\n")
    (change,) = project.plan()["changes"]
    assert (change["name"], change["previous_name"], change["action"], change["cost"]) == ("lutra", "otter", "retrain", "8.00")
    once(project, server, {"lutra": "retrain"}, due="8.00")


def test_removed_retires_a_held_name_with_its_reason(project: Inside, server: Emulator) -> None:
    write(project, model("beaver", "beaver", "    lifecycle: {on_remove: hold}\n"))
    once(project, server, {"beaver": "train"}, due="8.00")
    write(project, "")
    assert project.actions() == {"beaver": "held"}
    assert project.apply().code == 0
    assert project.actions() == {"beaver": "held"}, "the hold stands in the state, not in the block"
    write(project, "", "removed:\n  - {name: beaver, reason: campaign ended}\n")
    assert "campaign ended" in project.run("plan").out
    once(project, server, {"beaver": "forget"})
    fact = facts(project, "binding")[-1]
    assert (fact["name"], fact["job"], fact["metadata"]) == ("beaver", None, {"removed": "campaign ended"})
    assert "campaign ended" in project.run("history", "beaver").out


def test_adopt_takes_over_what_was_bought_elsewhere_and_buys_nothing(project: Inside, server: Emulator, tmp_path: Any) -> None:
    elsewhere = Inside.new(tmp_path / "elsewhere", server.url)
    elsewhere.write(f"version: 1\nmodels:\n{model('banner', 'banner')}")
    assert elsewhere.apply("-wait=60s").code == 0
    request_id = elsewhere.jobs()[0]["request_id"]
    adopt = f"adopt:\n  - {{name: banner, request_id: {request_id}, note: submitted by hand}}\n"
    write(project, model("banner", "banner"), adopt)
    (change,) = project.plan()["changes"]
    assert (change["action"], change["cost"]) == ("adopt", "0.00")
    once(project, server, {"banner": "adopt"})
    (fact,) = facts(project, "adoption")
    assert (fact["name"], fact["request_id"], fact["price"]) == ("banner", request_id, "0.00")
    assert "submitted by hand" in fact["note"]
    assert project.run("output", "banner", "-format=raw").code == 0
    write(project, model("banner", "banner") + model("second", "other"), adopt)
    once(project, server, {"second": "train"}, due="8.00")


def test_an_adopted_id_that_the_api_does_not_know_is_an_error_and_binds_nothing(project: Inside, server: Emulator) -> None:
    write(project, model("banner", "unknown-id"), "adopt:\n  - {name: banner, request_id: 00000000-0000-0000-0000-000000000000}\n")
    before = len(server.books.charges())
    refused = project.apply()
    assert refused.code == 1
    assert "does not know" in refused.err
    assert facts(project, "adoption") == []
    assert len(server.books.charges()) == before


def doubt(project: Inside, server: Emulator, name: str) -> str:
    server.plan.replace([Fault("accept_then_close", when=When(body=f"{name}.zip"))])
    write(project, model(name, name))
    assert project.apply().code == 7
    server.plan.replace([])
    (row,) = project.run("status", "-json").json["in_doubt"]
    assert row["name"] == name
    return str(row["attempt"])


def test_a_resolution_with_an_id_ends_a_doubt_once(project: Inside, server: Emulator) -> None:
    attempt = doubt(project, server, "found")
    entry = [e for e in server.books.charges() if e.dataset == "https://data.example.com/found.zip"][-1]
    write(
        project, model("found", "found"), f"resolutions:\n  - {{attempt: {attempt}, outcome: {{request_id: {entry.request_id}}}, reason: vendor ticket 4711}}\n"
    )
    plan = project.plan()
    assert [(c["action"], c["cost"]) for c in plan["changes"]] == [("in_doubt", "0.00")]
    assert "resolved by models/a.yaml" in project.run("plan").out
    once(project, server, {"found": "in_doubt"})
    (fact,) = facts(project, "resolution")
    assert (fact["attempt"], fact["request_id"], fact["reason"]) == (attempt, entry.request_id, "vendor ticket 4711")


def test_a_resolution_that_nothing_was_submitted_frees_the_model_for_the_next_plan(project: Inside, server: Emulator) -> None:
    attempt = doubt(project, server, "nothing")
    write(project, model("nothing", "nothing"), f"resolutions:\n  - {{attempt: {attempt}, outcome: not_submitted, reason: vendor ticket 4711}}\n")
    assert project.actions() == {"nothing": "in_doubt"}
    assert project.apply().code == 0
    (fact,) = facts(project, "resolution")
    assert (fact["attempt"], fact.get("request_id")) == (attempt, None)
    once(project, server, {"nothing": "train"}, due="8.00")
    assert len(facts(project, "resolution")) == 1


def test_a_resolution_of_an_attempt_that_does_not_exist_is_a_warning_with_the_nearest(project: Inside, server: Emulator) -> None:
    attempt = doubt(project, server, "typo")
    write(project, model("typo", "typo"), f"resolutions:\n  - {{attempt: {attempt}x, outcome: not_submitted, reason: x}}\n")
    (found,) = [d for d in project.plan()["diagnostics"] if d["code"] == "no-such-attempt"]
    assert attempt in found["detail"]
    assert (found["severity"], found["file"], found["line"]) == ("warning", "models/a.yaml", 7)
    assert project.apply().code == 7


def bought_elsewhere(server: Emulator, folder: Any, *names: str) -> dict[str, str]:
    elsewhere = Inside.new(folder, server.url)
    elsewhere.write("version: 1\nmodels:\n" + "".join(model(n, n) for n in names))
    assert elsewhere.apply("-wait=60s").code == 0
    return {j["name"]: j["request_id"] for j in elsewhere.jobs()}


def test_adopt_of_a_file_is_one_transaction(project: Inside, server: Emulator, tmp_path: Any) -> None:
    """One id that the API does not know, and nothing of the file is recorded; the error names its line."""
    ids = bought_elsewhere(server, tmp_path / "csv", "c1", "c2", "c3")
    write(project, "".join(model(n, n) for n in ids))
    rows = [f"{name},{request_id},by hand" for name, request_id in ids.items()]
    journal = project.path / "state" / "purchases.jsonl"
    before = journal.read_bytes()
    (project.path / "ids.csv").write_text("\n".join(["name,request_id,note", *rows[:2], "c3,00000000-0000-0000-0000-000000000000,"]) + "\n")
    refused = project.run("adopt", "-file=ids.csv")
    assert refused.code == 1
    assert "ids.csv:4:1: error[adopt]" in refused.err
    assert journal.read_bytes() == before
    (project.path / "ids.csv").write_text("\n".join(["name,request_id,note", *rows, "c9,x,"]) + "\n")
    assert "ids.csv:5:1" in project.run("adopt", "-file=ids.csv").err
    assert journal.read_bytes() == before
    (project.path / "ids.csv").write_text("\ufeff" + "\r\n".join(["request_id,name", *(f"{i},{n}" for n, i in ids.items())]))
    assert project.run("import", "-file=ids.csv").code == 0
    assert [f["request_id"] for f in facts(project, "adoption")] == list(ids.values())
    charges = len(server.books.charges())
    assert project.apply("-wait=60s").code == 0
    assert project.run("plan", "-detailed-exitcode").code == 0
    assert len(server.books.charges()) == charges
    assert project.run("adopt", "c1", ids["c1"]).code == 1, "one id is one purchase"
