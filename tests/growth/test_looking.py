"""`show -matrix`, `show -resolved` and `plan -explain`: comparing, origins, reasons. On both protocols where jobs are bought."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.growth.inside import Inside

SWEEP = """version: 1
models:
  shots:
    dataset: https://data.example.com/shots.zip
    matrix:
      steps: [1000, 500]
      learning_rate: [2e-5, 3e-5]
      exclude: [{steps: 1000, learning_rate: 3e-5}]
    winner: {steps: 500, learning_rate: 3e-5}
"""


def test_a_sweep_is_a_table_of_parameters_phases_and_artifacts(both: Inside) -> None:
    both.write(SWEEP)
    new = both.run("show", "-matrix=shots", "-json").json
    assert [c["phase"] for c in new["cells"]] == ["new"] * 3
    assert both.apply("-wait=60s").code == 0
    shown = both.run("show", "-matrix=shots", "-json").json
    assert shown["varied"] == ["learning_rate", "steps"]
    assert [c["parameters"] for c in shown["cells"]] == [
        {"learning_rate": 2e-05, "steps": 500},
        {"learning_rate": 2e-05, "steps": 1000},
        {"learning_rate": 3e-05, "steps": 500},
    ]
    assert [c["winner"] for c in shown["cells"]] == [False, False, True]
    assert shown["winner"] == "shots@learning_rate=3e-05,steps=500"
    assert {c["phase"] for c in shown["cells"]} == {"succeeded"}
    assert all(any(a["role"] == "weights" for a in c["artifacts"]) for c in shown["cells"])
    text = both.run("show", "-matrix", "shots").out
    assert text.startswith("shots: 3 combinations, 3 succeeded\n")
    assert text.count(".safetensors") == 3
    (winner,) = [line.split() for line in text.splitlines() if "winner" in line]
    assert winner[1:5] == ["3e-05", "500", "succeeded", "$8.00"]


def test_a_name_without_a_sweep_is_an_error_that_names_the_sweeps(offline: Inside) -> None:
    offline.write(SWEEP + "  other: {dataset: 'https://data.example.com/o.zip'}\n")
    for name, words in (("other", "has no matrix"), ("shot", "is not declared"), ("shots@steps=1", "is not declared")):
        refused = offline.run("show", f"-matrix={name}")
        assert refused.code == 1
        assert words in refused.err
        assert "shots" in refused.err
    assert offline.run("show", "-matrix=a", "-resolved=b").code == 64


def test_every_value_of_a_model_is_shown_with_the_file_and_line_that_it_comes_from(offline: Inside) -> None:
    offline.project("defaults:\n  labels: {team: brand}\n")
    (offline.path / "models" / "team").mkdir()
    offline.write("version: 1\ndefaults:\n  learning_rate: 3e-5\n", "_defaults.yaml")
    offline.write(
        "version: 1\ndefaults:\n  description: For all\nmodels:\n  otter:\n    dataset:\n      url: https://d.example.com/o.zip\n      id: otter-1\n",
        "team/a.yaml",
    )
    fields = {f["path"]: f for f in offline.run("show", "-resolved=otter", "-json").json["fields"]}
    place = {path: (f["file"], f["line"]) for path, f in fields.items()}
    assert place["learning_rate"] == ("models/_defaults.yaml", 3)
    assert place["description"] == ("models/team/a.yaml", 3)
    assert place["dataset"] == ("models/team/a.yaml", 7), "its url"
    assert place["dataset identity"] == ("models/team/a.yaml", 8)
    assert place["labels.team"][0] == "reconciler.yaml"
    assert (place["steps"], fields["steps"]["origin"], fields["steps"]["value"]) == ((None, None), "default of trainer pixazo-flux2-pro", 1000)
    text = offline.run("show", "-resolved", "otter").out
    assert "models/_defaults.yaml:3:18" in text
    assert "default of trainer pixazo-flux2-pro" in text


def test_a_value_with_variables_names_where_they_were_set(offline: Inside) -> None:
    offline.project("environments:\n  dev: {vars: {bucket: https://d.example.com}}\n")
    offline.write(
        "version: 1\nvariables:\n  steps: {type: integer, default: 900}\n  data: {default: '${var.bucket}/o.zip'}\nmodels:\n"
        "  otter:\n    dataset: ${var.data}\n    steps: ${var.steps}\n"
    )
    fields = {f["path"]: f["variables"] for f in offline.run("show", "-resolved=otter", "-json", "-e=dev").json["fields"]}
    assert fields["steps"] == [{"name": "steps", "origin": "models/a.yaml:3:35"}]
    assert [v["name"] for v in fields["dataset"]] == ["bucket", "data"]
    assert [v["origin"].rsplit(":", 2)[0] for v in fields["dataset"]] == ["reconciler.yaml", "models/a.yaml"]
    assert fields["learning_rate"] == []
    text = offline.run("show", "-resolved=otter", "-e=dev", "-var=steps=800", RECONCILER_VAR_bucket="https://x.example.com").out
    rows = [line.split() for line in text.splitlines()]
    assert ["steps", "800", "models/a.yaml:8:12"] in rows
    assert ["${var.steps}", "-var"] in rows
    assert ["${var.bucket}", "RECONCILER_VAR_bucket"] in rows
    assert ["${var.data}", "models/a.yaml:4:19"] in rows


def git(folder: Path, *words: str) -> None:
    who = {"GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "a@example.com"}
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **who}
    subprocess.run(["git", "-c", "init.defaultBranch=main", *words], cwd=folder, check=True, capture_output=True, env=environment)


OTTER = "version: 1\nmodels:\n  otter:\n    dataset: https://d.example.com/o.zip\n    steps: {steps}\n"


def test_explain_names_the_line_and_the_commit_and_every_way_ends_at_nothing_to_pay(both: Inside) -> None:
    git(both.path, "init", "-q")
    for steps in (500, 800):
        both.write(OTTER.format(steps=steps))
        git(both.path, "add", "models")
        git(both.path, "commit", "-qm", f"Train {steps} steps")
        assert both.apply().code == 0
    both.write("# a new first line\n" + OTTER.format(steps=900))
    (since,) = both.run("plan", "-explain=otter", "-json").json["since"]
    assert (since["line"], since["commit"]["id"]) == (6, "")
    git(both.path, "commit", "-qam", "Longer\n\nbody")
    both.write("# another\n# a new first line\n" + OTTER.format(steps=900))
    told = both.run("plan", "-explain=otter", "-json").json
    (since,) = told["since"]
    assert (since["path"], since["before"], since["after"], since["file"], since["line"]) == ("steps", 800, 900, "models/a.yaml", 7)
    assert (since["commit"]["author"], since["commit"]["summary"]) == ("Ann", "Longer")
    assert (told["action"], told["cost"]) == ("retrain", "8.00")
    assert [w["how"] for w in told["avoid"]] == ["revert", "ignore", "bind", "suspend", "adopt"]
    text = both.run("plan", "-explain", "otter").out
    assert "steps  800 → 900, models/a.yaml:7, commit " in text
    assert "steps: 500 is job " in text
    ways = ("steps: 800", "steps: 900\n    lifecycle: {ignore_changes: [steps]}", "steps: 500", "steps: 900\n    lifecycle: {suspend: true}")
    for written in ways:
        both.write(OTTER.replace("steps: {steps}", written))
        assert both.plan()["cost"]["due"] == "0.00", written


def test_explain_works_outside_of_git_for_unchanged_and_unknown_names(offline: Inside) -> None:
    offline.write(OTTER.format(steps=500))
    new = offline.run("plan", "-explain=otter", "-json").json
    assert [s["commit"] for s in new["since"]] == [None]
    assert new["reason"] == "new_model"
    assert offline.apply("-emulate").code == 0
    same = offline.run("plan", "-emulate", "-explain=otter")
    assert same.code == 0
    assert "To pay nothing" not in same.out
    refused = offline.run("plan", "-explain=oter")
    assert refused.code == 1
    assert "did you mean otter?" in refused.err
    assert offline.run("plan", "-explain=otter", "-out=p.json").code == 64


def test_explaining_runs_no_code_of_the_repository(offline: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Filters, text conversions, hooks and monitors of a hostile repository stay asleep; so does its network."""
    offline.write(OTTER.format(steps=500))
    git(offline.path, "init", "-q")
    git(offline.path, "add", "models")
    git(offline.path, "commit", "-qm", "First")
    (offline.path / ".gitattributes").write_text("*.yaml filter=evil diff=evil merge=evil\n")
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\ncat\n")
    trap.chmod(0o755)
    for key in (
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "diff.evil.textconv",
        "diff.evil.command",
        "core.fsmonitor",
        "core.pager",
        "core.sshCommand",
        "core.alternateRefsCommand",
        "credential.helper",
    ):
        git(offline.path, "config", key, str(trap))
    git(offline.path, "config", "core.hooksPath", str(tmp_path))
    (tmp_path / "sprung").unlink(missing_ok=True)
    (since,) = offline.run("plan", "-explain=otter", "-json").json["since"]
    assert since["commit"]["summary"] == "First"
    assert not (tmp_path / "sprung").exists()
