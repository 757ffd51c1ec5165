"""A project folder as a user has it, and the command as a user calls it: a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tests.documents import check

KEY = os.environ["PIXAZO_API_KEY"]
"""The suite's own key: whatever a life writes or prints is searched for it."""
PROJECT = """version: 1
budget:
  per_apply: 1000.00
state:
  path: state/reconciler.db
  lineage: {lineage}
manifests:
  - models/**/*.yaml
"""


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Folder:
    path: Path
    endpoint: str | None = None
    key: str | None = KEY

    @classmethod
    def new(cls, path: Path, endpoint: str | None = None) -> Folder:
        """A folder after `init`, with wide limits and no example."""
        path.mkdir(parents=True, exist_ok=True)
        folder = cls(path, endpoint)
        made = folder.run("init")
        assert made.code == 0, made
        lineage = next(line.split(":")[1].split()[0] for line in (path / "reconciler.yaml").read_text().splitlines() if "lineage:" in line)
        (path / "reconciler.yaml").write_text(PROJECT.format(lineage=lineage))
        (path / "models" / "example.yaml").unlink()
        return folder

    def environment(self, **more: str) -> dict[str, str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PIXAZO_", "RECONCILER_"))}
        if self.key is not None:
            environment["PIXAZO_API_KEY"] = self.key
        if self.endpoint is not None:
            environment["RECONCILER_ENDPOINT"] = self.endpoint
        return {**environment, **more}

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """The command as a process that goes on."""
        return subprocess.Popen(
            [sys.executable, "-m", "reconciler", *words],
            cwd=self.path,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, **more: str) -> Result:
        process = self.start(*words, **more)
        out, err = process.communicate(timeout=120)
        check(words, out)
        return Result(process.returncode, out, err)

    def apply(self, *words: str, **more: str) -> Result:
        return self.run("apply", "-auto-approve", *words, **more)

    def plan(self, *words: str) -> Any:
        """The plan document."""
        result = self.run("plan", "-json", *words)
        assert result.code in (0, 4), result
        return result.json

    def actions(self) -> dict[str, str]:
        """Name → action of everything that is not unchanged."""
        return {c["name"]: c["action"] for c in self.plan()["changes"]}

    def write(self, text: str, name: str = "a.yaml") -> None:
        """A manifest."""
        (self.path / "models" / name).write_text(text)

    def models(self, **specs: dict[str, Any]) -> None:
        """One manifest with these models; underscores in names become hyphens."""
        body = {"version": 1, "models": {name.replace("_", "-"): {"dataset": "https://data.example.com/otter.zip", **spec} for name, spec in specs.items()}}
        self.write(json.dumps(body))

    def state_bytes(self) -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in sorted((self.path / "state").iterdir()) if p.is_file() and p.name != "lock"}

    def jobs(self) -> list[dict[str, Any]]:
        jobs = self.run("jobs", "list", "-json").json["jobs"]
        assert isinstance(jobs, list)
        return jobs
