"""What commands take on catalogues of a size: nothing changed, one file changed, read for the first time; beside them what others take."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

from bench.anchors import anchors
from bench.inputs import write_apart
from bench.measure import Cost, Work, in_turns, measure

OURS = [sys.executable, "-m", "reconciler"]
NO_CACHE = {"RECONCILER_CACHE_DIR": os.devnull}
Rows = dict[int, dict[str, Cost]]
"""By number of models, by command."""
WARM, CHANGED, COLD = "plan, nothing changed, warm", "plan, one file of 100 changed", "plan, nothing changed, cold"
_SURE_SECONDS = 2.1
"""Younger files are read, not looked at."""


def startup() -> dict[str, Work]:
    """Commands that do nothing but start."""
    works = {"python -c pass": Work([sys.executable, "-c", "pass"]), "version": Work([*OURS, "version"]), "--help": Work([*OURS, "--help"])}
    others = {"terraform version": ["version"], "octodns-sync --help": ["--help"], "sqlmesh --help": ["--help"]}
    found = {name: shutil.which(name.split()[0]) for name in others}
    return works | {name: Work([program, *others[name]]) for name, program in found.items() if program is not None}


def at_size(work: Path, size: int, *, rounds: int, most_terraform: int) -> dict[str, Cost]:
    """Every command on a project of `size` models in at most 100 files, all bought and settled; and a plan of a project in which nothing was."""
    print(f"{size:,} models …", flush=True)
    ours, fresh = work / f"ours-{size}", work / f"fresh-{size}"
    files = min(100, max(1, size // 10))
    write_apart(ours, size, files)
    write_apart(fresh, size, files, bought=False)
    old = time.time() - 60
    for path in [*ours.rglob("*"), *fresh.rglob("*")]:
        os.utime(path, (old, old))
    time.sleep(_SURE_SECONDS)
    plan = [*OURS, "plan", "-detailed-exitcode"]
    works = {
        WARM: Work(plan, ours, before=lambda: _settle(ours, plan)),
        "plan, nothing changed, fresh checkout": Work(plan, ours, before=lambda: [os.utime(path) for path in (ours / "models").iterdir()]),
        COLD: Work(plan, ours, environment=NO_CACHE),
        "plan, all new, cold": Work(plan, fresh, environment=NO_CACHE),
        "validate": Work([*OURS, "validate"], ours),
        "status": Work([*OURS, "status"], ours),
        "jobs list": Work([*OURS, "jobs"], ours),
        "cost": Work([*OURS, "cost"], ours),
        # what changes files comes last in a round; the next one begins by taking it back
        CHANGED: Work(plan, ours, before=lambda: _change(ours)),
    }
    works |= anchors(work, size, most_terraform=most_terraform)
    return in_turns(works, rounds=rounds if size <= 10_000 else 1)


def _settle(folder: Path, plan: list[str]) -> None:
    """As it was bought, and planned once."""
    for kept in (folder / "models").glob("*.kept"):
        shutil.copy2(kept, kept.with_suffix(".yaml"))
        time.sleep(_SURE_SECONDS)
    measure(Work(plan, folder))


def _change(folder: Path) -> None:
    """Other steps for every model of one file."""
    path = min((folder / "models").glob("*.yaml"))
    kept = path.with_suffix(".kept")
    if not kept.exists():
        shutil.copy2(path, kept)
    path.write_text(kept.read_text().replace("    steps: 1", f"    steps: {time.time_ns() % 8 + 2}"))
    time.sleep(_SURE_SECONDS)
