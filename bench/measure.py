"""Whole processes, timed in turns: one round runs every command once, so that a loaded machine is unfair to all alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Cost(NamedTuple):
    """What one process took: seconds of wall time and of CPU (user and system), and its largest memory in MB."""

    seconds: float
    cpu: float
    megabytes: float


class Work(NamedTuple):
    """One command in a folder; `before` runs unmeasured in front of it each time."""

    command: Sequence[str]
    cwd: Path | None = None
    before: Callable[[], object] | None = None
    environment: Mapping[str, str] = {}
    codes: tuple[int, ...] = (0, 2)


def measure(work: Work, *, timeout_seconds: float = 900) -> Cost:
    """Run it once. Exits with its output when it ends in a way that it should not, or not at all."""
    if work.before is not None:
        work.before()
    with tempfile.TemporaryFile() as out:
        began = time.perf_counter()
        child = subprocess.Popen(
            work.command, cwd=work.cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **work.environment}
        )
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if time.perf_counter() - began > timeout_seconds:
                child.kill()
                raise SystemExit(f"{' '.join(work.command)}: not done in {timeout_seconds:.0f} s")
            time.sleep(0.001)
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in work.codes:
            out.seek(0)
            raise SystemExit(f"{' '.join(work.command)}: exit {child.returncode}\n{out.read()[-3000:].decode(errors='replace')}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def run(command: Sequence[str], *, cwd: Path | None = None, timeout_seconds: float = 900) -> float:
    """Seconds of wall time of one run that must exit 0."""
    return measure(Work(command, cwd, codes=(0,)), timeout_seconds=timeout_seconds).seconds


def in_turns(works: Mapping[str, Work], *, rounds: int) -> dict[str, Cost]:
    """The median cost of each over `rounds`, after one unmeasured round; memory is the largest."""
    seen: dict[str, list[Cost]] = {name: [] for name in works}
    for n in range(rounds + 1):
        for name, work in works.items():
            cost = measure(work)
            if n:
                seen[name].append(cost)
    return {
        name: Cost(statistics.median(c.seconds for c in costs), statistics.median(c.cpu for c in costs), max(c.megabytes for c in costs))
        for name, costs in seen.items()
    }


def medians(commands: Mapping[str, tuple[Sequence[str], Path | None]], *, rounds: int) -> dict[str, float]:
    """Median seconds of each command over `rounds`, after one unmeasured round."""
    return {name: cost.seconds for name, cost in in_turns({n: Work(c, cwd) for n, (c, cwd) in commands.items()}, rounds=rounds).items()}


def table(title: str, times: Mapping[str, float], *, base: str, goals: Mapping[str, float]) -> bool:
    """Print the times as multiples of `base`; whether every goal (at most so many times `base`) was met."""
    print(title)
    met = True
    for name, seconds in times.items():
        ratio = seconds / times[base] if base in times else float("nan")
        goal = goals.get(name)
        verdict = "" if goal is None or base not in times else f"  goal ≤ {goal:g}  {'met' if ratio <= goal else 'MISSED'}"
        met = met and not verdict.endswith("MISSED")
        print(f"  {name:34} {seconds * 1000:9.0f} ms  {ratio:6.2f} ×{verdict}")
    return met
