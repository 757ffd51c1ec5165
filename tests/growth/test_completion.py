"""Shell completion offers the names of models where a name stands, in a real bash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.growth.inside import Inside

MODELS = """version: 1
models:
  otter: {dataset: "https://d.example.com/o.zip"}
  otter-two: {dataset: "https://d.example.com/p.zip"}
  heron: {dataset: "https://d.example.com/h.zip", steps: 1200}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Inside:
    folder = Inside.new(tmp_path_factory.mktemp("completion") / "project")
    folder.write(MODELS)
    return folder  # type: ignore[return-value]


def offered(project: Inside, tmp_path: Path, *words: str) -> set[str]:
    """What bash offers for the last word. `reconciler` is this program."""
    command = tmp_path / "bin" / "reconciler"
    command.parent.mkdir(exist_ok=True)
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n')
    command.chmod(0o755)
    quoted = " ".join(f"'{word}'" for word in words)
    line = f"source <(reconciler completion bash); COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _reconciler; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    environment = project.environment(PATH=f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    done = subprocess.run(["bash", "-c", line], cwd=project.path, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("reconciler", "status", "ott"), {"otter", "otter-two"}),
        (("reconciler", "plan", "-target", "=", "h"), {"heron"}),
        (("reconciler", "show", "-resolved", "otter-"), {"otter-two"}),
        (("reconciler", "apply", "-allow-retrain", "="), {"otter", "otter-two", "heron"}),
        (("reconciler", "plan", "-expl"), {"-explain"}),
        (("reconciler", "fm"), {"fmt"}),
        (("reconciler", "fmt", "model"), {"models"}),
    ],
)
def test_bash_offers_what_may_stand_there(project: Inside, tmp_path: Path, words: tuple[str, ...], names: set[str]) -> None:
    assert offered(project, tmp_path, *words) == names


def test_names_are_those_of_the_manifests_and_of_the_state(offline: Inside) -> None:
    assert offline.run("completion", "models") == (0, "", "")
    offline.write(MODELS)
    assert offline.apply("-emulate", "-target=otter").code == 0
    offline.write("version: 1\nmodels:\n  shots:\n    dataset: https://d.example.com/s.zip\n    matrix: {steps: [500, 600]}\n")
    assert offline.run("completion", "models").out.split() == ["otter", "shots@steps=500", "shots@steps=600"]
    offline.write("version: [\n")
    assert offline.run("completion", "models") == (0, "otter\n", "")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_ask_for_names_too(offline: Inside, shell: str) -> None:
    script = offline.run("completion", shell).out
    assert "reconciler completion models" in script
    assert "-target" in script if shell == "zsh" else "-o target -x" in script
