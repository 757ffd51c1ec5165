"""A CI runner in miniature: runs a workflow's own shell lines in bash, with the runner's arguments, variables and files.

Each job gets a fresh folder, as on a hosted runner; `uses:` steps are stand-ins. Nothing of a workflow is repeated here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.pipelines.expression import filled, holds

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples" / "ci"


@dataclass
class Step:
    name: str
    code: int
    out: str
    err: str
    summary: str
    outputs: dict[str, str]

    @property
    def annotations(self) -> list[str]:
        return [line for line in self.out.splitlines() if line.startswith("::")]

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass
class Job:
    result: str = "success"
    outputs: dict[str, str] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)


@dataclass
class Runner:
    """`origin` is a bare repository; `commit` what is checked out; `variables` those of the machine (the API's address)."""

    folder: Path
    origin: Path
    commit: str
    variables: dict[str, str]
    secrets: dict[str, str] = field(default_factory=dict)
    vars: dict[str, str] = field(default_factory=dict)
    event: dict[str, Any] = field(default_factory=dict)
    token: str = ""
    on_environment: Callable[[str], bool] = lambda _: True
    """Whether the reviewers of an environment approve."""
    on_step: Callable[[str, subprocess.Popen[str]], None] = lambda *_: None
    cancelled: bool = False
    number: int = 0

    def run(self, workflow: str) -> dict[str, Job]:
        """Run a workflow of `examples/ci/github`."""
        document = YAML(typ="safe", pure=True).load((EXAMPLES / "github" / workflow).read_text())
        assert document["permissions"] == {}
        jobs: dict[str, Job] = {}
        for name, body in document["jobs"].items():
            jobs[name] = self._job(name, body, jobs)
        return jobs

    def _job(self, name: str, body: Mapping[str, Any], jobs: Mapping[str, Job]) -> Job:
        needs = [body["needs"]] if isinstance(body.get("needs"), str) else list(body.get("needs", []))
        names = {"needs": {n: {"result": jobs[n].result, "outputs": jobs[n].outputs} for n in needs}, "vars": self.vars, "github": self._github()}
        good = all(jobs[n].result == "success" for n in needs)
        if not holds(body.get("if", "success()"), names, self._status(good=good)):
            return Job("skipped")
        if "environment" in body and not self.on_environment(body["environment"]):
            return Job("failure")
        allowed = bool(body.get("environment")) and "apply refresh".find(body["environment"].removeprefix("lora-")) >= 0
        names["secrets"] = self.secrets if allowed else {}
        return self._steps(name, body, names)

    def _github(self) -> dict[str, Any]:
        return {"event": self.event, "token": self.token, "sha": self.commit}

    def _status(self, *, good: bool) -> Callable[[str], bool]:
        return lambda word: {
            "always": True,
            "cancelled": self.cancelled,
            "success": good and not self.cancelled,
            "failure": not good and not self.cancelled,
        }[word]

    def _steps(self, name: str, body: Mapping[str, Any], names: dict[str, Any]) -> Job:
        job = Job()
        self.number += 1
        workspace = self.folder / f"job-{self.number}-{name}"
        workspace.mkdir(parents=True)
        names["steps"] = {}
        for step in body["steps"]:
            status = self._status(good=job.result == "success")
            if not holds(str(step.get("if", "success()")), names, status):
                continue
            if "uses" in step:
                self._use(step, workspace, names, status)
                continue
            done = self._shell(step, workspace, names, status)
            job.steps[done.name] = done
            names["steps"][step.get("id", "")] = {"outputs": done.outputs}
            if done.code:
                job.result = "cancelled" if self.cancelled else "failure"
        job.outputs = {key: filled(value, names, self._status(good=True)) for key, value in body.get("outputs", {}).items()}
        shutil.rmtree(workspace)
        return job

    def _use(self, step: Mapping[str, Any], workspace: Path, names: Mapping[str, Any], status: Callable[[str], bool]) -> None:
        action, _, commit = step["uses"].partition("@")
        assert len(commit) == 40, "pinned by commit"
        given = {key: filled(str(value), names, status) for key, value in step.get("with", {}).items()}
        store = self.folder / "artifacts" / given.get("name", "")
        match action:
            case "actions/checkout":
                assert given["fetch-depth"] == "0"
                git(workspace, "clone", "-q", str(self.origin), ".")
                git(workspace, "-c", "advice.detachedHead=false", "checkout", "-q", self.commit)
                if given["persist-credentials"] == "False":
                    git(workspace, "remote", "set-url", "origin", "/nobody/may/ask")
            case "actions/setup-python":
                pass
            case "actions/upload-artifact":
                store.mkdir(parents=True, exist_ok=True)
                if (workspace / given["path"]).exists():
                    shutil.copy(workspace / given["path"], store)
            case "actions/download-artifact":
                shutil.copytree(store, workspace, dirs_exist_ok=True)
            case _:
                raise AssertionError(action)

    def _shell(self, step: Mapping[str, Any], workspace: Path, names: Mapping[str, Any], status: Callable[[str], bool]) -> Step:
        assert "${{" not in step["run"], "values come in through env"
        files = {name: self.folder / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.write_text("")
        given = {key: filled(str(value), names, status) for key, value in step.get("env", {}).items()}
        environment = {**self.variables, **{k: str(v) for k, v in files.items()}, **given, "GITHUB_SHA": self.commit, "GITHUB_WORKSPACE": str(workspace)}
        code, out, err = bash(step["run"], workspace, environment, lambda process: self.on_step(step["name"], process))
        outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
        return Step(step["name"], code, out, err, files["GITHUB_STEP_SUMMARY"].read_text(), outputs)


def bash(script: str, folder: Path, environment: Mapping[str, str], watch: Callable[[subprocess.Popen[str]], None] = lambda _: None) -> tuple[int, str, str]:
    """Run lines as GitHub's runner does where a step names no shell."""
    file = folder.parent / "step.sh"
    file.write_text(script)
    process = subprocess.Popen(
        ["bash", "-e", str(file)], cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    watcher = threading.Thread(target=watch, args=(process,), daemon=True)
    watcher.start()
    out, err = process.communicate(timeout=120)
    watcher.join(30)
    return process.returncode, out, err


def machine(folder: Path, **more: str) -> dict[str, str]:
    """The variables of a fresh machine on which `reconciler` is installed: pip is a stand-in."""
    bin_folder = folder / "bin"
    bin_folder.mkdir(parents=True)
    scripts = {
        "python": f'#!/bin/sh\ncase "$*" in "-m pip install"*--require-hashes*) exit 0;; esac\nexec {sys.executable} "$@"\n',
        "reconciler": f'#!/bin/sh\nexec {sys.executable} -m reconciler "$@"\n',
    }
    for name, text in scripts.items():
        (bin_folder / name).write_text(text)
        (bin_folder / name).chmod(0o755)
    return {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": os.environ["PYTHONPATH"], "HOME": str(folder), "CI": "true", **more}


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=ann", "-c", "user.email=ann@localhost", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout.strip()
