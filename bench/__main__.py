"""Everything that is measured, beside Terraform, octoDNS and SQLMesh where they are installed, into docs/PERFORMANCE.md and its plots.

    python -m bench [--full] [--rounds N] [--sizes 100,1000] [--out FILE]

The default takes minutes and goes to 10,000 models; `--full` goes to 100,000, and gives Terraform 10,000. Wall time
decides nothing on a loaded machine: compare the columns of one run, and the CPU seconds beside them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench.measure import in_turns
from bench.models import at_size, startup
from bench.network import polls, purchases
from bench.page import lines_of, page
from bench.plot import plot

REPO = Path(__file__).resolve().parent.parent


def main() -> int:
    """Measure, and write the page and its plot."""
    ask = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--full", action="store_true", help="to 100,000 models (Terraform to 10,000)")
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--sizes", help="numbers of models, separated by commas")
    ask.add_argument("--out", type=Path, default=REPO / "docs" / "PERFORMANCE.md")
    given = ask.parse_args()
    sizes = [int(n) for n in given.sizes.split(",")] if given.sizes else [100, 1_000, 10_000, *([100_000] if given.full else [])]
    most_terraform = 10_000 if given.full else 1_000
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as name:
        work = Path(name)
        start = in_turns(startup(), rounds=max(given.rounds, 9))
        rows = {size: at_size(work, size, rounds=given.rounds, most_terraform=most_terraform) for size in sizes}
        bought = purchases(work, full=given.full)
        polled = polls(work, 10_000 if given.full else 3_000)
    given.out.write_text(page(start, rows, bought, polled), encoding="utf-8")
    given.out.with_suffix(".svg").write_text(plot("Seconds of a whole process, by number of models", lines_of(rows)), encoding="utf-8")
    print(f"{given.out} and {given.out.with_suffix('.svg').name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
