"""One world for each worker of pytest-xdist: the emulator in this process, the fork server beside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.emulator.server import Emulator
from reconciler.trainer import BUILT_IN
from tests.crash.commands import Commands
from tests.crash.world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("crash")
    scratch = home / "scratch"
    scratch.mkdir()
    with Emulator(books=home / "books.db", trainers=BUILT_IN, protocol="g2", speed=100_000.0) as emulator:
        commands = Commands(scratch, emulator.url)
        yield World(home, emulator, commands)
        commands.close()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def tool() -> str:
    """strace, or a reason to skip."""
    found = shutil.which("strace")
    if found is None:
        pytest.skip("strace is not installed")
    return found


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path
