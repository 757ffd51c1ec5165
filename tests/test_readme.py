"""What the README says is true: its commands are run, its manifest is valid, its links lead somewhere."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

REPO = Path(__file__).resolve().parent.parent
README = (REPO / "README.md").read_text(encoding="utf-8")
BIN = str(Path(sys.executable).parent)

works = pytest.mark.skipif(importlib.util.find_spec("reconciler.commands.apply") is None, reason="there is no apply command yet")


class Block(NamedTuple):
    """One code block that stands behind a mark `<!-- mark exit=N -->`."""

    text: str
    exit_code: int


def blocks(mark: str) -> list[Block]:
    pattern = rf"^<!-- {mark}(?: exit=(\d+))? -->\n```sh\n(.*?)^```$"
    return [Block(m[2], int(m[1] or 0)) for m in re.finditer(pattern, README, re.MULTILINE | re.DOTALL)]


def shell(script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`script` in bash, with this environment's `reconciler` first."""
    environment = os.environ | {"PATH": BIN + os.pathsep + os.environ["PATH"], "COLUMNS": "100"}
    del environment["PIXAZO_API_KEY"]
    return subprocess.run(["bash", "-e", "-c", script], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)


def demo_of_the_quick_start() -> str:
    """The quick start's part in parentheses: everything after the installation."""
    (block,) = blocks("quickstart")
    return re.search(r"\(\n(.*)\n\)", block.text, re.DOTALL)[1]


def test_the_quick_start_is_two_commands():
    """Each is one block that can be copied."""
    section = README.split("## Quick start")[1].split("\n## ")[0]
    assert section.count("```sh") == 2
    assert len(blocks("quickstart")) == len(blocks("tests")) == 1


def test_ci_runs_the_test_command_of_the_readme():
    """`.ci/run` takes the block out of the README: what a newcomer copies is what lands."""
    script = (REPO / ".ci" / "run").read_text(encoding="utf-8")
    function = re.search(r"^readme_test_command\(\) \{$.*?^\}$", script, re.MULTILINE | re.DOTALL)[0]
    done = shell(f"{function}\nreadme_test_command", REPO)
    (block,) = blocks("tests")
    assert done.stdout == block.text
    assert '"$command"' in script.splitlines()[-1]


def test_ci_script_is_valid_bash_and_executable():
    """It can be started as it is."""
    script = REPO / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", str(script)], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize("document", ["README.md", "SECURITY.md", "state/README.md", "docs/ARCHITECTURE.md", "docs/GLOSSARY.md"])
def test_links_lead_somewhere(document):
    """Every relative link is a file or folder of the repository."""
    file = REPO / document
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", file.read_text(encoding="utf-8"))
    assert [t for t in targets if "://" not in t and not (file.parent / t).exists()] == []


@works
def test_the_quick_start_and_the_tour_do_what_they_say(tmp_path):
    """From four manifests to four trained models, then every block of the tour with the exit code it announces, offline."""
    shutil.copytree(REPO / "examples", tmp_path / "examples")
    done = shell(demo_of_the_quick_start(), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 to train" in done.stdout
    assert done.stdout.count("succeeded") >= 4
    first, *rest = blocks("tour")
    said = []
    for block in rest:
        done = shell(first.text + block.text, tmp_path)
        assert done.returncode == block.exit_code, block.text + done.stdout + done.stderr
        said.append(done.stdout + done.stderr)
    assert len(rest) == 7


@works
def test_the_quick_start_can_be_repeated(tmp_path):
    """A second run begins anew and ends the same."""
    shutil.copytree(REPO / "examples", tmp_path / "examples")
    for _ in range(2):
        done = shell(demo_of_the_quick_start(), tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


@works
def test_the_first_real_manifest_is_valid(tmp_path):
    """What a newcomer copies from the README passes `validate` in a project that `init` made."""
    manifest = re.search(r"^```yaml\n(# models/mascots\.yaml\n.*?)^```$", README, re.MULTILINE | re.DOTALL)[1]
    assert shell("reconciler init catalog", tmp_path).returncode == 0
    (tmp_path / "catalog" / "models" / "mascots.yaml").write_text(manifest, encoding="utf-8")
    done = shell("reconciler validate", tmp_path / "catalog")
    assert done.returncode == 0, done.stdout + done.stderr


@works
@pytest.mark.parametrize(("example", "summary"), [("quickstart", "4 to train"), ("catalog", "1 held, 9 to train, 1 to reuse")])
def test_the_examples_are_valid_and_planned(example, summary, tmp_path):
    """Both projects plan from scratch as the README describes them."""
    shutil.copytree(REPO / "examples" / example, tmp_path / example)
    done = shell("reconciler init && reconciler validate && reconciler plan -emulate", tmp_path / example)
    assert done.returncode == 0, done.stdout + done.stderr
    assert summary in done.stdout
