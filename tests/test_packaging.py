"""The locks are whole and portable; the sources name no machine."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
LISTS = ("requirements.lock", "requirements-dev.lock")
PUBLIC_HOSTS = {"https://pypi.org", "https://files.pythonhosted.org"}
PINNED = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>\S+)(?P<marker> ; [^\\]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


def pins(name: str) -> dict[str, str]:
    lines = (REPO / name).read_text(encoding="ascii").splitlines()
    return {m["name"]: m["version"] for line in lines if (m := PINNED.match(line))}


def locked() -> dict[str, str]:
    data = tomllib.loads((REPO / "uv.lock").read_text(encoding="utf-8"))
    return {p["name"]: p.get("version", "") for p in data["package"]}


@pytest.mark.parametrize("name", LISTS)
def test_every_line_of_a_list_for_pip_is_a_pin_or_a_hash(name):
    """No index, no host, no path, no option: the list works wherever packages come from."""
    lines = (REPO / name).read_text(encoding="ascii").splitlines()
    assert [line for line in lines if not PINNED.match(line) and not HASH.match(line)] == []
    assert all(HASH.match(after) for line, after in zip(lines, lines[1:], strict=False) if PINNED.match(line))


@pytest.mark.parametrize("name", LISTS)
def test_the_lists_for_pip_say_what_the_lock_says(name):
    """One resolution, three files."""
    resolved = locked()
    assert {n: v for n, v in pins(name).items() if resolved.get(n) != v} == {}


def test_the_lock_names_public_hosts_only():
    """It can be used anywhere."""
    hosts = set(re.findall(r"[a-z+]+://[^/\"]+", (REPO / "uv.lock").read_text(encoding="utf-8")))
    assert hosts == PUBLIC_HOSTS


def test_what_the_project_needs_is_locked():
    """Every direct dependency is in the right list; what only tests need is not installed for users."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]

    def names(requirements):
        return {re.match(r"[A-Za-z0-9._-]+", r)[0].replace(".", "-").lower() for r in requirements} - {project["name"]}

    assert names(project["dependencies"]) <= set(pins("requirements.lock"))
    assert names([*project["dependencies"], *extras["test"], *extras["dev"]]) <= set(pins("requirements-dev.lock"))
    assert not names([*extras["test"], *extras["dev"]]) & set(pins("requirements.lock"))


def test_no_file_names_a_place_of_the_machine_it_was_written_on():
    """What is committed is at home everywhere."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, text=True, timeout=60, check=False).stdout.split("\0")
    foreign = re.compile("|".join(["/" + "work/", "/" + "root/", "/" + "home/[a-z]", "/tmp/" + "venv"]))
    found = []
    for path in filter(None, tracked):
        file = REPO / path
        if file.is_file() and not file.is_symlink():
            text = file.read_text(encoding="utf-8", errors="replace")
            found += [f"{path}:{n}" for n, line in enumerate(text.splitlines(), 1) if foreign.search(line)]
    assert found == []
