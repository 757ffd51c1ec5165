"""The suite notices when the protocol is broken: every mutant is killed by the tests that guard its promise.

A copy of the package and of the tests it needs lies in a temporary folder; one line is broken there, and the tests run
in a process of their own. The default run takes every sixth mutant, `pytest -m slow tests/mutants` all others.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants.mutants import MUTANTS, Mutant

REPO = Path(__file__).resolve().parent.parent.parent
NEEDED = ("guard", "memory", "model", "pixazo", "plan")
EVERY = 6
CASES = [pytest.param(m, id=m.name, marks=() if number % EVERY == 0 else pytest.mark.slow) for number, m in enumerate(MUTANTS)]
FAILED, PASSED = 1, 0


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package and its tests, to be broken."""
    folder = tmp_path_factory.mktemp("mutants")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPO / "reconciler", folder / "reconciler", ignore=ignore)
    for name in NEEDED:
        shutil.copytree(REPO / "tests" / name, folder / "tests" / name, ignore=ignore)
    for name in ("pyproject.toml", "tests/conftest.py"):
        shutil.copy(REPO / name, folder / name)
    return folder


def judged(folder: Path, checks: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """The checks, in a process that imports the copy."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "-W", "ignore", *checks]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize("mutant", CASES)
def test_every_broken_promise_is_noticed(mutant: Mutant, copy: Path) -> None:
    path = copy / "reconciler" / mutant.file
    source = path.read_text()
    assert source.count(mutant.old) == 1, f"{mutant.file} has changed: the mutant {mutant.name!r} needs its line anew"
    path.write_text(source.replace(mutant.old, mutant.new))
    try:
        compile(path.read_text(), str(path), "exec")
        result = judged(copy, mutant.checks)
    finally:
        path.write_text(source)
    assert result.returncode == FAILED, f"exit {result.returncode}: nobody noticed that {mutant.name}\n{result.stdout[-3000:]}{result.stderr[-1000:]}"
    assert re.search(r"^FAILED tests/", result.stdout, re.MULTILINE), result.stdout[-3000:]


@pytest.mark.slow
def test_the_unbroken_copy_passes(copy: Path) -> None:
    """The checks fail for the mutant, and for nothing else."""
    checks = tuple(sorted({check for mutant in MUTANTS for check in mutant.checks}))
    result = judged(copy, checks)
    assert result.returncode == PASSED, result.stdout[-3000:]


def test_every_mutants_line_is_there() -> None:
    """Without running them: the lines that they break stand exactly once."""
    for mutant in MUTANTS:
        assert (REPO / "reconciler" / mutant.file).read_text().count(mutant.old) == 1, f"{mutant.name}: {mutant.file}"
