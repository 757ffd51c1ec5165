"""The emulator in this process, and a forge whose project buys from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.emulator.server import Emulator
from reconciler.trainer import BUILT_IN
from tests.journal_git.clones import Forge, template


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(books=tmp_path / "books.db", trainers=BUILT_IN, protocol="g2", speed=3000.0) as server:
        yield server


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every forge is made from."""
    return template(tmp_path_factory.mktemp("journal") / "template")


@pytest.fixture
def forge(tmp_path: Path, emulator: Emulator, project: Path) -> Callable[[int], Forge]:
    """A forge with so many models and a journal branch."""
    return lambda count: Forge(tmp_path / "forge", project, emulator.url, {f"m{i:02d}": {"steps": 100 + i} for i in range(count)})
