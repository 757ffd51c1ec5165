"""Power loss: every image that a disk may hold, at every moment of a recorded run, is recovered without a loss (P1, P2, P3)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import StateProblem
from reconciler.state import State
from tests.crash.powerloss import STRACE, Image, Op, Recorder, images
from tests.crash.scenarios import BEFORE_THE_ANSWER_IS_KEPT, SCENARIOS
from tests.crash.tally import FIGURES, THIN, Tally
from tests.crash.world import APPLY, OWNER, Project, World, store_of

NAMED = {s.name: s for s in SCENARIOS}
_ACCEPTED = re.compile(r"accepted as (\S+)|accepted +(\S+)")


@dataclass
class Recording:
    """A run as its operations, on top of what was on the disk before."""

    start: Image
    ops: list[Op]
    truth: State
    """What is known at the end, when nothing was lost."""
    bodies: dict[str, int] = field(default_factory=dict)
    """SHA-256 of every purchase's body that was sent → the moment."""
    said: dict[str, int] = field(default_factory=dict)
    """Every id that was shown → the moment."""

    def __post_init__(self) -> None:
        for index, op in enumerate(self.ops):
            if op.what == "post" and op.data.startswith(b'{"image_data_url"'):
                self.bodies["sha256:" + hashlib.sha256(op.data).hexdigest()] = index
            elif op.what == "said":
                for found in _ACCEPTED.finditer(op.data.decode(errors="replace")):
                    self.said.setdefault(found[1] or found[2], index)


def snapshot(folder: Path) -> Image:
    return {p.name: p.read_bytes() for p in (folder / "state").iterdir() if p.is_file() and p.name != "lock"}


def record(world: World, project: Project, *runs: tuple[Sequence[str], dict[str, Any]]) -> Recording:
    """Runs of commands, one after the other on one disk; each with more arguments for strace or the fork server."""
    start = snapshot(project.folder)
    recorder = Recorder(str(project.folder / "state"))
    recorder.begin(start)
    for words, more in runs:
        log = project.folder / "power.log"
        arguments = [*STRACE, *more.pop("strace", [])]
        world.commands.under_strace(project.folder, arguments, *words, log=log, **more)
        recorder.read(log)
    recording = Recording(start, recorder.ops, project.state())
    assert any(op.what == "sync" for op in recorder.ops)
    return recording


@contextlib.contextmanager
def disk(image: Image, place: Path) -> Iterator[Path]:
    """A project folder whose state folder holds an image."""
    state = place / "state"
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    for name, content in image.items():
        (state / name).write_bytes(content)
    yield place


def recovered(recording: Recording, moment: int, image: Image, place: Path) -> tuple[str, list[str]]:
    """What the product makes of an image: how it went in a word, and everything that is wrong with it."""
    with disk(image, place):
        try:
            with store_of(place).hold(OWNER, wait_seconds=5) as writer:
                state = writer.state()
            store_of(place).verify()
        except StateProblem as problem:
            if has_hole(image) and (found := re.search(r"truncate -s (\d+)", problem.hint)):
                cut = {**image, "purchases.jsonl": image["purchases.jsonl"][: int(found[1])]}
                return "refused for a hole", recovered(recording, moment, cut, place)[1]
            return "refused", [f"refused: {problem.message}"]
    wrong = []
    bodies = {a.body_sha256 for a in state.attempts.values()}
    ids = {j.request_id for j in state.jobs.values()}
    wrong += [f"lost the intent of {b[:20]}" for b, sent in recording.bodies.items() if sent < moment and b not in bodies]
    wrong += [f"lost the id {i}" for i, said in recording.said.items() if said < moment and i not in ids]
    for attempt in state.attempts.values():
        true = recording.truth.attempts.get(attempt.id)
        if true is None:
            if attempt.body_sha256 not in recording.bodies or moment > recording.bodies[attempt.body_sha256]:
                wrong.append(f"an attempt that never was: {attempt.id}")
        elif (true.spec_digest, true.price, true.body_sha256, true.sent_at) != (attempt.spec_digest, attempt.price, attempt.body_sha256, attempt.sent_at):
            wrong.append(f"{attempt.id} is not what it was")
        elif attempt.request_id not in (None, true.request_id):
            wrong.append(f"{attempt.id} has another id")
    return "recovered", wrong


def has_hole(image: Image) -> bool:
    """Sectors of the last append are missing before others that are there: not all of it can be believed, so nothing is bought.

    Nothing of such an append was ever sent or said; a person who follows the hint cuts it off, and then everything else is there.
    """
    return b"\0" in image.get("purchases.jsonl", b"")


def rows_alone(recording: Recording, moment: int, image: Image, place: Path) -> tuple[str, list[str]]:
    """What the database by itself still knows: how the settings of SQLite alone would do."""
    with disk(image, place):
        try:
            with contextlib.closing(sqlite3.connect(place / "state" / "reconciler.db")) as database:
                rows = database.execute("SELECT body_sha256, request_id FROM attempts").fetchall()
        except sqlite3.Error as error:
            return "refused", [f"refused: {error}"]
    bodies, ids = {r[0] for r in rows}, {r[1] for r in rows}
    wrong = [f"lost the intent of {b[:20]}" for b, sent in recording.bodies.items() if sent < moment and b not in bodies]
    return "recovered", wrong + [f"lost the id {i}" for i, said in recording.said.items() if said < moment and i not in ids]


