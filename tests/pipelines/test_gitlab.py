"""The GitLab pipeline's own shell lines, run as its runner does against the emulator and a forge on loopback."""

from __future__ import annotations

import json
import os
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reconciler.emulator.server import Emulator
from tests.pipelines.forge import TOKEN, Forge
from tests.pipelines.repository import Repository
from tests.pipelines.runner import EXAMPLES, bash, git, machine

DOCUMENT = YAML(typ="safe", pure=True).load((EXAMPLES / "gitlab" / ".gitlab-ci.yml").read_text())
KEY = os.environ["PIXAZO_API_KEY"]


class Pipeline:
    """One pipeline: each job in a fresh clone, with the artifacts of the jobs that it needs."""

    def __init__(self, folder: Path, repository: Repository, variables: dict[str, str]) -> None:
        self.folder, self.repository, self.variables = folder, repository, variables
        self.kept = folder / "artifacts"
        self.dotenv: dict[str, str] = {}
        folder.mkdir()

    def job(self, name: str, **more: str) -> tuple[int, str]:
        body = DOCUMENT[name]
        workspace = self.folder / name
        workspace.mkdir()
        git(workspace, "clone", "-q", "--single-branch", str(self.repository.origin), ".")
        git(workspace, "checkout", "-q", self.variables["CI_COMMIT_SHA"])
        if body.get("needs") and self.kept.exists():
            shutil.copytree(self.kept, workspace, dirs_exist_ok=True)
        environment = {**self.variables, **(self.dotenv if body.get("needs") else {}), **more}
        lines = [*body.get("before_script", DOCUMENT["default"]["before_script"]), *body["script"]]
        code, out, err = bash("\n".join(["set -o pipefail", *lines]), workspace, environment)
        if body.get("after_script"):
            _, more_out, more_err = bash("\n".join(body["after_script"]), workspace, environment)
            out, err = out + more_out, err + more_err
        self._keep(body.get("artifacts", {}), workspace)
        assert KEY not in out + err
        return code, out + err

    def _keep(self, artifacts: dict[str, Any], workspace: Path) -> None:
        self.kept.mkdir(exist_ok=True)
        for path in [*artifacts.get("paths", []), *artifacts.get("reports", {}).values()]:
            if (workspace / path).exists():
                shutil.copy(workspace / path, self.kept)
        if (env := self.kept / "plan.env").exists():
            self.dotenv = dict(line.split("=", 1) for line in env.read_text().splitlines())


@pytest.fixture
def forge() -> Iterator[Forge]:
    with Forge(me="gitlab-bot") as server:
        yield server


def test_a_merge_request_is_planned_merged_and_bought_by_hand_exactly_once(tmp_path: Path, emulator: Emulator, forge: Forge) -> None:
    repository = Repository.new(tmp_path / "team", emulator.url, keeper={"steps": 100})
    base = machine(
        tmp_path / "machine",
        GITLAB_CI="true",
        GITLAB_USER_LOGIN="ann",
        CI_API_V4_URL=forge.url,
        CI_PROJECT_ID="42",
        CI_JOB_URL="https://gitlab.example.com/acme/loras/-/jobs/9",
        CI_JOB_TOKEN="job-token-0123",
        RECONCILER_ENDPOINT=emulator.url,
    )

    def pipeline(commit: str, name: str, **more: str) -> Pipeline:
        return Pipeline(tmp_path / name, repository, {**base, "CI_COMMIT_SHA": commit, **more})

    commit = repository.commit(branch="feature", keeper={"steps": 100}, added={"steps": 140})
    request = pipeline(commit, "request", CI_MERGE_REQUEST_IID="7", GITLAB_TOKEN=TOKEN)
    assert request.job("validate")[0] in (0, 3)
    code, said = request.job("plan")
    assert code == 0, said
    assert json.loads((request.kept / "terraform.json").read_text()) == {"create": 2, "update": 0, "delete": 0}
    assert {row["location"]["path"] for row in json.loads((request.kept / "codequality.json").read_text())} == {"models/a.yaml"}
    assert ET.parse(request.kept / "junit.xml").getroot().get("failures") == "0"
    assert "+$16.00" in forge.bodies("gitlab-bot")[0]
    assert request.dotenv["LORA_COST"] == "16.00"
    assert not emulator.books.charges()

    commit = repository.commit(keeper={"steps": 100}, added={"steps": 140})
    forge.pulls[commit] = 7
    main = pipeline(commit, "main", PIXAZO_API_KEY=KEY, LORA_MAX_COST="50", GITLAB_TOKEN=TOKEN)
    assert main.job("plan")[0] == 0
    code, said = main.job("apply")
    assert code == 0, said
    assert len(emulator.books.charges()) == 2
    (posted,) = forge.bodies("gitlab-bot")
    assert "2 bought $16.00" in posted

    low = pipeline(repository.commit(keeper={"steps": 100}, added={"steps": 150}), "low", PIXAZO_API_KEY=KEY, LORA_MAX_COST="7")
    assert low.job("plan")[0] == 0
    assert low.job("apply")[0] == 4
    night = pipeline(repository.commit(keeper={"steps": 100}, added={"steps": 140}), "night", PIXAZO_API_KEY=KEY)
    assert night.job("refresh")[0] == 0
    assert len(emulator.books.charges()) == 2
