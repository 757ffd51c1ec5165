"""The emulator in this process, and a project folder that talks to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.emulator.server import Emulator
from reconciler.trainer import BUILT_IN
from tests.life.folder import Folder


@pytest.fixture(params=["g1", "g2"])
def emulator(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Emulator]:
    """Both protocol generations; a job of 1000 steps takes about half a second."""
    with Emulator(books=tmp_path / "books.db", trainers=BUILT_IN, protocol=request.param, speed=3000.0) as server:
        yield server


@pytest.fixture
def one_emulator(tmp_path: Path) -> Iterator[Emulator]:
    """The newer generation, for what does not depend on it."""
    with Emulator(books=tmp_path / "books.db", trainers=BUILT_IN, protocol="g2", speed=3000.0) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, emulator: Emulator) -> Folder:
    return Folder.new(tmp_path / "project", emulator.url)


@pytest.fixture
def one_folder(tmp_path: Path, one_emulator: Emulator) -> Folder:
    return Folder.new(tmp_path / "project", one_emulator.url)
