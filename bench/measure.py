"""Whole processes, timed in turns: one round runs every command once, so that a loaded machine is unfair to all alike."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


def run(command: Sequence[str], *, cwd: Path | None = None, timeout_seconds: float = 900) -> float:
    """Seconds of wall time. The command must exit 0; its output is shown when it does not."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_seconds, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return seconds


def medians(commands: Mapping[str, tuple[Sequence[str], Path | None]], *, rounds: int) -> dict[str, float]:
    """Median seconds of each command over `rounds`, after one unmeasured round."""
    seen: dict[str, list[float]] = {name: [] for name in commands}
    for n in range(rounds + 1):
        for name, (command, cwd) in commands.items():
            seconds = run(command, cwd=cwd)
            if n:
                seen[name].append(seconds)
    return {name: statistics.median(all_seconds) for name, all_seconds in seen.items()}


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
