"""A project of two trained models, and the emulator that has their files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.emulator.server import Emulator
from reconciler.trainer import BUILT_IN
from tests.growth.inside import Inside
from tests.life.folder import Folder


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Emulator, Path]]:
    """Made once: tests work on copies of the folder and set the faults of the emulator anew."""
    folder = tmp_path_factory.mktemp("template")
    with Emulator(books=folder / "books.db", trainers=BUILT_IN, protocol="g2", speed=30000.0) as server:
        project = Inside.new(folder / "project", server.url)
        project.models(otter={"steps": 1000}, heron={"steps": 1100})
        done = project.apply("-wait=60s")
        assert done.code == 0, done
        yield server, project.path


@pytest.fixture
def emulator(template: tuple[Emulator, Path]) -> Emulator:
    template[0].plan.replace(())
    return template[0]


@pytest.fixture
def trained(tmp_path: Path, emulator: Emulator, template: tuple[Emulator, Path]) -> Folder:
    """`heron` and `otter` have trained well. No key is left in the environment."""
    shutil.copytree(template[1], tmp_path / "project")
    return Inside(tmp_path / "project", emulator.url, None)
