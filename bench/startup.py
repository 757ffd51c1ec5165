"""`reconciler --help` and `version` against a bare interpreter, in one run. Exits 1 when a goal is missed.

python bench/startup.py [ROUNDS]
"""

from __future__ import annotations

import sys

from bench.measure import medians, table

GOAL = 5.0
"""Times `python -c pass`."""


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    python = sys.executable
    commands = {
        "python -c pass": ([python, "-c", "pass"], None),
        "reconciler --help": ([python, "-m", "reconciler", "--help"], None),
        "reconciler version": ([python, "-m", "reconciler", "version"], None),
    }
    goals = {"reconciler --help": GOAL, "reconciler version": GOAL}
    met = table(f"Start-up, median of {rounds} processes", medians(commands, rounds=rounds), base="python -c pass", goals=goals)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
