"""Every write, sync, open, unlink that fails, once and from then on: P2, and nothing is bought that cannot be written down."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.crash.calls import Call, calls_of, trace
from tests.crash.commands import Ended
from tests.crash.scenarios import Scenario
from tests.crash.tally import THIN, Tally
from tests.crash.test_lines import spread
from tests.crash.world import APPLY, Project, World

ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EROFS", "EFBIG")
FAILING = ("write", "pwrite64", "fsync", "fdatasync", "openat", "unlink", "ftruncate", "fallocate", "rename")
ONE_BY_ONE = Scenario("three in a row", lambda w: w.project(3), lambda p: (*APPLY, "-parallelism=1"), lambda p: [(APPLY, (0, 7))])
SAMPLE = 8


def sweep(world: World, kind: str, cases: Sequence[tuple[Call, str, str]]) -> Tally:
    tally = Tally(kind)
    for call, error, mode in cases:
        project = ONE_BY_ONE.begin(world)
        log = project.folder / "calls.log"
        arguments = [*trace([call.name, "sendto", "fsync", "fdatasync"]), "-e", f"inject={call.name}:error={error}:when={call.number}{mode}"]
        ended = world.commands.under_strace(project.folder, arguments, *ONE_BY_ONE.words(project), log=log, **call.entry)
        text = log.read_text(errors="replace") if log.exists() else ""
        if "INJECTED" not in text:
            tally.missed += 1
            continue
        place = f"{call} {error}{' sticky' if mode else ''}"
        wrong = during(ended, text, call)
        answered = [e for e in project.charges() if e.request_id]
        again = project.run(*APPLY)
        verdict = project.judge(again)
        known = {job.request_id for job in project.state().jobs.values()}
        forgotten = [e for e in answered if e.request_id not in known and str(e.request_id) not in ended.text]
        if forgotten:
            wrong.append(f"{len(forgotten)} answered ids neither recovered nor said")
        tally.more["only said"] += sum(1 for e in answered if e.request_id not in known and str(e.request_id) in ended.text)
        verdict.wrong = [f"{w}\n{ended.err[-800:]}" for w in wrong] + verdict.wrong
        tally.count(place, verdict)
        world.forget(project)
    return tally


def during(ended: Ended, log: str, call: Call) -> list[str]:
    """What must hold of the run that met the failure."""
    wrong = []
    if ended.code not in (0, 1, 4, 7):  # 4: whether purchases are paused could not be read
        wrong.append(f"exit {ended.code} during the failure")
    if "Traceback" in ended.text or "HARNESS" in ended.text:
        wrong.append("traceback")
    speechless = call.name == "write" and not call.in_worker
    if ended.code == 1 and not speechless and not any(line.startswith(("Error:", "Stopped")) or "error" in line for line in ended.err.splitlines()):
        wrong.append("exit 1 without a word")
    if call.name in ("fsync", "fdatasync"):
        after = log[log.index("INJECTED") :]
        if re.search(r'sendto\(\d+, "POST [^"]*-request', after):
            wrong.append("a purchase was sent after a failed sync")
    return wrong


def cases_of(world: World, modes: Sequence[str], errors: Sequence[str]) -> list[tuple[Call, str, str]]:
    """Every call of the run, the errors in turn."""
    calls = calls_of(world, ONE_BY_ONE, FAILING)
    return [(call, errors[i % len(errors)], mode) for mode in modes for i, call in enumerate(calls)]


@pytest.mark.parametrize("mode", ["", "+"], ids=["once", "sticky"])
def test_a_sample_of_failing_calls(world: World, tool: str, mode: str) -> None:
    """A call that fails ends in one clear error; what was bought is known afterwards, nothing is bought twice."""
    tally = sweep(world, "error: sample", spread(cases_of(world, (mode,), ERRORS), SAMPLE))
    assert tally.kills >= SAMPLE // 2
    tally.demand()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["", "+"], ids=["once", "sticky"])
@pytest.mark.parametrize("error", ERRORS)
def test_every_failing_call(world: World, tool: str, error: str, mode: str) -> None:
    """The same at every call; each error takes every second one, beginning with another."""
    cases = cases_of(world, (mode,), (error,))[ERRORS.index(error) % 2 :: 2 * THIN]
    sweep(world, f"error: {error}{' sticky' if mode else ''}", cases).demand()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB, or a reason to skip."""
    point = tmp_path / "disk"
    point.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", point], capture_output=True, check=False).returncode:
        pytest.skip("a file system of its own needs root and the right to mount")
    yield point
    subprocess.run(["umount", "-l", point], check=True)


@pytest.mark.parametrize("moment", ["before the question", "between question and answer"])
def test_a_disk_that_is_really_full(world: World, small_disk: Path, moment: str) -> None:
    """A full disk forbids the next purchase; the answer of the one on its way is recorded all the same (P2)."""
    project = world.project(2, *([("delay", {"seconds": 0.6})] if moment != "before the question" else []))
    with state_on(small_disk, project):
        filler = small_disk / "filler"
        if moment == "before the question":
            fill(filler)
            ended = project.run(*APPLY, "-parallelism=1")
            assert not project.charges()
        else:
            filling = threading.Thread(target=lambda: (until_charged(project), fill(filler)))
            filling.start()
            ended = project.run(*APPLY, "-parallelism=1")
            filling.join()
            assert len(project.charges()) == 1
        assert ended.code in (1, 7)
        assert "No space left" in ended.text or "full" in ended.text
        assert "Traceback" not in ended.text
        filler.unlink()
        verdict = project.judge(project.run(*APPLY), codes=(0,))
        assert not verdict.wrong, (verdict, ended)
        assert verdict.doubts == 0
        assert verdict.charges == 2


@contextlib.contextmanager
def state_on(disk: Path, project: Project) -> Iterator[None]:
    """The state's folder is on that disk: mounted, because a link out of the project is refused."""
    state = project.folder / "state"
    for file in state.iterdir():
        (disk / file.name).write_bytes(file.read_bytes())
    subprocess.run(["mount", "--bind", disk, state], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", state], check=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as stream:
        for size in (65536, 4096, 512, 1):
            try:
                while stream.write(b"x" * size):
                    pass
            except OSError:
                continue


def until_charged(project: Project) -> None:
    until = time.monotonic() + 20
    while not project.charges() and time.monotonic() < until:
        time.sleep(0.01)
