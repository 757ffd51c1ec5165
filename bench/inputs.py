"""Projects to measure with: manifests of any size, and the journal and state of a project in which all of it was bought."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from reconciler.commands.clock import SystemClock
from reconciler.fact import Draft, Kind, genesis
from reconciler.journal.chain import encode_all
from reconciler.journal.file import FileJournal
from reconciler.manifest.load import load
from reconciler.model import Model
from reconciler.ports import Owner
from reconciler.store.sqlite import SqliteStore
from reconciler.text import money_text

LINEAGE = "00000000-0000-4000-8000-000000000000"
AT = "2026-01-02T03:04:05Z"


def write_manifests(folder: Path, count: int, files: int) -> None:
    """`count` models of five fields in `files` files."""
    folder.mkdir(parents=True, exist_ok=True)
    per_file = -(-count // files)
    for number, start in enumerate(range(0, count, per_file)):
        rows = ["version: 1", "models:"]
        for n in range(start, min(start + per_file, count)):
            rows += [
                f"  model-{n:06}:",
                f"    description: model number {n}",
                f"    dataset: https://data.example.com/sets/{n:06}.zip",
                f"    steps: {1000 + n % 7 * 100}",
                "    learning_rate: 3e-5",
                f"    labels: {{team: team-{n % 9}}}",
            ]
        (folder / f"part-{number:05}.yaml").write_text("\n".join(rows) + "\n", encoding="utf-8")


def write_project(
    folder: Path, count: int, files: int, *, bought: bool = True, pending: bool = False, world: str = "emulated", endpoint: str = "emulated"
) -> None:
    """A project of `count` models; with a state in which all are bought, and have trained well or are `pending`."""
    write_manifests(folder / "models", count, files)
    text = f"version: 1\nmanifests: [models/**/*.yaml]\nstate:\n  lineage: {LINEAGE}\n"
    (folder / "reconciler.yaml").write_text(text, encoding="utf-8")
    models = load(folder, environment="default").catalog.models.values() if bought else []  # type: ignore[union-attr]
    state = folder / "state"
    state.mkdir(mode=0o700)
    drafts = itertools.chain([genesis(AT, lineage=LINEAGE)], *(_bought(n, m, pending=pending, world=world, endpoint=endpoint) for n, m in enumerate(models)))
    (state / "purchases.jsonl").write_bytes(b"".join(line.raw + b"\n" for line in encode_all(drafts, ())))
    (state / "purchases.jsonl").chmod(0o600)
    store = SqliteStore(state / "reconciler.db", FileJournal(state / "purchases.jsonl"), lineage=LINEAGE, now=SystemClock().now)
    store.rebuild(Owner(1, "bench", "bench", "bench", AT), wait_seconds=0)


def write_apart(folder: Path, count: int, files: int, **options: object) -> None:
    """As `write_project`, in a process of its own: what this one holds would be counted as its children's memory."""
    code = f"from pathlib import Path; from bench.inputs import write_project; write_project(Path({str(folder)!r}), {count}, {files}, **{options!r})"
    folder.mkdir(parents=True)
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).resolve().parent.parent, check=True)


def _bought(n: int, model: Model, *, pending: bool, world: str, endpoint: str) -> Iterator[Draft]:
    attempt, job, request = f"at-{n:08}", f"job-{n:08}", f"00000000-0000-4000-8000-{n:012}"
    base = {"environment": "default", "name": model.name, "trainer": model.spec.trainer, "spec_digest": model.spec.digest}
    sent = {"price": money_text(Decimal(8)), "endpoint": endpoint, "world": world, "body": '{"steps": 1000}', "body_sha256": "0" * 64}
    who = {"actor": "", "commit": "", "run_url": "", "key": ""}
    yield Draft(Kind.INTENT, AT, {"attempt": attempt, **base, "spec": model.spec.document(), **sent, **who})
    yield Draft(Kind.OUTCOME, AT, {"attempt": attempt, "verdict": "accepted", "job": job, "request_id": request, "http_status": 200})
    yield Draft(Kind.BINDING, AT, {"environment": "default", "name": model.name, "job": job, "metadata": model.metadata, "reason": "train"})
    if not pending:
        weights = {"role": "weights", "url": f"https://files.example.com/{n:08}.safetensors", "path": "output", "file_name": "", "size_bytes": None}
        yield Draft(Kind.SETTLED, AT, {"job": job, "request_id": request, "phase": "succeeded", "error": "", "charged": True, "artifacts": [weights]})
