"""Several runners, each with a state of its own, buy from one journal: races, kills, stale copies, runners that vanish."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from reconciler.emulator.books import Entry
from reconciler.emulator.faults import Fault
from reconciler.emulator.server import Emulator
from tests.journal_git.clones import Forge, facts, git, wait_until
from tests.life.folder import Folder

Make = Callable[[int], Forge]


def spec_of(charge: Entry) -> int:
    """Models differ in their steps alone."""
    return int(charge.parameters["steps"])


def specs_bought(emulator: Emulator) -> Counter[int]:
    """How often each spec was paid for."""
    return Counter(spec_of(charge) for charge in emulator.books.charges())


@pytest.mark.parametrize("latency", [0.0, 0.15])
def test_three_runners_racing_over_60_models_buy_each_once_and_all_end_well(forge: Make, emulator: Emulator, latency: float) -> None:
    """P1 across machines: the push decides, whoever was slower plans again."""
    emulator.latency_seconds = latency
    here = forge(60)
    runners = [here.clone(f"runner-{i}") for i in range(3)]
    processes = [runner.start("apply", "-auto-approve") for runner in runners]
    ends = [(process, *process.communicate(timeout=120)) for process in processes]
    assert [process.returncode for process, _, _ in ends] == [0, 0, 0], ends
    assert len(emulator.books.charges()) == 60
    assert set(specs_bought(emulator).values()) == {1}
    journal = here.journal()
    assert {row["request_id"] for row in facts(journal, "outcome")} == {charge.request_id for charge in emulator.books.charges()}
    assert len({row["job"] for row in facts(journal, "settled")}) == len(facts(journal, "settled"))
    late = here.clone("late")
    assert late.apply().code == 0
    assert late.actions() == {}
    assert len(emulator.books.charges()) == 60


def test_the_budget_of_a_month_holds_over_all_runners(forge: Make, emulator: Emulator) -> None:
    """An intent stands on top of everything others have spent."""
    emulator.latency_seconds = 0.05
    here = forge(30)
    runners = [here.clone(f"runner-{i}") for i in range(3)]
    for runner in runners:
        manifest = runner.path / "reconciler.yaml"
        manifest.write_text(manifest.read_text().replace("budget:\n", "budget:\n  per_month: 80.00\n"))
    processes = [runner.start("apply", "-auto-approve", f"-target=m{number}*") for number, runner in enumerate(runners)]
    codes = [(process.communicate(timeout=120), process.returncode)[1] for process in processes]
    assert len(emulator.books.charges()) <= 10, "each alone may buy 10, all together no more"
    assert set(codes) <= {0, 4}
    assert 4 in codes


def test_a_wave_is_one_push(forge: Make, emulator: Emulator) -> None:
    """The intents of a wave are in one commit, before the first byte of any of them."""
    emulator.latency_seconds = 0.3
    here = forge(8)
    before = int(git(here.bare, "rev-list", "--count", "lora-state"))
    assert here.clone("runner").apply("-parallelism=4").code == 0
    subjects = git(here.bare, "log", "--format=%s", "lora-state").splitlines()
    intents = [s for s in subjects if "intent" in s]
    assert len(intents) <= 4, subjects
    assert len(subjects) - before <= 12, subjects


def killed(runner: Folder, emulator: Emulator, chance: random.Random) -> None:
    """An apply that is killed at a random moment of its purchases."""
    process = runner.start("apply", "-auto-approve")
    charges = len(emulator.books.charges()) + chance.randrange(6)
    until = time.monotonic() + 20
    while len(emulator.books.charges()) < charges and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    time.sleep(chance.random() * 0.12)
    process.kill()
    process.communicate()


def check_money(here: Forge, emulator: Emulator, kills: int) -> None:
    """Nothing bought twice; every id recorded, or its attempt is one of few that are open."""
    charges = emulator.books.charges()
    assert set(Counter(spec_of(charge) for charge in charges).values()) <= {1}
    journal = here.journal()
    known = {row.get("request_id") for row in facts(journal, "outcome")}
    intents = {row["attempt"]: row for row in facts(journal, "intent")}
    ended = {row["attempt"] for row in facts(journal, "outcome") if row["verdict"] in ("accepted", "not_sent", "rejected")}
    still_open = [row for attempt, row in intents.items() if attempt not in ended]
    assert len(still_open) <= 4 * kills, "at most one wave in doubt a kill"
    lost = [charge for charge in charges if charge.request_id not in known]
    assert {spec_of(charge) for charge in lost} <= {row["spec"]["parameters"]["steps"] for row in still_open}


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(s, marks=pytest.mark.slow) for s in range(4, 30))])
def test_a_killed_runner_that_starts_again_buys_nothing_twice_and_loses_no_id(forge: Make, emulator: Emulator, seed: int) -> None:
    """P1, P2, P3: kill -9 anywhere, twice; the same folder goes on."""
    chance = random.Random(seed)
    emulator.latency_seconds = 0.03
    here = forge(14)
    runner = here.clone("runner")
    for _ in range(2):
        killed(runner, emulator, chance)
    done = runner.apply()
    assert done.code in (0, 7), done
    check_money(here, emulator, 2)
    doubts = runner.run("status", "-json").json["in_doubt"]
    assert (done.code == 7) == bool(doubts), done
    assert len(emulator.books.charges()) + len(doubts) >= 14
    assert runner.run("state", "verify").code == 0


@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in range(1, 10))])
def test_a_runner_that_vanishes_leaves_what_it_sent_to_nobody_else(forge: Make, emulator: Emulator, seed: int) -> None:
    """Its disk is gone. What it had announced is sent by nobody; everything else is bought by the next runner."""
    chance = random.Random(seed)
    emulator.latency_seconds = 0.03
    here = forge(14)
    killed(here.clone("vanishing"), emulator, chance)
    done = here.clone("next").apply()
    assert done.code == 0, done
    check_money(here, emulator, 1)


def test_what_another_runner_is_sending_is_neither_bought_nor_in_doubt(forge: Make, emulator: Emulator) -> None:
    """Rule 5: its intent counts as spent until its deadline has passed, and its late outcome is taken."""
    emulator.plan.replace([Fault("delay", settings={"seconds": 3.0})])
    here = forge(2)
    first, second = here.clone("first-runner"), here.clone("second-runner")
    process = first.start("apply", "-auto-approve")
    wait_until(lambda: len(emulator.books.charges()) == 2)
    process.send_signal(signal.SIGSTOP)
    done = second.apply()
    worst = second.plan()["cost"]["worst"]
    process.send_signal(signal.SIGCONT)
    assert done.code == 0, done
    assert "nothing to do" in done.text
    assert worst == "16.00"
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(emulator.books.charges()) == 2
    assert second.run("refresh").code == 0
    assert second.actions() == {}


def test_a_stale_copy_buys_nothing_that_was_bought_since(forge: Make, emulator: Emulator) -> None:
    here = forge(3)
    stale, other = here.clone("stale"), here.clone("other")
    assert stale.run("refresh").code == 0
    assert other.apply().code == 0
    assert set(stale.actions().values()) == {"train"}, "plan asks nobody"
    assert stale.apply().code == 0
    assert len(emulator.books.charges()) == 3
    assert stale.actions() == {}


def test_a_saved_plan_that_another_runner_has_carried_out_partly_buys_the_rest(forge: Make, emulator: Emulator) -> None:
    here = forge(4)
    one, two = here.clone("one"), here.clone("two")
    assert one.run("journal", "pull").code == 0
    assert one.run("plan", "-out=plan.json").code == 0
    assert two.apply("-target=m00").code == 0
    done = one.run("apply", "plan.json")
    assert done.code == 0, done
    assert len(emulator.books.charges()) == 4


def test_a_pause_reaches_a_runner_in_the_middle_of_its_apply(forge: Make, emulator: Emulator) -> None:
    """The next intent meets a moved head, and the new plan is refused."""
    assert emulator._server is not None
    emulator._server.latency_seconds = 0.5
    here = forge(40)
    buyer, somebody = here.clone("buyer"), here.clone("somebody")
    process = buyer.start("apply", "-auto-approve", "-parallelism=1")
    wait_until(lambda: len(emulator.books.charges()) >= 2)
    paused = somebody.run("pause", "-reason", "too many")
    assert paused.code == 0, paused
    _, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert "nothing was bought" not in err
    assert 2 <= len(emulator.books.charges()) < 40
    assert len(buyer.jobs()) == len(emulator.books.charges())


def test_ctrl_c_during_a_race_leaves_nothing_in_doubt(forge: Make, emulator: Emulator) -> None:
    """P7: a push is not cut in two by the signal, and the answer in flight is recorded."""
    emulator.latency_seconds = 0.2
    here = forge(30)
    runner = here.clone("runner")
    process = runner.start("apply", "-auto-approve")
    wait_until(lambda: len(emulator.books.charges()) >= 5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert runner.run("status", "-json").json["in_doubt"] == []
    assert len(runner.jobs()) == len(emulator.books.charges()) < 30
