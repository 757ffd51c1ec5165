"""`-report FORMAT=PATH` through the command: every format, however the run ended; files replaced, appended to, or not to be written."""

from __future__ import annotations

import json
import os
import re
import threading
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from reconciler.emulator.faults import Fault
from reconciler.emulator.server import Emulator
from reconciler.reports.formats import FORMATS
from tests.pipelines.shell import Project

ALL = [word for form in FORMATS for word in ("-report", f"{form}={form}.txt")]
ONE = {"a": {"steps": 100}}


def texts(project: Project) -> dict[str, str]:
    """What was written, by format; the files are gone afterwards."""
    found = {form: (project.path / f"{form}.txt").read_text(encoding="utf-8") for form in FORMATS}
    for form in FORMATS:
        (project.path / f"{form}.txt").unlink()
    return found


def values(project: Project) -> tuple[dict[str, str], dict[str, str]]:
    """All texts and the step's outputs, after looking at what holds for every run."""
    found = texts(project)
    outputs = dict(line.split("=", 1) for line in found["github-output"].splitlines())
    assert {f"LORA_{k.upper()}": v for k, v in outputs.items()} == dict(line.split("=", 1) for line in found["dotenv"].splitlines())
    assert set(json.loads(found["gitlab-terraform"])) == {"create", "update", "delete"}
    assert isinstance(json.loads(found["codequality"]), list)
    assert json.loads(found["badge"])["schemaVersion"] == 1
    assert json.loads(found["sarif"])["version"] == "2.1.0"
    assert all(json.loads(line) for line in found["jsonl"].splitlines())
    assert ET.fromstring(found["junit"]).tag == "testsuites"
    assert found["markdown"].splitlines()[1] == found["summary"].splitlines()[0]
    assert all(line.startswith("::") for line in found["annotations"].splitlines())
    json.loads(found["json"])
    return found, outputs


def test_plan_writes_every_format(project: Project) -> None:
    project.models(**ONE)
    assert project.run("plan", *ALL).code == 0
    found, outputs = values(project)
    assert (outputs["cost"], outputs["paid"], outputs["failure_reason"], outputs["exit_code"]) == ("8.00", "1", "", "0")
    assert "**+$8.00** to apply" in found["markdown"]
    assert json.loads(found["json"]) == project.plan() | {"created_at": json.loads(found["json"])["created_at"]} | {
        "document_digest": json.loads(found["json"])["document_digest"]
    }
    assert project.run("plan", "-detailed-exitcode", *ALL).code == 2
    assert values(project)[1]["failure_reason"] == "changes"


@pytest.mark.parametrize("command", ["plan", "validate", "apply"])
def test_invalid_manifests_are_reported_in_every_format(project: Project, command: str) -> None:
    project.write("version: 1\nmodels:\n  a: {dataset: x, stepz: 5}\n")
    words = ("apply", "-auto-approve") if command == "apply" else (command,)
    assert project.run(*words, *ALL).code == 1
    found, outputs = values(project)
    assert (outputs["failure_reason"], outputs["exit_code"], outputs["spend_digest"]) == ("invalid", "1", "")
    assert "the manifests are not valid" in found["markdown"]
    assert "`models/a.yaml:3`" in found["markdown"]
    assert "::error file=models/a.yaml,line=3" in found["annotations"]
    assert json.loads(found["codequality"])[0]["location"] == {"path": "models/a.yaml", "lines": {"begin": 3}}
    assert json.loads(found["badge"])["color"] == "red"
    assert re.search(r'"key":"[0-9a-f]{8}/default"', found["markdown"].splitlines()[0])


def test_valid_manifests_are_told_by_validate(project: Project) -> None:
    project.models(**ONE)
    assert project.run("validate", *ALL).code == 0
    found, outputs = values(project)
    assert "the manifests are valid" in found["markdown"]
    assert json.loads(found["json"])["valid"] is True
    assert (outputs["failure_reason"], json.loads(found["badge"])["color"]) == ("", "brightgreen")


