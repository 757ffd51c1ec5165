"""The files that people copy: valid by the forges' own schemas, pinned, without a way in, and the lines they need are there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.pipelines.runner import EXAMPLES
from tests.pipelines.shell import Project

REPO = EXAMPLES.parent.parent
GITHUB = sorted((EXAMPLES / "github").glob("*.yml"))
GITLAB = EXAMPLES / "gitlab" / ".gitlab-ci.yml"


def read(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text())


def tool(name: str) -> str:
    """The path of a tool of the test extras; the test is skipped where it is not installed."""
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None:
        pytest.skip(f"{name} is not installed: pip install {name}")
    return found


def run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "words", [["vendor.github-workflows", *map(str, GITHUB)], ["vendor.gitlab-ci", "--data-transform", "gitlab-ci", str(GITLAB)]], ids=["github", "gitlab"]
)
def test_the_files_are_valid_by_the_vendored_schemas(words: list[str]) -> None:
    run(tool("check-jsonschema"), "--builtin-schema", *words)


def test_zizmor_finds_nothing() -> None:
    run(tool("zizmor"), "--offline", "--no-progress", *map(str, GITHUB))


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in GITHUB:
        for job in read(path)["jobs"].values():
            yield from ((path.name, step) for step in job["steps"])


def test_every_action_is_pinned_and_no_expression_stands_in_a_script() -> None:
    pinned = {re.sub(r" #.*", "", step["uses"]) for _, step in steps() if "uses" in step}
    assert pinned == {
        "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1",
        "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97",
        "actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f",
        "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c",
    }
    scripts = [step["run"] for _, step in steps() if "run" in step]
    assert not [script for script in scripts if "${{" in script]
    assert all("--require-hashes" in script for script in scripts if "pip install" in script)
    assert all(script.lstrip().startswith("exec ") for script in scripts if "reconciler " in script and "pip" not in script and "echo" not in script)


def test_the_key_is_where_something_is_bought_or_polled_and_nowhere_else() -> None:
    holders = {(name, step["name"]) for name, step in steps() if "PIXAZO_API_KEY" in step.get("env", {})}
    assert holders == {("apply.yml", "apply"), ("refresh.yml", "refresh")}
    assert "secrets." not in (EXAMPLES / "github" / "plan.yml").read_text()
    assert "pull_request_target" not in "".join(path.read_text() for path in GITHUB)


def test_every_job_has_a_time_limit_and_its_own_permissions() -> None:
    for path in GITHUB:
        document = read(path)
        assert document["permissions"] == {}
        for job in document["jobs"].values():
            assert job["timeout-minutes"]
            assert "permissions" in job
    apply = read(EXAMPLES / "github" / "apply.yml")["jobs"]
    assert "concurrency" not in apply["approve"]
    assert apply["apply"]["concurrency"]["cancel-in-progress"] is False
    assert all("timeout" in job for job in read(GITLAB).values() if isinstance(job, dict) and "script" in job)


def test_the_pre_commit_hooks_are_commands_that_work(project: Project) -> None:
    hooks = {hook["id"]: hook for hook in read(REPO / ".pre-commit-hooks.yaml")}
    assert set(hooks) == {"reconciler-validate", "reconciler-fmt"}
    project.models(a={"steps": 100})
    for hook in hooks.values():
        assert hook["pass_filenames"] is False
        name, *words = hook["entry"].split()
        assert name == "reconciler"
        done = Project(project.path, key=None).run(*words)
        assert done.code == 0, done


def test_the_page_names_every_secret_variable_and_environment_of_the_files() -> None:
    page = (REPO / "docs" / "CI.md").read_text()
    text = "".join(path.read_text() for path in [*GITHUB, GITLAB])
    wanted = set(re.findall(r"(?:secrets|vars)\.(\w+)", text)) | set(re.findall(r"environment: ([\w-]+)", text)) | {"GITLAB_TOKEN", "lora-state"}
    assert wanted
    assert not {name for name in wanted if name not in page}
