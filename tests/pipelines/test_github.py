"""The GitHub workflows, run line by line against the emulator and a forge on loopback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator.faults import Fault
from reconciler.emulator.server import Emulator
from reconciler.trainer import BUILT_IN
from tests.pipelines.forge import BOT, READ_ONLY, TOKEN, Forge
from tests.pipelines.repository import Repository
from tests.pipelines.runner import Job, Runner, machine

KEY = os.environ["PIXAZO_API_KEY"]
BEFORE = {"keeper": {"steps": 100}, "changer": {"steps": 101}, "old_name": {"steps": 102}}
AFTER = {"keeper": {"steps": 100}, "changer": {"steps": 151}, "new_name": {"steps": 102}, "added": {"steps": 104}}


class World:
    """One repository, one forge, one trainer API, and whatever runs on them."""

    def __init__(self, folder: Path, forge: Forge, emulator: Emulator) -> None:
        self.folder, self.forge, self.emulator = folder, forge, emulator
        self.repository = Repository.at(folder / "team", emulator.url)
        self.variables = machine(
            folder / "machine",
            GITHUB_ACTIONS="true",
            GITHUB_ACTOR="ann",
            GITHUB_REPOSITORY="acme/loras",
            GITHUB_RUN_ID="17",
            GITHUB_SERVER_URL="https://github.com",
            GITHUB_API_URL=forge.url,
            RECONCILER_ENDPOINT=emulator.url,
        )
        self.runs = 0

    def runner(self, commit: str, **settings: Any) -> Runner:
        self.runs += 1
        folder = self.folder / f"run-{self.runs}"
        folder.mkdir()
        base = {"secrets": {"PIXAZO_API_KEY": KEY}, "vars": {"LORA_MAX_COST": "50"}, "token": TOKEN}
        return Runner(folder, self.repository.origin, commit, dict(self.variables), **{**base, **settings})

    def pull(self, commit: str, **settings: Any) -> dict[str, Job]:
        runner = self.runner(commit, event={"pull_request": {"number": 7}}, **settings)
        runner.variables |= {"GITHUB_REF": "refs/pull/7/merge", "GITHUB_EVENT_NAME": "pull_request"}
        runner.secrets = {}
        return runner.run("plan.yml")

    def push(self, commit: str, **settings: Any) -> dict[str, Job]:
        self.forge.pulls[commit] = 7
        return self.runner(commit, **settings).run("apply.yml")

    @property
    def charges(self) -> int:
        return len(self.emulator.books.charges())


@pytest.fixture
def forge() -> Iterator[Forge]:
    with Forge() as server:
        yield server


@pytest.fixture(scope="session")
def bought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the repository and the emulator's books after the three models of BEFORE were bought."""
    folder = tmp_path_factory.mktemp("bought")
    with Emulator(books=folder / "books.db", trainers=BUILT_IN, protocol="g2", speed=3000.0) as emulator:
        repository = Repository.new(folder / "team", emulator.url, **BEFORE)
        done = repository.work.apply()
        assert done.code == 0, done
    return folder


@pytest.fixture
def world(tmp_path: Path, bought: Path, forge: Forge) -> Iterator[World]:
    """The three models of BEFORE are bought."""
    shutil.copytree(bought, tmp_path, dirs_exist_ok=True)
    with Emulator(books=tmp_path / "books.db", trainers=BUILT_IN, protocol="g2", speed=3000.0) as emulator:
        world = World(tmp_path, forge, emulator)
        assert world.charges == 3
        yield world


def results(jobs: dict[str, Job]) -> list[str]:
    assert all(KEY not in step.text + step.summary for job in jobs.values() for step in job.steps.values())
    return [job.result for job in jobs.values()]


