"""Moments at which something was lost once, each line of them: they stay in every run."""

from __future__ import annotations

import inspect
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


def places_in(places: list[Place], function: Callable[..., Any]) -> list[Place]:
    lines, first = inspect.getsourcelines(function)
    file = (inspect.getsourcefile(function) or "").rpartition("/reconciler/")[2]
    return [p for p in places if p.file == file and first <= p.line < first + len(lines)]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_at_this_moment_loses_nothing(world: World, moment: str) -> None:
    name, function = MOMENTS[moment]
    places = places_in(places_of(world, NAMED[name]), function)
    assert places
    tally = sweep(world, NAMED[name], places[:: max(1, len(places) // 12)])
    assert tally.kills
    tally.demand()
