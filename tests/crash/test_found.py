"""Moments at which something was lost once, each line of them: they stay in every run."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.commands import init
from reconciler.journal import create
from reconciler.store.sqlite import SqliteStore
from reconciler.store.writer import SqliteWriter
from tests.crash.commands import Place
from tests.crash.scenarios import SCENARIOS
from tests.crash.test_lines import places_of, sweep
from tests.crash.world import World

NAMED = {s.name: s for s in SCENARIOS}
MOMENTS: dict[str, tuple[str, Callable[..., Any]]] = {
    "an id in an unfinished line is kept elsewhere before the line is removed": ("torn", SqliteWriter.__init__),
    "an answer that waits in the old state is found while a new one is put in its place": ("kept aside and merged", SqliteStore._put_aside),
    "a journal begins whole or not at all": ("init", create.create_journal),
    "the beginning of a journal is written where nobody takes it for one": ("init", create._write),
    "the project's files begin whole or not at all": ("init", init._write),
}


LOADED = """
import sys
from reconciler.cli.run import run
from reconciler.engine.purchase import Buyer
from reconciler.store.writer import SqliteWriter

record, settle, before = SqliteWriter.record, Buyer._settle, set()

def recording(self, drafts):
    record(self, drafts)
    before.update(sys.modules)

def settling(self, *rest):
    settle(self, *rest)
    print("LOADED", sorted(set(sys.modules) - before), file=sys.stderr)

SqliteWriter.record, Buyer._settle = recording, settling
sys.exit(run(["apply", "-auto-approve"]))
"""


def test_nothing_is_loaded_from_the_disk_between_the_first_byte_and_the_kept_answer(world: World) -> None:
    """The answer of a purchase is read and kept also when no file can be opened any more."""
    project = world.project(1)
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=project.folder, env=world.commands.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    assert "LOADED []" in done.stderr


def places_in(places: list[Place], function: Callable[..., Any]) -> list[Place]:
    lines, first = inspect.getsourcelines(function)
    file = (inspect.getsourcefile(function) or "").rpartition("/reconciler/")[2]
    return [p for p in places if p.file == file and first <= p.line < first + len(lines)]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_at_this_moment_loses_nothing(world: World, moment: str) -> None:
    name, function = MOMENTS[moment]
    places = places_in(places_of(world, NAMED[name]), function)
    assert places
    tally = sweep(world, NAMED[name], places[:: max(1, len(places) // 6)])
    assert tally.kills
    tally.demand()
