"""kill -9 at every system call that reads, writes, syncs, sends or receives: P1, P2, P3; and how many doubts were needless."""

from __future__ import annotations

import pytest

from tests.crash.calls import Call, calls_of, trace
from tests.crash.scenarios import SCENARIOS, Scenario, settle
from tests.crash.tally import THIN, Tally
from tests.crash.test_lines import spread
from tests.crash.world import World

NAMED = {s.name: s for s in SCENARIOS}
IN_THE_SAMPLE = ("fresh", "resume")
SWEPT = ("fresh", "four at once", "resume", "poll", "retry", "resolve: found", "kept aside", "torn", "merge", "merged", "rebuild", "init")
SAMPLE = 5
SHARES = 4


def sweep(world: World, scenario: Scenario, calls: list[Call]) -> Tally:
    tally = Tally(f"call: {scenario.name}")
    for call in calls:
        project = scenario.begin(world)
        arguments = [*trace([call.name]), "-e", f"inject={call.name}:signal=SIGKILL:when={call.number}"]
        killed = world.commands.under_strace(project.folder, arguments, *scenario.words(project), **call.entry)
        assert "HARNESS" not in killed.err, killed.err
        if killed.was_killed:
            tally.count(call, settle(scenario, project))
        else:
            tally.missed += 1
        world.forget(project)
    return tally


@pytest.mark.parametrize("name", IN_THE_SAMPLE)
def test_a_sample_of_system_calls(world: World, tool: str, name: str) -> None:
    """A kill at an I/O system call loses no id and never lets anything be bought twice."""
    calls = calls_of(world, NAMED[name])
    tally = sweep(world, NAMED[name], spread(calls, SAMPLE))
    assert tally.kills >= SAMPLE // 2
    tally.demand()


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("name", SWEPT)
def test_every_system_call(world: World, tool: str, name: str, share: int) -> None:
    """The same at every one of them, or every third of the larger scenarios."""
    stride = (1 if name in ("fresh", "resume") else 3) * THIN
    sweep(world, NAMED[name], calls_of(world, NAMED[name])[::stride][share::SHARES]).demand()
