"""What holds for every test: the guards, a clean environment, and a random API key that nothing may write down."""

from __future__ import annotations

import html
import json
import os
import re
import runpy
import secrets
import subprocess
import sys
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

REPO = Path(__file__).resolve().parent.parent
GUARD = REPO / "tests" / "guard"
SUITE_KEY = "suite" + secrets.token_hex(16) + "/+=&%"
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
        holders = files_holding(folder)
        assert not holders, f"the API key was written to {holders}"


def shapes_of(key: str) -> re.Pattern[bytes]:
    """Finds `key` raw, escaped for URLs, JSON or HTML, and in base64 wherever it stands in what was encoded."""
    raw = key.encode()
    text = {key, quote(key, safe=""), quote_plus(key), json.dumps(key)[1:-1], html.escape(key), repr(key)[1:-1]}
    coded = {encode(b"x" * lead + raw)[4:-4].decode() for encode in (b64encode, urlsafe_b64encode) for lead in range(3)}
    return re.compile(b"|".join(re.escape(shape.encode()) for shape in sorted(text | coded, key=len, reverse=True)))


CANARY = shapes_of(SUITE_KEY)


def files_holding(folder: Path) -> list[str]:
    """The regular files below `folder` that contain the suite's key in any shape, and files so named."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        is_searched = path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST_FILE_TO_SEARCH
        if CANARY.search(os.fsencode(name)) or (is_searched and CANARY.search(path.read_bytes())):
            found.append(name)
    return found


_communicate = subprocess.Popen.communicate


def _watched_communicate(self: subprocess.Popen[Any], *words: Any, **options: Any) -> tuple[Any, Any]:
    """What a child said on pipes that a test collects is searched too."""
    said = _communicate(self, *words, **options)
    for text in said:
        content = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text or b""
        if CANARY.search(content):
            pytest.fail("a child printed the API key", pytrace=False)
    return said


subprocess.Popen.communicate = _watched_communicate  # type: ignore[method-assign]


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
