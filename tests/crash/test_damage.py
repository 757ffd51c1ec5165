"""Damaged files: every flipped bit and every length is detected or harmless, never a purchase, and what was bought comes back."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from reconciler.errors import StateProblem
from reconciler.journal.file import FileJournal
from reconciler.state import State, fold_all
from tests.crash.powerloss import Image
from tests.crash.tally import THIN, Tally
from tests.crash.test_power import MEMORY, disk, snapshot
from tests.crash.world import APPLY, OWNER, Project, World, store_of

STATE, JOURNAL = "reconciler.db", "purchases.jsonl"
SHARES = 4


class Healthy(NamedTuple):
    """A project with jobs, a doubt and bindings; its files, and what it knows."""

    project: Project
    image: Image
    truth: State
    folded: State
    """What the journal alone tells: the same without what may be looked up again."""


@pytest.fixture(scope="module")
def healthy(world: World) -> Healthy:
    project = world.project(6, ("accept_then_close", {}))
    assert project.run(*APPLY).code == 7
    _, facts = FileJournal(project.folder / "state" / JOURNAL).read(None)
    return Healthy(project, snapshot(project.folder), project.state(), fold_all(facts).snapshot())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    base = MEMORY if os.access(MEMORY, os.W_OK) else tmp_path
    folder = base / f"reconciler-damage-{os.getpid()}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def same(one: State, other: State) -> bool:
    return (one.lineage, one.attempts, one.jobs, one.bindings, one.pause) == (other.lineage, other.attempts, other.jobs, other.bindings, other.pause)


def look(healthy: Healthy, image: Image, place: Path) -> str:
    """What readers and writers make of it: `detected`, `harmless`, or what is wrong."""
    found = []
    for write in (False, True):
        with disk(image, place):
            try:
                if write:
                    with store_of(place).hold(OWNER, wait_seconds=5) as writer:
                        state = writer.state()
                else:
                    state = store_of(place).view()
            except StateProblem:
                found.append("detected")
            else:
                found.append("harmless" if same(state, healthy.truth) or same(state, healthy.folded) else "believed")
    return "believed" if "believed" in found else "detected" if "detected" in found else "harmless"


def rebuilt(healthy: Healthy, image: Image, place: Path) -> bool:
    """Whether a new state made from the journal knows every id again."""
    with disk(image, place):
        try:
            state = store_of(place).rebuild(OWNER, wait_seconds=5)
        except StateProblem:
            return False
        known = {j.request_id for j in state.jobs.values()}
        return known == {j.request_id for j in healthy.truth.jobs.values()} and state.attempts.keys() == healthy.truth.attempts.keys()


def judge(tally: Tally, healthy: Healthy, image: Image, place: Path, what: str, *, in_state: bool) -> None:
    how = look(healthy, image, place)
    tally.kills += 1
    tally.more[how] += 1
    if how == "believed":
        tally.wrong.append(f"{what}: something else was believed")
    if in_state and how == "detected":
        tally.more["rebuilt"] += 1
        if not rebuilt(healthy, image, place):
            tally.wrong.append(f"{what}: could not be rebuilt")


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def flips(healthy: Healthy, place: Path, name: str, count: int, seed: int) -> Tally:
    tally = Tally(f"damage: bit flips in the {'state' if name == STATE else 'journal'}")
    content, luck = healthy.image[name], random.Random(seed)
    for _ in range(count):
        bit = luck.randrange(8 * len(content))
        judge(tally, healthy, {**healthy.image, name: flipped(content, bit)}, place, f"{name} bit {bit}", in_state=name == STATE)
    return tally


def cuts(healthy: Healthy, place: Path, name: str, every: int, first: int = 0) -> Tally:
    tally = Tally(f"damage: lengths of the {'state' if name == STATE else 'journal'}")
    content = healthy.image[name]
    for length in range(first, len(content), every):
        judge(tally, healthy, {**healthy.image, name: content[:length]}, place, f"{name} cut at {length}", in_state=name == STATE)
    return tally


@pytest.mark.parametrize("name", [STATE, JOURNAL])
def test_a_sample_of_damage(healthy: Healthy, place: Path, name: str) -> None:
    """A flipped bit or a cut file is detected or harmless; a damaged state is made again from the journal."""
    flips(healthy, place, name, 60, seed=1).demand()
    cuts(healthy, place, name, len(healthy.image[name]) // 23).demand()


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("name", [STATE, JOURNAL])
def test_thousands_of_flipped_bits(healthy: Healthy, place: Path, name: str, share: int) -> None:
    flips(healthy, place, name, 2000 // SHARES // THIN, seed=10 + share).demand()


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("name", [STATE, JOURNAL])
def test_all_lengths(healthy: Healthy, place: Path, name: str, share: int) -> None:
    """Every second length of the journal; of the state every 32 bytes: its pages are read whole."""
    step = (32 if name == STATE else 2) * THIN
    cuts(healthy, place, name, SHARES * step, share * step).demand()


def test_a_journal_alone_that_is_cut_within_a_line_is_an_error(healthy: Healthy, place: Path) -> None:
    """Where no state is there that could know better. Cut between two lines it is an older journal: that nobody can see (RELIABILITY)."""
    content = healthy.image[JOURNAL]
    ends = {i + 1 for i, byte in enumerate(content) if byte == 10}
    for length in range(1, len(content), 97):
        with disk({JOURNAL: content[:length]}, place):
            if length in ends:
                continue
            with pytest.raises(StateProblem):
                store_of(place).view()


@pytest.mark.parametrize("name", [STATE, JOURNAL])
def test_nothing_is_bought_on_damaged_files(world: World, healthy: Healthy, name: str) -> None:
    """Exit 1 and no POST, as a command; after `state rebuild` the same apply goes on."""
    luck = random.Random(3)
    content = healthy.image[name]
    for _ in range(4):
        project = world.project(1)
        assert project.run(*APPLY).code == 0
        project.want(2)
        state = project.folder / "state"
        good = (state / name).read_bytes()
        (state / name).write_bytes(_torn_apart(good, luck))
        ended = project.run(*APPLY)
        assert ended.code == 1, ended
        assert "Traceback" not in ended.text
        assert len(project.charges()) == 1
        if name == JOURNAL:
            (state / name).write_bytes(good)
        else:
            assert project.run("state", "rebuild").code == 0
        assert not project.judge(project.run(*APPLY), codes=(0,)).wrong
        assert len(project.charges()) == 2
        world.forget(project)
    assert content


def _torn_apart(content: bytes, luck: random.Random) -> bytes:
    """Noise in the middle, longer than any unused stretch of a page can hide."""
    middle = len(content) // 3
    return content[:middle] + luck.randbytes(len(content) - 2 * middle) + content[-middle:]
