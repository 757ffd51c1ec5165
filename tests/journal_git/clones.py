"""A bare repository, and clones of a project whose journal is a branch of it: each with a state of its own, as runners have."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.life.folder import Folder

BRANCH = "lora-state"
WHO = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@localhost", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@localhost"}


def git(folder: Path, *words: str) -> str:
    """What a git command prints; it must succeed."""
    done = subprocess.run(["git", *words], cwd=folder, env={**os.environ, **WHO, "GIT_CONFIG_GLOBAL": "/dev/null"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout


def template(path: Path) -> Path:
    """A new project in a bare repository, `main` without what is bought; beside it the first clone, which has the journal. Then its branch."""
    path.mkdir(parents=True)
    git(path, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(path, "clone", "-q", "origin.git", "first")
    first = Folder.new(path / "first")
    manifest = first.path / "reconciler.yaml"
    manifest.write_text(manifest.read_text().replace("state:\n", f"state:\n  journal: git:{BRANCH}\n"))
    (first.path / ".gitignore").write_text("state/\n.reconciler/\n")
    git(first.path, "add", "-A")
    git(first.path, "commit", "-qm", "project")
    git(first.path, "push", "-q", "origin", "HEAD:main")
    pushed = first.run("journal", "push")
    assert pushed.code == 0, pushed
    return path


class Forge:
    """A remote of its own, made from a template, whose project declares these models."""

    def __init__(self, path: Path, made_from: Path, endpoint: str | None, models: dict[str, dict[str, Any]]) -> None:
        self.path = path
        self.endpoint = endpoint
        self.models = models
        shutil.copytree(made_from, path)
        self.bare = path / "origin.git"
        self.first = Folder(path / "first", endpoint)
        git(self.first.path, "remote", "set-url", "origin", str(self.bare))

    def clone(self, name: str) -> Folder:
        """A fresh runner: a clone of main, without any state."""
        git(self.path, "clone", "-q", "--single-branch", str(self.bare), name)
        folder = Folder(self.path / name, self.endpoint)
        (folder.path / "models").mkdir(exist_ok=True)
        folder.models(**self.models)
        return folder

    def journal(self) -> str:
        """The journal at the tip of the branch."""
        return git(self.bare, "cat-file", "blob", f"{BRANCH}:purchases.jsonl")

    def tip(self) -> str:
        return git(self.bare, "rev-parse", BRANCH).strip()


def facts(journal: str, kind: str) -> list[dict[str, Any]]:
    """The data of every fact of one kind in a journal."""
    rows = [json.loads(line) for line in journal.splitlines()]
    return [row["data"] for row in rows if row["kind"] == kind]


def wait_until(is_so: Callable[[], bool]) -> None:
    """Until it is so; at most half a minute."""
    until = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.005)
