"""A bare repository, and clones of a project whose journal is a branch of it: each with a state of its own, as runners have."""

from __future__ import annotations

import json
import os
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


class Forge:
    """The remote, and the project it holds: `main` has everything but what is bought, the branch has the journal."""

    def __init__(self, path: Path, endpoint: str | None, models: dict[str, dict[str, object]]) -> None:
        self.path = path
        self.endpoint = endpoint
        self.bare = path / "origin.git"
        path.mkdir(parents=True, exist_ok=True)
        git(path, "init", "-q", "--bare", "-b", "main", str(self.bare))
        git(path, "clone", "-q", str(self.bare), "first")
        self.first = Folder.new(path / "first", endpoint)
        manifest = self.first.path / "reconciler.yaml"
        manifest.write_text(manifest.read_text().replace("state:\n", f"state:\n  journal: git:{BRANCH}\n"))
        (self.first.path / ".gitignore").write_text("state/\n.reconciler/\n")
        self.first.models(**models)
        git(self.first.path, "add", "-A")
        git(self.first.path, "commit", "-qm", "project")
        git(self.first.path, "push", "-q", "origin", "HEAD:main")

    def switched_on(self) -> Forge:
        """With the branch made from the first clone's journal."""
        done = self.first.run("journal", "push")
        assert done.code == 0, done
        return self

    def clone(self, name: str) -> Folder:
        """A fresh runner: a clone of main, without any state."""
        git(self.path, "clone", "-q", "--single-branch", str(self.bare), name)
        return Folder(self.path / name, self.endpoint)

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
