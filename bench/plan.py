"""`plan` of unchanged models against Terraform's plan of as many unchanged `terraform_data` resources, in one run.

    python bench/plan.py [MODELS] [ROUNDS]

The state is made by `apply -emulate`; Terraform's by `terraform apply`. Without terraform only our own times are printed.
Exits 1 when the goal is missed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from bench.measure import medians, run, table

GOAL = 0.5
"""Times Terraform's time."""
PER_FILE = 100


def manifests(folder: Path, count: int) -> None:
    """`count` models of five fields, 100 a file."""
    for start in range(0, count, PER_FILE):
        rows = ["version: 1", "models:"]
        for n in range(start, min(start + PER_FILE, count)):
            rows += [
                f"  model-{n:06}:",
                f"    description: model number {n}",
                f"    dataset: https://data.example.com/sets/{n:06}.zip",
                f"    steps: {1000 + n % 7 * 100}",
                "    learning_rate: 3e-5",
                f"    labels: {{team: team-{n % 9}}}",
            ]
        (folder / f"part-{start // PER_FILE:04}.yaml").write_text("\n".join(rows) + "\n", encoding="utf-8")


def make_project(folder: Path, count: int) -> None:
    """A project whose models are all bought from the emulator and settled."""
    reconciler = [sys.executable, "-m", "reconciler"]
    (folder / "models").mkdir(parents=True)
    (folder / "reconciler.yaml").write_text("version: 1\nmanifests: [models/**/*.yaml]\n", encoding="utf-8")
    manifests(folder / "models", count)
    run([*reconciler, "init", str(folder)])
    run([*reconciler, "apply", "-emulate", "-auto-approve", "-parallelism=16", "-wait"], cwd=folder)


def make_terraform(folder: Path, count: int) -> None:
    """As many resources, one block each, applied."""
    folder.mkdir()
    blocks = [f'resource "terraform_data" "model_{n:06}" {{\n  input = {{ dataset = "{n:06}.zip", steps = {1000 + n % 7 * 100} }}\n}}\n' for n in range(count)]
    (folder / "main.tf").write_text("".join(blocks), encoding="utf-8")
    run(["terraform", "init", "-input=false"], cwd=folder)
    run(["terraform", "apply", "-input=false", "-auto-approve"], cwd=folder)


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as name:
        ours, theirs = Path(name) / "ours", Path(name) / "theirs"
        make_project(ours, count)
        commands = {}
        if shutil.which("terraform"):
            make_terraform(theirs, count)
            commands["terraform plan"] = (["terraform", "plan", "-input=false", "-detailed-exitcode"], theirs)
        commands["reconciler plan"] = ([sys.executable, "-m", "reconciler", "plan", "-emulate", "-detailed-exitcode"], ours)
        times = medians(commands, rounds=rounds)
    met = table(f"Plan of {count} unchanged, median of {rounds} processes", times, base="terraform plan", goals={"reconciler plan": GOAL})
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
