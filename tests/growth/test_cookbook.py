"""docs/COOKBOOK.md: each recipe is carried out as it stands, block by block, on both protocols, and its purchases are counted."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from reconciler.emulator.faults import Fault
from reconciler.emulator.server import Emulator
from tests.growth.inside import Inside
from tests.growth.test_recorded import script

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "COOKBOOK.md"
ATTEMPT, REQUEST_ID = "at-01J9Z4", "a1b2c3d4-e5f6-7890-g1h2-i3j4k5l6m7n8"
"""What stands on the page for ids that only a run knows."""


class Block(NamedTuple):
    """A code block and what the comment right above it expects."""

    language: str
    text: str
    expected: dict[str, str]


def recipes() -> dict[str, list[Block]]:
    found = {}
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        blocks = re.findall(r"(?:<!-- (.*?) -->\n)?```(\w+)\n(.*?)^```$", body, re.MULTILINE | re.DOTALL)
        found[title] = [Block(language, text, dict(re.findall(r'(\w+)="?((?<=")[^"]*|[^\s"]+)', marks))) for marks, language, text in blocks]
    return found


RECIPES = recipes()


def test_the_page_has_its_recipes() -> None:
    assert {
        "Have the weights here",
        "Pin a data set",
        "Show people what there is",
        "Train from a folder in the project",
        "Look into a data set before it costs anything",
        "Rename a model",
        "Promote from dev to prod",
        "Sweep and pick",
        "Retire a model",
        "Recover a doubt",
        "Split a file",
        "Move a project to environments",
    } <= set(RECIPES)
    assert all(any(b.expected.get("bought") == "0" for b in blocks) for blocks in RECIPES.values())


@pytest.fixture
def kitchen(both: Inside, server: Emulator) -> Iterator[tuple[Inside, Emulator]]:
    yield both, server
    server.plan.replace([])


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_does_what_it_says(title: str, kitchen: tuple[Inside, Emulator]) -> None:
    project, server = kitchen
    request_id = ""
    for block in RECIPES[title]:
        if "script" in block.expected:
            request_id = script(server, f"script/{block.expected['script']}", steps=1000, learning_rate=5e-5)[1]["request_id"]
            table = project.path / "jobs.csv"
            table.write_text(table.read_text().replace(REQUEST_ID, request_id))
        if block.language == "sh":
            _run(project, server, block)
        else:
            _write(project, server, block.text)


def _write(project: Inside, server: Emulator, text: str) -> None:
    """The file that the first line names; what is for the project file is added to it."""
    name = text.partition("\n")[0].removeprefix("# ")
    if name == "reconciler.yaml":
        project.project(text)
        return
    if ATTEMPT in text:
        (doubt,) = project.run("status", "-json").json["in_doubt"]
        text = text.replace(ATTEMPT, doubt["attempt"]).replace(REQUEST_ID, server.books.charges()[-1].request_id)
    (project.path / name).write_text(text.partition("\n")[2] if name.endswith(".csv") else text)


def _run(project: Inside, server: Emulator, block: Block) -> None:
    if "fault" in block.expected:
        server.plan.replace([Fault(block.expected["fault"], times=1)])
    before, said = len(server.books.charges()), ""
    *lines, last = block.text.strip().split("\n")
    for line in (*lines, last):
        wanted = int(block.expected.get("exit", 0)) if line is last else 0
        if line.startswith("reconciler "):
            result = project.run(*shlex.split(line)[1:])
            assert result.code == wanted, (line, result)
            said += result.text
        else:
            subprocess.run(["bash", "-ec", line], cwd=project.path, check=True, timeout=60)
    assert len(server.books.charges()) - before == int(block.expected["bought"]), block.text
    assert block.expected.get("says", "") in said, said
