"""System calls of a run, thread by thread, so that each single one can be made to kill or to fail.

`strace` counts calls for each thread on its own. A run is therefore entered at two moments: before its first line (the
main thread comes first to any count) and where a worker begins its purchase (the worker does).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.crash.scenarios import Scenario
from tests.crash.world import World

IO_CALLS = (
    "openat",
    "write",
    "pwrite64",
    "pread64",
    "fsync",
    "fdatasync",
    "unlink",
    "rename",
    "link",
    "ftruncate",
    "fallocate",
    "flock",
    "connect",
    "sendto",
    "recvfrom",
    "close",
)
WORKER = ["engine/shopping.py", "_work"]
_CALL = re.compile(r"^(\d+)\s+(\w+)\(")


@dataclass(frozen=True)
class Call:
    """The `number`th call of that name in the thread that comes first."""

    in_worker: bool
    name: str
    number: int

    @property
    def entry(self) -> dict[str, Any]:
        return {"stop_at": WORKER} if self.in_worker else {}

    def __str__(self) -> str:
        return f"{'worker' if self.in_worker else 'main'} {self.name}#{self.number}"


def trace(names: Sequence[str]) -> list[str]:
    return ["-e", f"trace={','.join(names)}"]


def calls_of(world: World, scenario: Scenario, names: Sequence[str] = IO_CALLS) -> list[Call]:
    """Every call of these names that the scenario's command makes, in the main thread and in the first worker."""
    return _counted(world, scenario, names, in_worker=False) + _counted(world, scenario, names, in_worker=True)


def _counted(world: World, scenario: Scenario, names: Sequence[str], *, in_worker: bool) -> list[Call]:
    project = scenario.begin(world)
    if in_worker and scenario.words(project)[0] != "apply":
        return []
    log = Path(project.folder, "calls.log")
    world.commands.under_strace(project.folder, trace([*names, "connect"]), *scenario.words(project), log=log, **Call(in_worker, "", 0).entry)
    if not log.exists():
        return []
    text = log.read_text(errors="replace").splitlines()
    world.forget(project)
    counts: Counter[tuple[str, str]] = Counter()
    first = ""
    for line in text:
        if found := _CALL.match(line):
            first = first or found[1]
            counts[found[1], found[2]] += 1
    # the thread that stopped itself is the one to count: the worker is the only one that connects when it is entered there
    wanted = next((thread for thread, name in counts if name == "connect"), "") if in_worker else first
    return [Call(in_worker, name, n) for (thread, name), count in sorted(counts.items()) if thread == wanted and name in names for n in range(1, count + 1)]
