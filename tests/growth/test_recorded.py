"""`init -from-requests`: who trained by script starts without buying anything again."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator.server import Emulator
from reconciler.trainer import PIXAZO_FLUX2_PRO
from tests.growth.inside import Inside

HEADERS = {"Ocp-Apim-Subscription-Key": "script-key-0123456789abcdef", "Content-Type": "application/json"}


def script(server: Emulator, name: str, **parameters: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What people do today: one POST. The body and the answer."""
    body = {"image_data_url": f"https://data.example.com/{name}.zip?X-Amz-Signature=abc", **parameters}
    request = urllib.request.Request(server.url + PIXAZO_FLUX2_PRO.submit_url_path, json.dumps(body).encode(), HEADERS)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return body, json.loads(answer.read())


def started(tmp_path: Path, server: Emulator, source: str) -> Inside:
    project = Inside(tmp_path, server.url)
    made = project.run("init", "project", f"-from-requests={source}")
    assert made.code == 0, made
    return Inside(tmp_path / "project", server.url)


def buys_nothing_again(project: Inside, server: Emulator, adopted: set[str]) -> None:
    before = len(server.books.charges())
    plan = project.plan()
    assert {c["name"] for c in plan["changes"] if c["action"] == "adopt"} == adopted
    assert plan["cost"]["due"] == "0.00"
    assert project.apply("-wait=60s", "-max-cost=0").code == 0
    assert project.run("plan", "-detailed-exitcode").code == 0
    assert len(server.books.charges()) == before
    assert {m["name"] for m in project.run("output", "-json").json["models"]} == adopted


def test_a_folder_of_recorded_bodies_and_answers_becomes_a_catalog_that_owes_nothing(tmp_path: Path, server: Emulator) -> None:
    folder = tmp_path / "recorded"
    folder.mkdir()
    body, answer = script(server, "one", steps=700, learning_rate=3e-5)
    (folder / "Otter One.json").write_text(
        json.dumps({"name": "otter-one", "url": "https://x", "headers": HEADERS, "request": body, "response": answer}, indent=1)
    )
    body, answer = script(server, "two")
    (folder / "two.json").write_text(json.dumps(body))
    (folder / "two.response.json").write_text(json.dumps(answer))
    body, answer = script(server, "three", steps=800)
    (folder / "three.json").write_text("\ufeff" + json.dumps({"body": json.dumps(body), "answer": json.dumps({"data": {"task_id": answer["request_id"]}})}))
    (folder / "four.json").write_text(json.dumps(body | {"steps": 900}))
    project = started(tmp_path, server, "recorded")
    text = (project.path / "models" / "from-requests.yaml").read_text()
    assert "script-key" not in text
    assert "X-Amz" not in text
    assert not (project.path / "models" / "example.yaml").exists()
    assert project.run("fmt", "-check").code == 0
    assert {c["name"]: c["reason"] for c in project.plan()["changes"] if c["action"] == "held"} == {"four": "suspended"}
    buys_nothing_again(project, server, {"otter-one", "two", "three"})
    spec = {f["path"]: f["value"] for f in project.run("show", "-resolved=otter-one", "-json").json["fields"]}
    assert (spec["steps"], spec["learning_rate"], spec["dataset"]) == (700, 3e-05, "https://data.example.com/one.zip")


def test_a_csv_becomes_a_catalog_that_owes_nothing(tmp_path: Path, server: Emulator) -> None:
    rows = ["name,dataset,steps,learning_rate,request_id"]
    for name, steps, rate in (("a", "700", "3e-5"), ("b", "700.0", ""), ("123", "", "0.00003")):
        body, answer = script(server, f"csv-{name}")
        rows.append(f"{name},{body['image_data_url']},{steps},{rate},{answer['request_id']}")
    (tmp_path / "jobs.csv").write_text("\r\n".join(rows) + "\r\n")
    project = started(tmp_path, server, "jobs.csv")
    buys_nothing_again(project, server, {"a", "b", "123"})
    again = Inside(tmp_path, server.url).run("init", "project", "-from-requests=jobs.csv")
    assert again.code == 64
    assert "exists already; nothing was written" in again.err


GOOD = "a,https://d.example.com/a.zip,700,3e-5,id-1"
HEAD = "name,dataset,steps,learning_rate,request_id"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([HEAD, GOOD, "B!,https://d.example.com/b.zip,,,"], "jobs.csv:3:1: error[E106]"),
        ([HEAD, GOOD, "a,https://d.example.com/b.zip,,,"], "jobs.csv:3:1: error[E200]"),
        ([HEAD, GOOD, "b,https://d.example.com/b.zip,,,id-1"], "jobs.csv:3:1: error[E201]"),
        ([HEAD, GOOD, "b,ftp://d.example.com/b.zip,,,"], "jobs.csv:3:1: error[E110]"),
        ([HEAD, GOOD, "b,,,,"], "jobs.csv:3:1: error[E110]"),
        ([HEAD, GOOD, "b,https://d.example.com/b.zip,many,,"], "jobs.csv:3:1: error[E102]"),
        ([HEAD, GOOD, "b,https://d.example.com/b.zip,0,,"], "jobs.csv:3:1: error[E104]"),
        ([HEAD, GOOD, "b,https://d.example.com/b.zip,,2,"], "jobs.csv:3:1: error[E104]"),
        ([HEAD, GOOD, "b,https://d.example.com/b.zip,,,id two"], "jobs.csv:3:1: error[E105]"),
        ([HEAD, GOOD, "b,https://d.example.com/b.zip"], "jobs.csv:3:1: error[E010]"),
        ([HEAD + ",stpes", GOOD + ",1"], "Did you mean steps?"),
        (["name,steps", "a,1"], "`dataset` is missing"),
    ],
)
def test_errors_of_a_csv_are_told_by_line_and_nothing_is_written(tmp_path: Path, lines: list[str], said: str) -> None:
    (tmp_path / "jobs.csv").write_text("\n".join(lines) + "\n")
    refused = Inside(tmp_path).run("init", "project", "-from-requests=jobs.csv")
    assert refused.code == 1
    assert said in refused.err
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n "image_data_url": 3\n}', "r/a.json:2:2: error[E101]"),
        ('{\n "image_data_url": "https://d.example.com/a.zip",\n "stpes": 3\n}', "r/a.json:3:2: error[E100]"),
        ('{\n "image_data_url": "https://d.example.com/a.zip",\n "steps": "3x"\n}', "r/a.json:3:2: error[E102]"),
        ('{\n "image_data_url": "https://d.example.com/a.zip",\n "steps": true}', "r/a.json:3:2: error[E102]"),
        ("{\n\n,}", "r/a.json:3:1: error[E010]"),
        ("[]", "r/a.json:1:1: error[E027]"),
        ("{}", "r/a.json:1:1: error[E101]"),
        ('{"image_data_url": "https://d.example.com/a.zip", "steps": NaN}', "NaN is not a number"),
        ('{"a": 1, "a": 2}', "a key stands twice"),
        ("[" * 100_000, "not usable JSON"),
    ],
)
def test_errors_of_recorded_bodies_are_told_by_line_and_all_at_once(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "a.json").write_text(text)
    (tmp_path / "r" / "b.json").write_text("nonsense")
    refused = Inside(tmp_path).run("init", "project", "-from-requests=r")
    assert refused.code == 1
    assert said in refused.err
    assert "r/b.json:1:1: error[E010]" in refused.err
    assert not (tmp_path / "project").exists()


def test_nothing_to_convert_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source in ("empty", "nope"):
        assert Inside(tmp_path).run("init", "project", f"-from-requests={source}").code == 64
