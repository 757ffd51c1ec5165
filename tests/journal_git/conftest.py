"""The emulator in this process, and a forge whose project buys from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.emulator.server import Emulator
from reconciler.trainer import BUILT_IN
from tests.journal_git.clones import Forge


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(books=tmp_path / "books.db", trainers=BUILT_IN, protocol="g2", speed=3000.0) as server:
        yield server


@pytest.fixture
def forge(tmp_path: Path, emulator: Emulator) -> Callable[[int], Forge]:
    """A forge with so many models and a journal branch."""

    def make(count: int) -> Forge:
        return Forge(tmp_path / "forge", emulator.url, {f"m{i:02d}": {"steps": 100 + i} for i in range(count)}).switched_on()

    return make
