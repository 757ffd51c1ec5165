"""What was measured as a page for people: tables, ratios against what others take, and how each line grows."""

from __future__ import annotations

import math
import os
import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from bench.anchors import TERRAFORM_PLAN
from bench.measure import Cost
from bench.models import CHANGED, COLD, WARM, Rows
from bench.network import Bought, Polled, lines_of_network

SLOPE_GOAL = 1.1
GOALS = ((WARM, 300), (COLD, 30))
"""How many times cheaper than Terraform, per model, a plan is to be."""


def lines_of(rows: Rows) -> dict[str, dict[int, float]]:
    """Command → models → seconds of wall time, for plots."""
    names = list(dict.fromkeys(name for costs in rows.values() for name in costs))
    return {name: {size: costs[name].seconds for size, costs in rows.items() if name in costs} for name in names}


def page(start: dict[str, Cost], rows: Rows, bought: list[Bought], polled: list[Polled]) -> str:
    """The whole page, as markdown."""
    command = " ".join(["python -m bench", *sys.argv[1:]])
    out = [
        "# Performance",
        "",
        f"Made by `{command}` on {datetime.now(UTC):%Y-%m-%d}: Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} CPUs,",
        f"load {os.getloadavg()[0]:.1f} at the end. Medians of whole processes that run in turns;",
        "compare within this page, not with another machine. `s` is wall time, `cpu` user and system time, both in seconds; MB is the largest memory.",
        "",
        "![seconds by models](PERFORMANCE.svg)",
        "",
        "## By number of models",
        "",
        "| work | " + " | ".join(f"{size:,}: s · cpu · MB" for size in rows) + " | slope |",
        "|---|" + "--:|" * (len(rows) + 1),
    ]
    for name in lines_of(rows):
        cells = [f"{c.seconds:.2f} · {c.cpu:.2f} · {c.megabytes:.0f}" if (c := costs.get(name)) else "–" for costs in rows.values()]
        out.append(f"| {name} | {' | '.join(cells)} | {_slope(rows, name)} |")
    out += ["", f"Slope: of CPU over models, both logarithmic, between the two largest sizes; 1 is a straight line, and at most {SLOPE_GOAL} is wanted."]
    out += ["", *_ratios(rows), "", "## Start-up", "", "| command | s | cpu | × `python -c pass` (cpu) |", "|---|--:|--:|--:|"]
    base = start["python -c pass"].cpu
    out += [f"| {name} | {c.seconds:.3f} | {c.cpu:.3f} | {c.cpu / base:.1f} |" for name, c in start.items()]
    out += ["", *lines_of_network(bought, polled)]
    return "\n".join(out)


def _slope(rows: Rows, name: str) -> str:
    known = [(size, costs[name].cpu) for size, costs in rows.items() if name in costs]
    if len(known) < 2:
        return "–"
    (few, small), (many, large) = known[-2:]
    return f"{math.log(max(large, 1e-3) / max(small, 1e-3)) / math.log(many / few):.2f}"


def _ratios(rows: Rows) -> Iterator[str]:
    """Per model against Terraform's plan, at every size that it was given and at ours of the largest."""
    theirs = [(size, costs[TERRAFORM_PLAN]) for size, costs in rows.items() if TERRAFORM_PLAN in costs]
    largest = max(rows)
    warm = rows[largest][WARM]
    yield f"One file of 100 changed takes {rows[largest][CHANGED].cpu / warm.cpu:.1f} × the CPU of the warm plan at {largest:,} models,"
    yield f"and {rows[largest][CHANGED].seconds / warm.seconds:.1f} × its time."
    if not theirs:
        yield "Terraform is not installed here."
        return
    yield ""
    yield "| per model | ours | " + " | ".join(f"cheaper than `terraform plan` of {size:,}: time · cpu" for size, _ in theirs) + " |"
    yield "|---|--:|" + "--:|" * len(theirs)
    for name in (WARM, CHANGED, COLD):
        mine = rows[largest][name]
        cells = [f"{c.seconds / size / (mine.seconds / largest):.0f} × · {c.cpu / size / (mine.cpu / largest):.0f} ×" for size, c in theirs]
        each = f"{1e6 * mine.seconds / largest:.1f} µs · {1e6 * mine.cpu / largest:.1f} µs"
        yield f"| {name}, {largest:,} models | {each} | {' | '.join(cells)} |"
    yield ""
    for name, goal in GOALS:
        reached = min(c.seconds / size / (rows[largest][name].seconds / largest) for size, c in theirs)
        yield f'Wanted of "{name}": {goal} ×. {"Reached." if reached >= goal else f"Not reached: {reached:.0f} × at the least."}'