def test_a_pull_request_is_planned_reviewed_merged_and_bought_exactly_once(world: World, forge: Forge) -> None:
    """One added, one changed, one renamed: $16.00, the rename is free; what was merged is bought; again buys nothing."""
    commit = world.repository.commit(branch="feature", **AFTER)
    first = world.pull(commit)
    assert results(first) == ["success"]
    (posted,) = forge.bodies()
    assert "**+$16.00** to apply" in posted.splitlines()[1]
    for fact in ("steps 101 → 151", "new model", "was old-name", "`models/a.yaml:", "$24.00 (3 jobs)", "40 % of $100.00", "$60.00 left"):
        assert fact in posted, fact
    rows = {line.split("`")[1]: line for line in posted.splitlines() if line.startswith("| ") and "`" in line}
    assert "| $0.00 |" in rows["new-name"]
    assert "| +$8.00 |" in rows["added"]
    plan = first["plan"].steps["plan"]
    assert {line.split("title=")[1].split("::")[0] for line in plan.annotations} == {"+$8.00 train added", "+$8.00 retrain changer", "$0.00 move new-name"}
    assert all("file=models/a.yaml,line=" in line for line in plan.annotations)
    assert plan.summary.startswith("### ")
    assert plan.outputs["cost"] == "16.00"
    writes = len(forge.writes)
    assert results(world.pull(commit)) == ["success"]
    assert len(forge.writes) == writes
    assert world.charges == 3

    commit = world.repository.commit(**AFTER)
    assert results(world.push(commit)) == ["success"] * 3
    assert world.charges == 5
    (posted,) = forge.bodies()
    assert "applied" in posted.splitlines()[1]
    assert "2 bought $16.00" in posted
    assert " since " not in posted
    assert '"due":"0.00"' in posted.splitlines()[0]
    again = world.push(commit)
    assert again["plan"].outputs["paid"] == "0"
    assert again["approve"].result == "skipped"
    assert "failure" not in results(again)
    assert world.charges == 5


def test_an_edit_between_approval_and_apply_buys_nothing_and_says_what_moved(world: World) -> None:
    commit = world.repository.commit(**AFTER)
    runner = world.runner(commit)

    def approve(environment: str) -> bool:
        if environment == "lora-apply":
            runner.commit = world.repository.commit(**{**AFTER, "added": {"steps": 999}})
        return True

    runner.on_environment = approve
    jobs = runner.run("apply.yml")
    assert jobs["apply"].result == "failure"
    done = jobs["apply"].steps["apply"]
    assert done.code == 5
    assert "added" in done.err
    assert done.outputs["failure_reason"] == "plan_changed"
    assert "not the approved one" in done.summary
    assert "added" in done.summary
    assert world.charges == 3


@pytest.mark.slow
def test_a_swapped_plan_is_noticed_by_the_digest_that_the_forge_passed_on(world: World) -> None:
    cheap = world.pull(world.repository.commit(branch="feature", **{**BEFORE, "other": {"steps": 500}}))
    assert cheap["plan"].outputs == {}
    (swapped,) = world.folder.glob("run-*/artifacts/plan/plan.json")
    runner = world.runner(world.repository.commit(**AFTER))

    def swap(environment: str) -> bool:
        if environment == "lora-apply":
            (runner.folder / "artifacts" / "plan" / "plan.json").write_text(swapped.read_text())
        return True

    runner.on_environment = swap
    jobs = runner.run("apply.yml")
    assert jobs["apply"].steps["apply"].code == 5
    assert world.charges == 3


@pytest.mark.slow
def test_a_reviewer_who_declines_buys_nothing(world: World) -> None:
    jobs = world.push(world.repository.commit(**AFTER), on_environment=lambda name: name != "lora-approve")
    assert [jobs["approve"].result, jobs["apply"].result] == ["failure", "skipped"]
    assert world.charges == 3


def test_free_changes_need_no_approval(world: World) -> None:
    asked: list[str] = []
    renamed = {"keeper": {"steps": 100}, "changer": {"steps": 101}, "new_name": {"steps": 102}}
    jobs = world.push(world.repository.commit(**renamed), on_environment=lambda name: not asked.append(name))
    assert results(jobs) == ["success", "skipped", "success"]
    assert asked == ["lora-apply"]
    assert world.charges == 3
    assert world.push(world.repository.commit(**renamed))["plan"].outputs["paid"] == "0"


@pytest.mark.parametrize("limit", ["10", pytest.param("", marks=pytest.mark.slow)])
def test_a_ceiling_that_is_too_low_or_not_set_buys_nothing(world: World, limit: str) -> None:
    jobs = world.push(world.repository.commit(**AFTER), vars={"LORA_MAX_COST": limit})
    assert jobs["apply"].result == "failure"
    assert jobs["apply"].steps["apply"].code == (4 if limit else 64)
    assert world.charges == 3
    if limit:
        assert "**refused**" in jobs["apply"].steps["apply"].summary


def test_a_fork_gets_summary_and_annotations_and_stays_green(world: World, forge: Forge) -> None:
    jobs = world.pull(world.repository.commit(branch="feature", **AFTER), token=READ_ONLY)
    assert results(jobs) == ["success"]
    assert not forge.posted
    assert "Notice: no comment" in jobs["plan"].steps["comment"].err
    assert jobs["plan"].steps["plan"].annotations


