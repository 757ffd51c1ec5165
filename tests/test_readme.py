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


@pytest.fixture(scope="module")
def quick_start(tmp_path_factory):
    """What the quick start leaves behind and says: (folder above demo/, finished process). Tests work on copies."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(REPO / "examples", folder / "examples")
    return folder, shell(demo_of_the_quick_start(), folder)


@pytest.fixture
def demo(quick_start, tmp_path):
    """A copy of the project after the quick start, all four models trained."""
    shutil.copytree(quick_start[0] / "demo", tmp_path / "demo")
    return tmp_path / "demo"


@works
def test_the_quick_start_goes_from_four_manifests_to_four_trained_models(quick_start):
    """Offline, without a key, in one command."""
    _, done = quick_start
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 to train" in done.stdout
    assert "4 succeeded" in done.stdout.splitlines()[-1]


TOUR = (
    ("nothing to do",),
    ("1 to move; 3 unchanged", "1 moved"),
    ("1 bought $8.00, 1 succeeded", "avoids $8.00", "1 reused"),
    ("1 failed",),
    ("1 held",),
    ("models/typo.yaml:5:5: error", "models/typo.yaml:6:20: error", "Did you mean steps"),
    ("6 jobs, $48.00",),
)
"""What each block of the tour says, as the README's text around it promises."""


@works
def test_the_tour_does_what_it_says(demo):
    """Every block ends with the exit code that it announces and says what the text promises."""
    first, *rest = blocks("tour")
    for block, promised in zip(rest, TOUR, strict=True):
        done = shell(first.text + block.text, demo.parent)
        said = done.stdout + done.stderr
        assert done.returncode == block.exit_code, block.text + said
        assert [p for p in promised if p not in said] == []


SCENE = """
cat > models/season.yaml <<'YAML'
version: 1
models:
  winter-logo:
    dataset: https://data.example.com/fail-training/logo-v1.zip
YAML
reconciler apply -emulate -auto-approve -wait || [ $? = 8 ]
sed -i.before 's/mascot-heron:/grey-heron:/' models/mascots.yaml
sed -i.before 's/steps: 1000 .*/steps: 1500/; s/season: summer/season: winter/' models/products.yaml
cat >> models/season.yaml <<'YAML'
  winter-lights:
    dataset: https://data.example.com/lights-v1.zip
YAML
"""
"""A second season in the quick start's project: what the README's picture shows."""


def timeless(text: str) -> list[str]:
    """`text` without what differs from run to run: times, months, serials, digests, ids, polls, the order of answers."""
    text = re.sub(r"\d\d:\d\d(:\d\dZ| UTC)", "TIME", text)
    text = re.sub(r"trainer-712_[0-9a-f-]+", "ID", text)
    text = re.sub(r"\bj-[0-9a-z]+", "j-ID", text)
    text = re.sub(r"(?m)^( +)\d{4}-\d\d ", r"\1MONTH ", text)
    text = re.sub(r"serial \d+", "serial N", text)
    text = re.sub(r"digest [0-9a-f]{12}", "digest D", text)
    text = re.sub(r"(\d of 2), \$\S+ of", "N of 2, M of", text)
    return sorted(line.rstrip() for line in text.splitlines() if line.strip() and " poll  " not in line)


@works
def test_the_picture_is_what_the_tool_prints(demo):
    """The first thing in the README is real output, line by line."""
    made = shell(SCENE, demo)
    assert made.returncode == 0, made.stdout + made.stderr
    picture = re.search(r"<!-- picture -->\n```text\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[1]
    _, plan, apply = re.split(r"^\$ reconciler (?:plan|apply) .*\n", picture, flags=re.MULTILINE)
    planned = shell("reconciler plan -emulate", demo)
    assert timeless(planned.stdout) == timeless(plan)
    applied = shell("reconciler apply -emulate -auto-approve -max-cost=20", demo)
    assert timeless(applied.stderr) == timeless(apply)


@works
@pytest.mark.slow
def test_the_quick_start_can_be_repeated(quick_start):
    """Another run begins anew and ends the same."""
    folder, first = quick_start
    again = shell(demo_of_the_quick_start(), folder)
    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]


@works
def test_documents_name_commands_that_exist():
    """Every command in a text for users is in the help page."""
    exist = set(re.findall(r"^  ([a-z]+)  ", shell("reconciler --help", REPO).stdout, re.MULTILINE))
    texts = [(REPO / d).read_text(encoding="utf-8") for d in ("README.md", "SECURITY.md", "state/README.md", "docs/ARCHITECTURE.md")]
    named = {word for text in texts for word in re.findall(r"(?:`|^|&& )reconciler ([a-z]+)", text, re.MULTILINE)} - {"is"}
    assert len(named) > 8
    assert named - exist == set()


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
