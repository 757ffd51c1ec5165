"""The protocol against its reference: every history that the machine makes up keeps P1, P2, P3 and P6.

The default run takes a sample. `pytest -m slow tests/model` takes 10,000 histories in memory and 400 over real files;
MODEL_EXAMPLES=N sets how many histories each of the 20 slow parts takes (500).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from reconciler import job, state
from reconciler.job import Attempt, Sent
from tests.model.copies import InFiles, InMemory
from tests.model.machine import Machine

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "500"))


def explore(kind: Callable[[], object], examples: int, number: int, *, steps: int = 25, shrink: bool = True) -> None:
    machine = seed(number)(type("Histories", (Machine,), {"make_copy": staticmethod(kind)}))
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    checks = list(HealthCheck)
    options = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, database=None, report_multiple_bugs=False, suppress_health_check=checks, phases=phases
    )
    run_state_machine_as_test(machine, settings=options)


def test_a_sample_of_histories_in_memory() -> None:
    explore(InMemory, 50, 1)


def test_a_sample_of_histories_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same over the real journal file and the real SQLite store."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    explore(InFiles, 6, 2, steps=15)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_many_histories_in_memory(number: int) -> None:
    explore(InMemory, EXAMPLES, 100 + number, steps=30)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(4))
def test_many_histories_in_files(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    explore(InFiles, 100, 200 + number)


def _doubts_do_not_block(patch: pytest.MonkeyPatch) -> None:
    for module in (job, state):
        patch.setattr(module, "DOUBTFUL", frozenset({Sent.SENDING}))


def _nothing_blocks(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Attempt, "is_open", property(lambda _: False))


def _the_last_word_wins(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(state, "adds", lambda _current, _seen: True)


def _a_second_id_is_dropped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(state, "_second_id", lambda *_: None)


SELDOM = [pytest.param(broken, marks=pytest.mark.slow) for broken in (_the_last_word_wins, _a_second_id_is_dropped)]
"""Two copies have to disagree about the end of one attempt."""


@pytest.mark.parametrize("broken", [_doubts_do_not_block, _nothing_blocks, *SELDOM])
def test_a_broken_rule_is_caught(broken: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine can fail: it finds a history for each of these within its sample."""
    broken(monkeypatch)
    with pytest.raises(AssertionError, match="P[1236]"):
        explore(InMemory, 2000, 1, shrink=False)
