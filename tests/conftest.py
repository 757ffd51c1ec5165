"""What holds for every test: the guards, a clean environment, and a random API key that nothing may write down."""

from __future__ import annotations

import os
import runpy
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
GUARD = REPO / "tests" / "guard"
SUITE_KEY = "suite" + secrets.token_hex(16)
"""The API key in the environment of every test and every child. A test that needs another one sets its own."""

LARGEST_FILE_TO_SEARCH = 8_000_000
_OURS = ("RECONCILER_", "PIXAZO_", "GITHUB_", "CI_", "GIT_")
_FOREIGN = {"CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}


def _clean_environment() -> None:
    """Whatever the machine has set must not decide a test; children inherit the guards and the key."""
    for name in list(os.environ):
        if name.upper().startswith(_OURS) or name.upper() in _FOREIGN:
            del os.environ[name]
    os.environ["PIXAZO_API_KEY"] = SUITE_KEY
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(GUARD), *(p for p in known if p and p != str(GUARD))])


def _install_guards() -> type[BaseException]:
    """What the guards raise. A worker of pytest-xdist is a child and has them already."""
    installed = getattr(sys.modules.get("sitecustomize"), "Trespass", None)
    return installed or runpy.run_path(str(GUARD / "sitecustomize.py"))["Trespass"]


_clean_environment()
Trespass = _install_guards()


@pytest.fixture(scope="session")
def suite_key() -> str:
    """The random API key of this run."""
    return SUITE_KEY


@pytest.fixture(scope="session")
def repo() -> Path:
    """The checkout."""
    return REPO


@pytest.fixture(scope="session")
def trespass() -> type[BaseException]:
    """What the guards raise."""
    return Trespass


@pytest.fixture(autouse=True)
def _key_stays_unwritten(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test: no file below its tmp_path holds the suite's key."""
    yield
    if (folder := request.node.funcargs.get("tmp_path")) is not None:
        holders = files_holding(SUITE_KEY, folder)
        assert not holders, f"the API key was written to {holders}"


def files_holding(key: str, folder: Path) -> list[str]:
    """The regular files below `folder` that contain `key`."""
    wanted = key.encode()
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST_FILE_TO_SEARCH and wanted in path.read_bytes()
    ]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A test whose output holds the suite's key has failed."""
    report = yield
    if report.when == "call" and any(SUITE_KEY in text for _, text in report.sections):
        report.outcome = "failed"
        report.sections = [(title, text.replace(SUITE_KEY, "<the suite's API key>")) for title, text in report.sections]
        report.longrepr = f"{item.nodeid}: the API key was printed"
    return report
