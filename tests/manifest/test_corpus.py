"""Every file of the corpus is refused with exactly its codes, each at its line, and nothing hurtful is repeated.

`NAME.yaml` is one manifest, a folder is a whole project; `NAME.expect` or `expect` holds a line for each diagnostic.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reconciler.diagnostics import Diagnostic
from reconciler.manifest.codes import CODES
from reconciler.manifest.load import load

CORPUS = Path(__file__).parent.parent / "corpus" / "manifest"
FILES = sorted(CORPUS.glob("*/*.yaml"))
PROJECTS = sorted(path.parent for path in CORPUS.glob("*/*/expect"))


def found(root: Path) -> list[str]:
    loaded = load(root, environment="default")
    assert loaded.catalog is None or not any(d.severity == "error" for d in loaded.diagnostics)
    for diagnostic in loaded.diagnostics:
        check(diagnostic)
    return [f"{d.code} {d.place.file if d.place else '-'} {d.place.line if d.place else 0}" for d in loaded.diagnostics]


def check(diagnostic: Diagnostic) -> None:
    assert diagnostic.code in CODES
    assert diagnostic.place is not None
    assert diagnostic.place.column >= 1
    text = diagnostic.summary + diagnostic.detail
    assert text.isprintable(), "no control or bidi character reaches a message"
    assert len(text) < 700
    for secret in ("hunter22", "1a2b3c4d5e", "abcdefghijkl"):
        assert secret not in text
        assert secret not in (diagnostic.source_line or "") or diagnostic.code == "E110"
    if diagnostic.code == "E008":
        assert diagnostic.source_line is None


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_bad_manifest_is_refused_with_its_codes_at_their_lines(path: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "reconciler.yaml").write_text("version: 1\n")
    shutil.copyfile(path, tmp_path / "models" / "case.yaml")
    expected = [f"{code} models/case.yaml {line}" for code, line in (row.split() for row in path.with_suffix(".expect").read_text().splitlines())]
    assert sorted(found(tmp_path)) == sorted(expected)


@pytest.mark.parametrize("path", PROJECTS, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_a_bad_project_is_refused_with_its_codes_at_their_lines(path: Path, tmp_path: Path) -> None:
    shutil.copytree(path, tmp_path / "project")
    assert sorted(found(tmp_path / "project")) == sorted(path.joinpath("expect").read_text().splitlines())


def test_the_corpus_is_not_lost() -> None:
    assert len(FILES) + len(PROJECTS) >= 250