@pytest.mark.parametrize("damage", ["journal", "key"])
def test_what_forbids_a_plan_or_an_apply_is_reported(project: Project, emulator: Emulator, damage: str) -> None:
    project.models(**ONE)
    if damage == "journal":
        (project.path / "state" / "purchases.jsonl").unlink()
        (project.path / "state" / "reconciler.db").unlink(missing_ok=True)
        assert project.run("plan", *ALL).code == 1
        found, outputs = values(project)
        assert outputs["failure_reason"] == "state"
        assert "no plan could be made (state)" in found["markdown"]
    else:
        keyless = Project(project.path, emulator.url, key=None)
        assert keyless.apply(*ALL).code == 1
        found, outputs = values(project)
        assert outputs["failure_reason"] == "api"
        assert "**stopped** (api), nothing was bought" in found["markdown"]
        assert "PIXAZO_API_KEY" in found["markdown"]


def test_the_result_of_an_apply_stands_in_every_format(project: Project, emulator: Emulator) -> None:
    project.models(**ONE, b={"dataset": "https://data.example.com/fail-training.zip", "steps": 100})
    assert project.apply("-wait=60s", *ALL).code == 8
    found, outputs = values(project)
    assert (outputs["failure_reason"], outputs["exit_code"]) == ("job_failed", "8")
    assert "### ⚠️ LoRA catalog `default`: applied" in found["markdown"]
    assert "2 bought $16.00" in found["summary"]
    emulator.plan.replace([Fault("refuse", settings={"status": 401})])
    project.models(**ONE, c={"steps": 120})
    assert project.apply(*ALL).code == 1
    assert values(project)[1]["failure_reason"] == "api"


def test_a_stale_plan_says_what_moved_in_every_format(project: Project) -> None:
    project.models(**ONE)
    project.run("plan", "-out=p.json")
    project.models(a={"steps": 101})
    assert project.run("apply", "p.json", *ALL).code == 5
    found, outputs = values(project)
    assert outputs["failure_reason"] == "plan_changed"
    assert "the plan is not the approved one" in found["markdown"]
    assert "a: train for $8.00" in found["markdown"].replace("`", "")


def test_refresh_reports_how_jobs_ended_and_what_is_left(project: Project, emulator: Emulator) -> None:
    project.models(**ONE)
    assert project.apply().code == 0
    project.models(**ONE, b={"steps": 130})
    assert project.run("refresh", "-wait=60s", *ALL).code == 0
    found, outputs = values(project)
    assert json.loads(found["json"])["models"][0]["phase"] == "succeeded"
    assert "refreshed" in found["markdown"].splitlines()[1]
    assert (outputs["cost"], outputs["exit_code"]) == ("8.00", "0")
    assert project.run("refresh", "-detailed-exitcode", *ALL).code == 0
    values(project)


def test_files_are_replaced_whole_and_those_of_the_runner_are_appended_to(project: Project) -> None:
    project.models(**ONE)
    for name in ("summary", "github-output", "markdown"):
        (project.path / f"{name}.txt").write_text("before\n")
    assert project.run("plan", "-report=summary=summary.txt", "-report=github-output=github-output.txt", "-report=markdown=markdown.txt").code == 0
    kept = {name: (project.path / f"{name}.txt").read_text().startswith("before\n") for name in ("summary", "github-output", "markdown")}
    assert kept == {"summary": True, "github-output": True, "markdown": False}
    assert not [path for path in project.path.iterdir() if path.name.startswith(".markdown")]
    pipe = project.path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    assert project.run("plan", "-report=dotenv=pipe").code == 0
    reader.join(10)
    assert "LORA_COST=8.00" in read[0]


def test_the_alias_is_annotations_and_what_the_runner_has_files_for(project: Project) -> None:
    project.models(**ONE)
    quiet = project.run("plan", "-report", "github")
    assert "::notice file=models/a.yaml,line=1,title=+$8.00 train a::" in quiet.out
    files = {"GITHUB_STEP_SUMMARY": str(project.path / "s.md"), "GITHUB_OUTPUT": str(project.path / "out.txt")}
    assert project.run("plan", "-report=github", **files).code == 0
    assert project.outputs()["cost"] == "8.00"
    assert "+$8.00" in (project.path / "s.md").read_text()
    assert project.run("plan", "-report", "github=notes.txt").code == 0
    assert (project.path / "notes.txt").read_text().startswith("::notice")
    assert project.run("plan", "-report", "markdown").code == 64


