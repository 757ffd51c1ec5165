"""kill -9 at random moments of an apply, then the same apply again: this tool and Terraform against one ledger.

    python bench/kill.py [KILLS] [--models N] [--seed S] [--out FILE]

Both buy N models, four at a time, from the emulator on loopback; each kill strikes the process and its children, as a
runner that vanishes does. Terraform's way is `terraform_data` with a `local-exec` POST that keeps the answer in a file;
without terraform only our own row is printed. Exits 1 when our row shows anything bought twice or lost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from measure import run

from reconciler.emulator.books import Entry
from reconciler.emulator.server import Emulator
from reconciler.trainer import BUILT_IN

KEY = "bench-key-0123456789abcdef"
PATH = BUILT_IN["pixazo-flux2-pro"].submit_url_path
PRICE = 8
LATENCY_SECONDS = 0.02
"""How long the server thinks about each request."""
PARALLELISM = 4


@dataclass
class Row:
    """What the kills did to one tool."""

    tool: str
    kills: int = 0
    posts: int = 0
    twice: int = 0
    lost: int = 0
    doubts: int = 0
    runs_with_duplicates: int = 0
    codes: Counter[int] = field(default_factory=Counter)

    def cells(self) -> list[str]:
        codes = ", ".join(f"{code}: {count}" for code, count in sorted(self.codes.items()))
        twice = f"{self.twice} (${self.twice * PRICE}, in {self.runs_with_duplicates} runs)" if self.twice else "0"
        return [self.tool, str(self.kills), str(self.posts), twice, str(self.lost), str(self.doubts), codes]


class Ours:
    """A project folder of this tool."""

    name = "reconciler"
    command = (sys.executable, "-m", "reconciler", "apply", "-auto-approve", f"-parallelism={PARALLELISM}")

    def __init__(self, home: Path, url: str) -> None:
        self.environment = {**os.environ, "PIXAZO_API_KEY": KEY, "RECONCILER_ENDPOINT": url}
        self.blank = home / "ours"
        run([sys.executable, "-m", "reconciler", "init", str(self.blank)])
        config = self.blank / "reconciler.yaml"
        lineage = next(line for line in config.read_text().splitlines() if "lineage:" in line)
        config.write_text(f"version: 1\nbudget: {{per_apply: 100000}}\nstate:\n{lineage}\nmanifests: [models/**/*.yaml]\n")

    def make(self, folder: Path, dataset: str, models: int) -> None:
        shutil.copytree(self.blank, folder)
        specs = {f"m{n:03}": {"dataset": dataset, "steps": 100 + n} for n in range(models)}
        (folder / "models" / "example.yaml").write_text(json.dumps({"version": 1, "models": specs}))

    def knows(self, folder: Path) -> tuple[set[str], int]:
        """The ids that it knows, and how many models are in doubt."""
        jobs, status = (self._json(folder, *words) for words in (("jobs", "list"), ("status",)))
        return {job["request_id"] for job in jobs["jobs"]}, len(status["in_doubt"])

    def _json(self, folder: Path, *words: str) -> dict:
        command = [sys.executable, "-m", "reconciler", *words, "-json"]
        return json.loads(subprocess.run(command, cwd=folder, env=self.environment, capture_output=True, text=True, check=False).stdout)


class Terraform:
    """A folder of Terraform with one `terraform_data` a model."""

    name = "terraform"
    command = ("terraform", "apply", "-input=false", "-auto-approve", "-no-color", f"-parallelism={PARALLELISM}")

    def __init__(self, home: Path, url: str) -> None:
        self.environment = {**os.environ, "CHECKPOINT_DISABLE": "1", "KEY": KEY}
        self.url = url
        self.blank = home / "terraform"
        self.blank.mkdir()
        (self.blank / "main.tf").write_text('resource "terraform_data" "none" {}\n')
        run(["terraform", "init", "-input=false"], cwd=self.blank)

    def make(self, folder: Path, dataset: str, models: int) -> None:
        shutil.copytree(self.blank, folder)
        (folder / "ids").mkdir()
        (folder / "main.tf").write_text("".join(self._block(f"m{n:03}", dataset, 100 + n) for n in range(models)))

    def _block(self, name: str, dataset: str, steps: int) -> str:
        body = json.dumps({"image_data_url": dataset, "steps": steps, "learning_rate": 5e-05})
        post = f"curl -sSf -X POST {self.url}{PATH} -H 'Content-Type: application/json' -H \"Ocp-Apim-Subscription-Key: $KEY\" -d '{body}' -o ids/{name}.json"
        return f'resource "terraform_data" "{name}" {{\n  input = {steps}\n  provisioner "local-exec" {{\n    command = {json.dumps(post)}\n  }}\n}}\n'

    def knows(self, folder: Path) -> tuple[set[str], int]:
        """The ids in the files of answers; it has no doubts."""
        texts = [path.read_text() for path in (folder / "ids").iterdir()]
        return {json.loads(text)["request_id"] for text in texts if text.strip()}, 0


def start(tool: Ours | Terraform, folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(tool.command, cwd=folder, env=tool.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def strike(tool: Ours | Terraform, folder: Path, seconds: float) -> bool:
    """Start an apply and kill it after so long; whether it was still running."""
    process = start(tool, folder)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def measure(tool: Ours | Terraform, emulator: Emulator, home: Path, kills: int, models: int, luck: random.Random) -> Row:
    row = Row(tool.name)
    whole = time_of_one(tool, home, models)
    number = 0
    while row.kills < kills:
        number += 1
        folder, dataset = home / f"{tool.name}-{number}", f"https://data.example.com/{tool.name}-{number}.zip"
        tool.make(folder, dataset, models)
        if strike(tool, folder, luck.uniform(0.1, 1.0) * whole):
            row.kills += 1
            row.codes[start(tool, folder).wait()] += 1
            count(row, tool, folder, [e for e in emulator.books.charges() if e.dataset == dataset])
        shutil.rmtree(folder)
    return row


def time_of_one(tool: Ours | Terraform, home: Path, models: int) -> float:
    folder = home / f"{tool.name}-whole"
    tool.make(folder, f"https://data.example.com/{tool.name}-whole.zip", models)
    began = time.perf_counter()
    code = start(tool, folder).wait()
    if code:
        raise SystemExit(f"{tool.name}: exit {code} without any kill\n{(folder / 'log').read_text()[-2000:]}")
    return time.perf_counter() - began


def count(row: Row, tool: Ours | Terraform, folder: Path, charges: list[Entry]) -> None:
    known, doubts = tool.knows(folder)
    bodies = Counter(e.body_digest for e in charges)
    twice = sum(n - 1 for n in bodies.values())
    unknown = [e for e in charges if e.request_id not in known]
    row.posts += len(charges)
    row.twice += twice
    row.runs_with_duplicates += bool(twice)
    row.lost += max(0, len(unknown) - doubts)
    row.doubts += doubts


def table(rows: list[Row], models: int, seed: int) -> str:
    head = ["tool", "kills", "charged POSTs", "bought twice", "ids lost", "in doubt", "exit codes of the second apply"]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---", *["--:"] * 5, "---"], *(row.cells() for row in rows))]
    title = f"kill -9 at a random moment of an apply of {models} models, then the same apply again (seed {seed}); each purchase is ${PRICE}."
    return "\n".join([title, "", *lines, ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kills", nargs="?", type=int, default=20)
    parser.add_argument("--models", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        with Emulator(books=home / "books.db", trainers=BUILT_IN, speed=100_000.0, latency_seconds=LATENCY_SECONDS) as emulator:
            tools: list[Ours | Terraform] = [Ours(home, emulator.url)]
            if shutil.which("terraform") and shutil.which("curl"):
                tools.append(Terraform(home, emulator.url))
            rows = [measure(tool, emulator, home, asked.kills, asked.models, random.Random(asked.seed)) for tool in tools]
    text = table(rows, asked.models, asked.seed)
    print(text)
    if asked.out is not None:
        asked.out.write_text(f"# Killed and run again, side by side\n\n{text}\nMade by `python bench/kill.py {asked.kills} --out {asked.out}`.\n")
    return 1 if rows[0].twice or rows[0].lost else 0


if __name__ == "__main__":
    sys.exit(main())
