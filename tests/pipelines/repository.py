"""A repository as a team has it: manifests on main, the journal on a branch, a bare repository as the forge's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.pipelines.runner import git
from tests.pipelines.shell import Project

SETTINGS = """\
budget:
  per_apply: 80.00
  per_month: {limit: 100.00}
state:
  path: state/reconciler.db
  journal: git:lora-state
"""


@dataclass
class Repository:
    """`work` is a clone in which people work."""

    origin: Path
    work: Project

    @classmethod
    def at(cls, folder: Path, endpoint: str) -> Repository:
        """One that was made by `new` and copied."""
        repository = cls(folder / "origin.git", Project(folder / "work", endpoint))
        git(repository.work.path, "remote", "set-url", "origin", str(repository.origin))
        return repository

    @classmethod
    def new(cls, folder: Path, endpoint: str, **models: dict[str, Any]) -> Repository:
        """With these models on main, and a journal in which nothing happened yet."""
        origin = folder / "origin.git"
        origin.mkdir(parents=True)
        git(origin, "init", "-q", "--bare")
        work = Project.new(folder / "work", endpoint)
        text = (work.path / "reconciler.yaml").read_text()
        head, lineage = text.partition("budget:")[0], next(line for line in text.splitlines() if "lineage:" in line)
        (work.path / "reconciler.yaml").write_text(f"{head}{SETTINGS}{lineage}\nmanifests: [models/**/*.yaml]\n")
        git(work.path, "init", "-q")
        git(work.path, "remote", "add", "origin", str(origin))
        repository = cls(origin, work)
        (work.path / ".gitignore").write_text("state/\n.reconciler/\n")
        repository.commit(**models)
        pushed = work.run("journal", "push")
        assert pushed.code == 0, pushed
        return repository

    def commit(self, *, branch: str = "main", **models: dict[str, Any]) -> str:
        """Commit exactly these models and push; the commit."""
        body = {"version": 1, "models": {n.replace("_", "-"): {"dataset": "https://data.example.com/otter.zip", **s} for n, s in models.items()}}
        (self.work.path / "models" / "a.yaml").write_text(json.dumps(body, indent=1))
        git(self.work.path, "add", "-A")
        git(self.work.path, "commit", "-q", "--allow-empty", "-m", "models")
        git(self.work.path, "push", "-q", "-f", "origin", f"HEAD:refs/heads/{branch}")
        return git(self.work.path, "rev-parse", "HEAD")
