"""Both protocol generations of the emulator, one server a session, and a fresh project folder for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.emulator.server import Emulator
from reconciler.trainer import BUILT_IN
from tests.growth.inside import Inside


@pytest.fixture(scope="session", params=["g1", "g2"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A job of 1000 steps takes a tenth of a second."""
    folder = tmp_path_factory.mktemp("emulator")
    with Emulator(books=folder / "books.db", trainers=BUILT_IN, protocol=request.param, speed=20_000.0) as emulator:
        yield emulator


@pytest.fixture
def both(tmp_path: Path, server: Emulator) -> Inside:
    """A project that buys from the emulator, once for each protocol."""
    return Inside.new(tmp_path / "project", server.url)  # type: ignore[return-value]


@pytest.fixture
def offline(tmp_path: Path) -> Inside:
    """A project that asks nobody."""
    return Inside.new(tmp_path / "project")  # type: ignore[return-value]