@pytest.mark.parametrize("place", ["no/such/folder/x", "models", "/dev/full", "a\0b"])
def test_a_report_that_cannot_be_written_stops_nothing_and_ends_with_1(project: Project, emulator: Emulator, place: str) -> None:
    project.models(**ONE)
    done = project.apply("-report", f"markdown={place}", "-report", f"summary={place}", "-report", "github-output=out.txt")
    assert done.code == 1
    assert done.err.count("Error: -report ") == 2
    assert len(emulator.books.charges()) == 1
    assert project.outputs()["exit_code"] == "1"
    project.models(**ONE, b={"steps": 140})
    emulator.plan.replace([Fault("accept_then_close")])
    assert project.apply("-report", f"markdown={place}").code == 7
    assert project.run("plan", "-detailed-exitcode", "-report", f"markdown={place}").code == 1


def test_events_go_into_a_file_beside_the_text_for_people(project: Project) -> None:
    project.models(**ONE)
    done = project.apply("-json-into=events.jsonl")
    assert "Apply: 1 bought $8.00" in done.err
    assert "+ a  train" in done.out
    events = [json.loads(line) for line in (project.path / "events.jsonl").read_text().splitlines()]
    kinds = [event["type"] for event in events]
    assert kinds.index("purchase_intent") < kinds.index("purchase_accepted")
    assert kinds[-1] == "change_summary"
    assert all({"@level", "@message", "@module", "@timestamp", "type"} <= set(event) for event in events)
    assert project.apply("-json-into=no/such/folder/x").code == 64


def test_hostile_labels_and_messages_change_nothing_but_their_own_cell(project: Project, emulator: Emulator) -> None:
    """Read back by a CommonMark parser: one table of changes, no image, no foreign link, no heading but ours, no raw HTML but ours."""
    labels = {"team": "</details><h1>x</h1> ![i](https://evil.example.com) @everyone #1 | ``` ::error::x"}
    project.models(**ONE)
    assert project.apply().code == 0
    emulator.plan.replace([Fault("refuse", settings={"status": 422})])
    project.models(a={"steps": 100, "labels": labels, "description": "| a ||\n::error::b <img src=x>"}, b={"steps": 150, "labels": labels})
    assert project.run("plan", "-report", "markdown=m.md", "-report", "annotations=a.txt", "-report", "junit=j.xml").code == 0
    text = (project.path / "m.md").read_text()
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [child for token in tokens for child in token.children or []]
    assert sum(token.type == "heading_open" for token in tokens) == 1
    assert not [t for t in inline if t.type in ("image", "link_open")]
    raw = [t.content.strip() for t in [*tokens, *inline] if t.type in ("html_block", "html_inline")]
    assert all(re.fullmatch(r"<!--.*-->|</?(details|summary|sub)( open)?>.*", line, re.DOTALL) for line in raw), raw
    assert not [t for t in inline if t.type == "text" and ("@everyone" in t.content or "<h1" in t.content)]
    changes = [t for t in tokens if t.type == "table_open"]
    assert len(changes) == 2
    assert all(line.startswith("::") and not line.startswith("::error::") for line in (project.path / "a.txt").read_text().splitlines())
    ET.fromstring((project.path / "j.xml").read_text())


def test_the_size_of_a_catalog_does_not_break_the_comment(project: Project) -> None:
    project.settings("budget: {per_apply: 100000}\n")
    project.models(**{f"model_{i:04}": {"steps": 100 + i} for i in range(3000)})
    assert project.run("plan", "-report=markdown=m.md", "-report=summary=s.md", "-report=annotations=a.txt").code == 0
    assert Path(project.path / "m.md").stat().st_size <= 60_000
    assert Path(project.path / "s.md").stat().st_size <= 1_000_000
    assert len((project.path / "a.txt").read_text().splitlines()) == 10
    assert "3,000 changes" in (project.path / "m.md").read_text()


def test_a_file_name_stays_one_property_of_its_annotation(project: Project) -> None:
    (project.path / "models" / "a,line=9,title=x::boo.yaml").write_text('{"version": 1, "models": {"a": {"dataset": "https://data.example.com/a.zip"}}}')
    assert project.run("plan", "-report=annotations=a.txt").code == 0
    assert (project.path / "a.txt").read_text().startswith("::notice file=models/a%2Cline=9%2Ctitle=x%3A%3Aboo.yaml,line=1,title=")
