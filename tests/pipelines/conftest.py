"""A project that talks to an emulator in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.emulator.server import Emulator
from reconciler.trainer import BUILT_IN
from tests.pipelines.shell import Project


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """A job of 1000 steps takes about half a second."""
    with Emulator(books=tmp_path / "books.db", trainers=BUILT_IN, protocol="g2", speed=3000.0) as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, emulator: Emulator) -> Project:
    return Project.new(tmp_path / "project", emulator.url)
