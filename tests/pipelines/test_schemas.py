"""The schemas in the package are schemas, and say what documents hold."""

from __future__ import annotations

import json

import pytest

from reconciler.emulator.faults import Fault
from reconciler.emulator.server import Emulator
from reconciler.reports.schemas import SCHEMAS
from tests.documents import check, documents
from tests.pipelines.shell import Project

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed: pip install 'lora-reconciler[test]'")


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_shipped_schema_is_a_schema(project: Project, kind: str) -> None:
    printed = project.run("schema", kind)
    assert printed.code == 0
    jsonschema.Draft7Validator.check_schema(json.loads(printed.out))


def test_a_document_that_is_not_as_its_schema_says_is_found() -> None:
    """The check of all other tests can fail."""
    for words, out in [
        (["plan", "-json"], '{"format_version": "1.0", "kind": "plan"}'),
        (["status", "-json"], '{"format_version": "2.0"}'),
        (["apply", "-json"], '{"type": "purchase_intent"}\n'),
        (["plan", "-json"], '{"kind": "error"}'),
    ]:
        with pytest.raises(AssertionError):
            check(words, out)


def test_the_documents_of_one_story(project: Project, emulator: Emulator) -> None:
    """plan, refused plan, apply and refresh with doubts, rejections and failures, status, jobs, validate, errors; files too."""
    failing = {"dataset": "https://data.example.com/fail-training.zip", "steps": 100}
    project.models(a={"steps": 100}, b={"steps": 101}, twin={"steps": 101}, bad=failing)
    assert project.run("plan", "-json", "-out=plan.json").code == 0
    project.run("show", "plan.json", "-json")
    emulator.plan.replace([Fault("accept_then_close", times=1), Fault("refuse", times=1, settings={"status": 422})])
    applied = project.apply("-json", "-parallelism=1", "-wait=60s", "-json-into=events.jsonl")
    assert applied.code == 7
    assert {e["type"] for e in applied.events} >= {
        "version", "planned_change", "change_summary", "purchase_intent", "purchase_in_doubt", "purchase_rejected", "purchase_accepted", "job_settled"
    }  # fmt: skip
    emulator.plan.replace([])
    again = project.apply("-json", "-wait=60s")
    assert again.code == 7
    assert (project.path / "events.jsonl").read_text() == applied.out
    for words in (["status"], ["jobs", "list"], ["validate"], ["plan", "-replace=bad"], ["refresh"], ["plan", "-target=nobody"], ["status", "nobody"]):
        seen = project.run(*words, "-json")
        assert list(documents([*words, "-json"], seen.out)), words
    project.write("models: {a: {steps: no}}")
    assert project.run("plan", "-json").json["kind"] == "error"
    assert project.run("validate", "-json").code == 1
    assert project.apply("-json").events[0]["type"] == "diagnostic"
