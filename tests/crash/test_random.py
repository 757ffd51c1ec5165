"""kill -9 at random moments over applies of 40 models, four at once, then the same apply again, then both ends of a doubt."""

from __future__ import annotations

import random
import time

import pytest

from tests.crash.commands import Ended
from tests.crash.tally import THIN, Tally
from tests.crash.world import APPLY, Project, World

MODELS = 40
SHARES = 8


def blow(world: World, luck: random.Random, whole_seconds: float, tally: Tally, *, latency: float) -> None:
    """One kill, one re-apply, and the end of every doubt: each second one is found by its id, the others were not submitted."""
    world.emulator._server.latency_seconds = latency
    project = world.project(MODELS)
    seconds = luck.uniform(0.02, whole_seconds)
    killed = world.commands.kill_after(project.folder, seconds, *APPLY)
    world.emulator._server.latency_seconds = 0.0
    if not killed.was_killed:
        tally.missed += 1
        world.forget(project)
        return
    verdict = project.judge(project.run(*APPLY))
    bodies = len(project.charges())
    if bodies + verdict.false_doubts != MODELS:
        verdict.wrong.append(f"{bodies} charges and {verdict.false_doubts} needless doubts of {MODELS} models: a model too many is blocked")
    if (verdict.ended.code == 7) != bool(verdict.doubts):
        verdict.wrong.append(f"exit {verdict.ended.code} with {verdict.doubts} in doubt")
    verdict.wrong += settle_doubts(project)
    tally.count(f"{seconds:.3f} s", verdict)
    world.forget(project)


def settle_doubts(project: Project) -> list[str]:
    """`resolve` both ways ends it: afterwards one more apply has every model, each charged once but for what was written off."""
    known = {j.request_id for j in project.state().jobs.values()}
    wrong: list[str] = []
    for attempt in project.state().doubts:
        ids = [e.request_id for e in project.charges() if e.request_id not in known and e.body_digest == attempt.body_sha256]
        way = ("-request-id", str(ids[0])) if ids else ("-not-submitted", "-auto-approve")
        ended = project.run("resolve", attempt.name, *way, "-reason", "the ledger says so")
        if ended.code != 0:
            wrong.append(f"resolve {way[0]} exit {ended.code}: {ended.err[-300:]}")
    last: Ended = project.run(*APPLY)
    per_body = [e.body_digest for e in project.charges()]
    if last.code != 0 or len(per_body) != MODELS or len(set(per_body)) != MODELS:
        wrong.append(f"after resolve: exit {last.code}, {len(per_body)} charges for {len(set(per_body))} of {MODELS} models: {last.err[-300:]}")
    if {j.request_id for j in project.state().jobs.values()} != {e.request_id for e in project.charges()}:
        wrong.append("after resolve: not every id is known")
    return wrong


def sweep(world: World, kind: str, kills: int, seed: int) -> Tally:
    tally = Tally(kind)
    luck = random.Random(seed)
    project = world.project(MODELS)
    started = time.monotonic()
    assert project.run(*APPLY).code == 0
    whole = time.monotonic() - started
    while tally.kills < kills and tally.missed < 10 * kills:
        latency = luck.choice((0.0, 0.0, 0.02))
        blow(world, luck, whole + latency * MODELS / 4, tally, latency=latency)
    return tally


def test_a_sample_of_random_kills(world: World) -> None:
    """0 bought twice, 0 lost, only what may have been bought is blocked, and `resolve` ends it both ways."""
    tally = sweep(world, "random: sample", 4, seed=7)
    assert tally.kills == 4
    tally.demand()


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_two_hundred_random_kills(world: World, share: int) -> None:
    """The same 200 times in all."""
    sweep(world, "random: kill -9", 200 // SHARES // THIN, seed=100 + share).demand()