def test_a_refused_or_invalid_plan_is_red_and_still_shown(world: World, forge: Forge) -> None:
    many = {**AFTER, **{f"m{i}": {"steps": 200 + i} for i in range(12)}}
    refused = world.pull(world.repository.commit(branch="feature", **many))
    assert (refused["plan"].result, refused["plan"].steps["plan"].code) == ("failure", 4)
    assert refused["plan"].steps["plan"].outputs["failure_reason"] == "budget"
    assert "**refused**" in forge.bodies()[0]
    assert "m11" in forge.bodies()[0]
    invalid = world.pull(world.repository.commit(branch="feature", added={"steps": "many"}))
    assert invalid["plan"].steps["plan"].outputs["failure_reason"] == "invalid"
    (posted,) = forge.bodies()
    assert "not valid" in posted
    assert any(line.startswith("::error file=models/a.yaml,line=") for line in invalid["plan"].steps["plan"].annotations)


def test_the_nightly_refresh_writes_how_jobs_ended_and_keeps_one_comment(world: World, forge: Forge) -> None:
    time.sleep(0.3)
    runner = world.runner(world.repository.commit(**BEFORE), vars={"LORA_ISSUE": "3"})
    jobs = runner.run("refresh.yml")
    assert results(jobs) == ["success"]
    assert "/issues/3/comments" in forge.writes[0].path
    assert "refreshed" in forge.bodies()[0].splitlines()[1]
    status = world.repository.work
    assert status.run("journal", "pull").code == 0
    assert {m["phase"] for m in status.run("status", "-json").json["models"]} == {"succeeded"}
    assert [e["what"] for e in status.run("history", "keeper", "-json").json["entries"]] == ["bought", "succeeded"]
    assert status.run("cost", "-json").json["total"]["spent"] == "24.00"
    assert world.charges == 3


def cancel(process: subprocess.Popen[str]) -> None:
    """As GitHub's runner does: to the step's entry process alone."""
    for number, seconds in ((signal.SIGINT, 7.5), (signal.SIGTERM, 2.5), (signal.SIGKILL, 10.0)):
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return


@pytest.mark.parametrize("after", [pytest.param(0, marks=pytest.mark.slow), 1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_cancelled_apply_loses_nothing_and_the_next_buys_the_rest(world: World, after: int) -> None:
    """The machine is gone afterwards; all that is left is the branch."""
    models = {**BEFORE, **{f"m{i}": {"steps": 200 + i} for i in range(6)}}
    runner = world.runner(world.repository.commit(**models))
    world.emulator.latency_seconds = 0.3

    def watch(name: str, process: subprocess.Popen[str]) -> None:
        if name != "apply":
            return
        until = time.monotonic() + 30
        while world.charges < 3 + after and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        runner.cancelled = True
        cancel(process)

    runner.on_step = watch
    jobs = runner.run("apply.yml")
    assert jobs["apply"].result == "cancelled"
    assert jobs["apply"].steps["apply"].code in (130, -signal.SIGINT), jobs["apply"].steps["apply"].err
    assert "save the journal" in jobs["apply"].steps
    bought = world.charges
    assert 3 + after <= bought < 9
    world.emulator.latency_seconds = 0.0
    assert results(world.push(world.repository.commit(**models))) == ["success"] * 3
    assert world.charges == 9
    assert world.repository.work.run("journal", "pull").code == 0
    assert world.repository.work.run("status", "-json").json["in_doubt"] == []


@pytest.mark.slow
def test_a_killed_machine_leaves_doubts_and_no_second_purchase(world: World) -> None:
    models = {**BEFORE, **{f"m{i}": {"steps": 200 + i} for i in range(6)}}
    runner = world.runner(world.repository.commit(**models))
    world.emulator.plan.replace([Fault("delay", settings={"seconds": 20.0})])

    def watch(name: str, process: subprocess.Popen[str]) -> None:
        if name == "apply":
            until = time.monotonic() + 30
            while world.charges < 5 and time.monotonic() < until:
                time.sleep(0.01)
            runner.cancelled = True
            process.kill()

    runner.on_step = watch
    runner.run("apply.yml")
    world.emulator.plan.replace([])
    bought = world.charges
    second = world.push(world.repository.commit(**models))
    assert second["apply"].steps["apply"].code == 7
    assert second["apply"].steps["apply"].outputs["failure_reason"] == "in_doubt"
    specs = [json.dumps(charge.parameters, sort_keys=True) for charge in world.emulator.books.charges()]
    assert len(specs) == len(set(specs))
    assert world.charges >= bought


@pytest.mark.slow
def test_nobody_but_the_bot_is_spoken_for(world: World, forge: Forge) -> None:
    world.pull(world.repository.commit(branch="feature", **AFTER))
    assert {author for author, _ in forge.posted.values()} == {BOT}