def sweep(
    kind: str,
    recording: Recording,
    place: Path,
    *,
    most: int,
    every: int = 1,
    seed: int = 0,
    look: Callable[[Recording, int, Image, Path], tuple[str, list[str]]] = recovered,
) -> Tally:
    tally = Tally(f"power: {kind}")
    for moment, image in images(recording.start, recording.ops, most=most, seed=seed, every=every):
        how, wrong = look(recording, moment, image, place)
        tally.kills += 1
        tally.more[how] += 1
        tally.more["lost"] += any(w.startswith("lost") for w in wrong)
        tally.wrong += [f"{tally.kind} at {moment} ({recording.ops[moment - 1].what} {recording.ops[moment - 1].name}): {w}" for w in wrong]
    return tally


def fresh(world: World, **more: Any) -> Recording:
    project = world.project(2)
    return record(world, project, ((*APPLY, "-parallelism=1"), more))


def killed_first(world: World, call: str, number: int) -> Recording:
    """A run that died by kill -9 with writes that no sync covers, then the run that recovers; the power goes after that."""
    project = world.project(2)
    stop = {"stop_at": ["engine/shopping.py", "_work"], "strace": ["-e", f"inject={call}:signal=SIGKILL:when={number}"]}
    return record(world, project, ((*APPLY, "-parallelism=1"), stop), ((*APPLY, "-parallelism=1"), {}))


def of_scenario(world: World, name: str) -> Recording:
    scenario = NAMED[name]
    project = scenario.begin(world)
    return record(world, project, (scenario.words(project), {}))


RECORDINGS: dict[str, Callable[[World], Recording]] = {
    "fresh": fresh,
    "four at once": lambda w: of_scenario(w, "four at once"),
    "resume": lambda w: of_scenario(w, "resume"),
    "kept aside": lambda w: of_scenario(w, "kept aside"),
    "torn": lambda w: of_scenario(w, "torn"),
    "merged": lambda w: of_scenario(w, "merged"),
    "rebuild": lambda w: of_scenario(w, "rebuild"),
    "killed at the journal's first sync": lambda w: killed_first(w, "fsync", 1),
    "killed at the journal's second sync": lambda w: killed_first(w, "fsync", 2),
    "killed before the first commit": lambda w: killed_first(w, "fdatasync", 1),
    "killed within the first commit": lambda w: killed_first(w, "fdatasync", 3),
    "killed at the first removal": lambda w: killed_first(w, "unlink", 1),
    "killed within the second commit": lambda w: killed_first(w, "fdatasync", 8),
}
MEMORY = Path("/dev/shm")
SHARES = 4


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: nothing of these images has to survive."""
    base = MEMORY if os.access(MEMORY, os.W_OK) else tmp_path
    folder = base / f"reconciler-crash-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("name", ["fresh", "killed at the journal's second sync", "merged"])
def test_a_sample_of_power_losses(world: World, tool: str, place: Path, name: str) -> None:
    """What was sent is known, what was said is known, and nothing is known that is not true."""
    tally = sweep(name, RECORDINGS[name](world), place, most=4, every=41)
    assert tally.kills > 20
    tally.demand()


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("name", RECORDINGS)
def test_every_power_loss(world: World, tool: str, place: Path, name: str, share: int) -> None:
    """The same for every image, or for many at random where there are too many."""
    sweep(name, RECORDINGS[name](world), place, most=10, seed=share, every=SHARES * THIN).demand()


@pytest.mark.parametrize("patch", ["FULL", "WAL NORMAL"])
def test_weaker_settings_of_sqlite_are_caught(world: World, tool: str, place: Path, patch: str) -> None:
    """The method sees: with the settings that SQLite has by itself, the database alone loses intents or ids."""
    tally = sweep(f"control {patch}", fresh(world, patches=[patch]), place, most=8, every=7, look=rows_alone)
    figures(tally)
    assert tally.more["lost"] > 0, tally


def test_our_settings_of_sqlite_lose_nothing_by_themselves(world: World, tool: str, place: Path) -> None:
    """The same look at our own settings finds nothing lost, even without the journal."""
    tally = sweep("control ours", fresh(world), place, most=8, every=7, look=rows_alone)
    figures(tally)
    assert tally.more["lost"] == 0, tally.wrong[:5]


def test_a_journal_that_is_not_synced_is_caught(world: World, tool: str, place: Path) -> None:
    """The method sees: without the sync of the journal, states are left that are ahead of it."""
    tally = sweep("control journal", fresh(world, patches=["journal not synced"]), place, most=4, every=31)
    figures(tally)
    assert tally.wrong


def figures(tally: Tally) -> None:
    """Keep the figures of a control: what it gets wrong is meant."""
    if FIGURES in os.environ:
        wrong, tally.wrong = tally.wrong, []
        tally.more["caught"] = len(wrong)
        tally.demand()
        tally.wrong = wrong


def test_the_model_knows_what_a_sync_covers() -> None:
    """A write without a sync may be gone; a sync of the file keeps it, a new name needs the sync of its folder."""
    start: Image = {"a": b"old"}
    ops = [Op("write", "a", 0, b"new"), Op("create", "b"), Op("write", "b", 0, b"x" * 1500), Op("sync", "a", since=3), Op("sync", "", since=4)]
    before = [image for moment, image in images(start, ops, most=64, seed=0) if moment == 3]
    assert {image["a"] for image in before} == {b"old", b"new"}
    assert any("b" not in image for image in before)
    assert any(0 < image.get("b", b"").count(b"x") < 1500 for image in before)
    after = [image for moment, image in images(start, ops, most=64, seed=0) if moment == 5]
    assert {image["a"] for image in after} == {b"new"}
    assert all("b" in image for image in after)
    assert BEFORE_THE_ANSWER_IS_KEPT.line
