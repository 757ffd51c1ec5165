"""The full sweeps of the crash suite, and one summary line for each kind.

    python bench/crash.py [--thin N] [--workers N] [--only WORD]

Runs `pytest -m slow tests/crash` and adds up the figures that the tests leave, then the other sweeps (`OTHERS`), which
only pass or fail. `--thin 4` takes each fourth case of the first; with `--only` the others are left out.
Exits 1 when anything was bought twice, lost, believed without being true, or ended in a way that it may not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAMES = {
    "line": "kill -9 in front of an executed line",
    "call": "kill -9 at an I/O system call",
    "error": "a system call that fails",
    "random": "kill -9 at a random moment, 40 models",
    "power": "power loss: images recovered",
    "damage": "damaged files",
}
QUIET = ("kind", "cases", "missed", "wrong", "charges", "doubts", "false_doubts", "codes", "lost")

OTHERS = {
    "model checking: 10,000 histories and more": "tests/model",
    "network faults, every row and place": "tests/life/test_network.py",
    "broken variants of the protocol": "tests/mutants",
    "runners killed over one branch": "tests/journal_git",
}


def others(workers: str) -> tuple[list[str], bool]:
    """One line for each of the other sweeps, and whether all passed."""
    lines, good = [], True
    for name, path in OTHERS.items():
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-m", "slow", "-n", workers, path],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        good = good and done.returncode == 0
        lines.append(f"{name:40} {'passed' if done.returncode == 0 else 'FAILED'}: {(done.stdout.strip().splitlines() or ['nothing ran'])[-1].strip()}")
    return lines, good


def summary(rows: list[dict]) -> list[str]:
    """One line for each kind, in the order of `NAMES`."""
    lines = []
    for kind, name in NAMES.items():
        some = [row for row in rows if row["kind"].startswith(f"{kind}:")]
        sums: Counter[str] = Counter()
        codes: Counter[str] = Counter()
        for row in some:
            sums.update({k: v for k, v in row.items() if isinstance(v, int)})
            codes.update(row["codes"])
        if not some:
            continue
        parts = [f"{sums['cases']:,} cases", f"{sums['wrong']} wrong"]
        if sums["charges"]:
            parts.append(f"{sums['charges']:,} purchases")
        if sums["doubts"]:
            parts.append(f"{sums['doubts']} in doubt, {sums['false_doubts']} of them needlessly ({sums['false_doubts'] / sums['doubts']:.0%})")
        parts += [f"{k} {v:,}" for k, v in sorted(sums.items()) if k not in QUIET and v]
        if codes:
            parts.append("exit " + ", ".join(f"{code}: {count:,}" for code, count in sorted(codes.items())))
        lines.append(f"{name:40} {'; '.join(parts)}")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--thin", type=int, default=1)
    parser.add_argument("--workers", default="auto")
    parser.add_argument("--only", default="", help="a part of the tests' names, as pytest -k takes it")
    parser.add_argument("--figures", type=Path, help="add up figures of an earlier run and run nothing")
    asked = parser.parse_args()
    if asked.figures is not None:
        print("\n".join(summary([json.loads(line) for line in asked.figures.read_text().splitlines()])))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures"
        figures.touch()
        command = [sys.executable, "-m", "pytest", "-m", "slow", "-n", asked.workers, "tests/crash", *(["-k", asked.only] if asked.only else [])]
        began = time.monotonic()
        code = subprocess.run(command, cwd=ROOT, env={**os.environ, "CRASH_FIGURES": str(figures), "CRASH_THIN": str(asked.thin)}, check=False).returncode
        rows = [json.loads(line) for line in figures.read_text().splitlines()]
    print("\n".join(summary(rows)))
    print(f"{sum(row['cases'] for row in rows):,} cases in {time.monotonic() - began:.0f} s")
    more, good = others(asked.workers) if not asked.only else ([], True)
    print("\n".join(more))
    return 1 if code or not good or any(row["wrong"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
