"""kill -9 in front of every executed line of the purchase path, then a normal second run: P1, P2, P3."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.crash.commands import Place
from tests.crash.scenarios import SCENARIOS, Scenario, settle
from tests.crash.tally import THIN, Tally
from tests.crash.world import World

SAMPLE = 3
STRIDES = {"fresh": 2, "four at once": 3}
"""The full sweep takes each so-manieth line of a scenario; what is not named here shares most of its lines with these: each eighth."""
SHARES = 4
"""The full sweep of a scenario is cut into so many tests, for the workers to share."""


def places_of(world: World, scenario: Scenario) -> list[Place]:
    """The first execution of every line, and the last of those that come again, in the order of a whole run."""
    project = scenario.begin(world)
    places = world.commands.lines(project.folder, *scenario.words(project))
    world.forget(project)
    last = {(p.file, p.line): p for p in places}
    return [p for p in places if p.occurrence == 1 or p == last[p.file, p.line]]


def sweep(world: World, scenario: Scenario, places: Sequence[Place]) -> Tally:
    tally = Tally(f"line: {scenario.name}")
    for place in places:
        project = scenario.begin(world)
        killed = world.commands.kill_at(project.folder, place, *scenario.words(project))
        assert "HARNESS" not in killed.err, killed.err
        if killed.was_killed:
            tally.count(place, settle(scenario, project))
        else:
            tally.missed += 1
        world.forget(project)
    return tally


def spread(places: Sequence[Place], count: int) -> list[Place]:
    """`count` of them, evenly."""
    return [places[len(places) * i // count + len(places) // (2 * count)] for i in range(min(count, len(places)))]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_a_sample_of_lines(world: World, scenario: Scenario) -> None:
    """A kill in front of a line of the purchase path loses no id and never lets anything be bought twice."""
    tally = sweep(world, scenario, spread(places_of(world, scenario), SAMPLE))
    assert tally.kills >= SAMPLE // 2
    tally.demand()


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_every_line(world: World, scenario: Scenario, share: int) -> None:
    """The same over all lines that the scenario executes."""
    stride = STRIDES.get(scenario.name, 8) * THIN
    sweep(world, scenario, places_of(world, scenario)[::stride][share::SHARES]).demand()
