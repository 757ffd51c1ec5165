"""What holds for every test: the guards, a clean environment, and a random API key that nothing may write down."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
GUARD = REPO / "tests" / "guard"
sys.path.insert(0, str(GUARD))

import canary  # noqa: E402 (a module beside the guards, not of the installed package)

SUITE_KEY: str = canary.KEY
"""The API key of this run, in the environment of every test and every child. A test that needs another one sets its own."""

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
    """After each test: no file below its tmp_path holds the suite's key, and no child has said it."""
    yield
    if (folder := request.node.funcargs.get("tmp_path")) is not None:
        holders = canary.files_holding(folder)
        _searched.add(folder)
        assert not holders, f"the API key was written to {holders}"
    said = canary.heard()
    assert not said, f"the API key was printed by {said}"


_searched: set[Path] = set()


@pytest.fixture(scope="session", autouse=True)
def _key_stays_unwritten_by_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """At the end: nor does any file in the folders that several tests share."""
    yield
    shared = [folder for folder in tmp_path_factory.getbasetemp().iterdir() if folder.is_dir() and not folder.is_symlink() and folder not in _searched]
    holders = [f"{folder.name}/{name}" for folder in shared for name in canary.files_holding(folder)]
    assert not holders, f"the API key was written to {holders}"
    said = canary.heard()
    assert not said, f"the API key was printed by {said}"


canary.install()
CANARY = canary.SHAPES


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A test whose output, or log at debug level, holds the suite's key has failed; a traceback that holds it is not shown."""
    report = yield
    said = [text for _, text in report.sections]
    if report.when == "call" and any(CANARY.search(text.encode("utf-8", "surrogateescape")) for text in said):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: the API key was printed"
    elif report.failed and CANARY.search(str(report.longrepr).encode("utf-8", "surrogateescape")):
        report.longrepr = f"{item.nodeid}: failed, and the traceback holds the API key"
    report.sections = [(title, _masked(text)) for title, text in report.sections]
    return report


def _masked(text: str) -> str:
    return CANARY.sub(b"<the suite's API key>", text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
