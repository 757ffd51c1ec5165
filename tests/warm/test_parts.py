"""What is kept of single manifests: without loss, only where it depends on nothing but known bytes, and never believed when damaged."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from reconciler.cache.folder import Folder
from reconciler.cache.shelf import Shelf
from reconciler.manifest import catalog
from reconciler.manifest.load import load_catalog, load_project
from reconciler.model import Catalog

RICH = """\
version: 1
defaults: {labels: {team: core}, lifecycle: {on_failure: retry, max_attempts: 3, ignore_changes: [labels.team, description]}}
models:
  otter: {dataset: "https://d.example.com/otter.zip?X-Amz-Signature=abc&v=2", description: "ein Otter é", trigger: OTTER, steps: 1500, learning_rate: 3.0e-5}
  lynx: &lynx
    dataset: {url: "https://d.example.com/lynx.zip", sha256: %s, images: 12}
    labels: {team: pets, "x y": ""}
    generation: 3
    lifecycle: {reuse: false, prevent_retrain: true}
  hare: *lynx
  sweep: {dataset: {url: "https://d.example.com/s.zip", id: s-1}, matrix: {steps: [1000, 2000], learning_rate: [1e-4, 2.0e-4]}}
  wolf: {dataset: "https://${var.bucket}/wolf.zip"}
""" % ("ab" * 32)


class Memory:
    """A shelf in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self.kept.get(key)

    def keep(self, made: Mapping[str, bytes], used: Collection[str]) -> None:
        self.kept = {key: self.kept[key] for key in used} | dict(made)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "models/deep").mkdir(parents=True)
    (tmp_path / "reconciler.yaml").write_text("version: 1\nvariables: {bucket: {default: b.example.com}}\ndefaults: {steps: 900}\n")
    (tmp_path / "models/rich.yaml").write_text(RICH)
    (tmp_path / "models/deep/_defaults.yaml").write_text("version: 1\ndefaults: {description: deep, labels: {layer: deep}}\n")
    (tmp_path / "models/deep/plain.yaml").write_text("version: 1\nmodels:\n  owl: {dataset: https://d.example.com/owl.zip}\n")
    return tmp_path


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    seen: Counter[str] = Counter()
    read = catalog.read_file

    def counting(path: str, raw: bytes) -> catalog.Parsed:
        seen[path] += 1
        return read(path, raw)

    monkeypatch.setattr(catalog, "read_file", counting)
    return seen


def wanted(root: Path, shelf: Memory | Shelf | None = None, **given: str) -> Catalog:
    read, _ = load_project(root)
    assert read is not None
    variables = {name: (value, "-var") for name, value in given.items()}
    found, problems = load_catalog(root, read, environment="default", variables=variables, shelf=shelf)
    assert found is not None, problems
    return found


def places(found: Catalog) -> dict[str, dict[str, object]]:
    return {name: dict(model.fields) for name, model in found.models.items()}


def test_what_was_kept_is_what_was_read_with_every_place(project: Path, parsed: Counter[str]) -> None:
    shelf = Memory()
    first = wanted(project, shelf)
    parsed.clear()
    again, without = wanted(project, shelf), wanted(project)
    assert first == again == without
    assert places(first) == places(again) == places(without)
    assert parsed["models/rich.yaml"] == parsed["models/deep/plain.yaml"] == 1, "by the reading without a shelf"


def test_other_defaults_of_a_folder_make_its_files_read_again(project: Path, parsed: Counter[str]) -> None:
    shelf = Memory()
    wanted(project, shelf)
    (project / "models/deep/_defaults.yaml").write_text("version: 1\ndefaults: {description: deeper}\n")
    parsed.clear()
    assert wanted(project, shelf).models["owl"].description == "deeper"
    assert parsed["models/deep/plain.yaml"] == 1
    assert parsed["models/rich.yaml"] == 0
    (project / "models/deep/_defaults.yaml").unlink()
    assert wanted(project, shelf).models["owl"].description == ""


def test_another_project_file_makes_everything_be_read_again(project: Path) -> None:
    shelf = Memory()
    wanted(project, shelf)
    (project / "reconciler.yaml").write_text("version: 1\nvariables: {bucket: {default: c.example.com}}\ndefaults: {steps: 901}\n")
    found = wanted(project, shelf)
    assert dict(found.models["owl"].spec.parameters)["steps"] == 901
    assert found.models["wolf"].dataset.url == "https://c.example.com/wolf.zip"


def test_values_from_outside_are_not_kept(project: Path) -> None:
    shelf = Memory()
    assert wanted(project, shelf, bucket="secret.example.com").models["wolf"].dataset.url == "https://secret.example.com/wolf.zip"
    assert not any(b"secret" in kept for kept in shelf.kept.values())
    assert len(shelf.kept) == 1, "the file that names no variable"


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nmodels: {a: {dataset: https://d.example.com/a.zip, steps: 10}}\n",
        "version: 1\nmoved: [{from: gone, to: owl}]\n",
        "version: 1\nvariables: {other: {default: x}}\nmodels: {a: {dataset: https://d.example.com/a.zip, description: '${var.other}'}}\n",
    ],
    ids=["a warning", "an act", "a declaration"],
)
def test_files_that_say_more_than_models_are_read_each_time(project: Path, parsed: Counter[str], text: str) -> None:
    (project / "models/more.yaml").write_text(text)
    shelf = Memory()
    first = wanted(project, shelf)
    parsed.clear()
    assert wanted(project, shelf) == first
    assert parsed["models/more.yaml"] == 1


def test_a_name_that_is_declared_twice_is_found_when_one_of_its_files_was_kept(project: Path) -> None:
    shelf = Memory()
    wanted(project, shelf)
    (project / "models/z.yaml").write_text("version: 1\nmodels:\n  owl: {dataset: https://d.example.com/z.zip}\n")
    read, _ = load_project(project)
    assert read is not None
    found = [load_catalog(project, read, environment="default", shelf=each)[1] for each in (shelf, None)]
    assert found[0] == found[1]
    assert [(d.code, str(d.place), d.source_line) for d in found[0]] == [("E200", "models/z.yaml:3:3", "  owl: {dataset: https://d.example.com/z.zip}")]


def test_what_cannot_be_read_back_is_read_from_the_manifest(project: Path) -> None:
    shelf = Memory()
    without = wanted(project)
    wanted(project, shelf)
    for damage in (b"", b"[]", b"{}", b"[[],[[1]],[],[]]", b"null", b"[" * 5000, b"[[],[],[[1,2,3]],[]]", b"\xff"):
        shelf.kept = dict.fromkeys(shelf.kept, damage)
        assert wanted(project, shelf) == without


def test_a_shelf_is_bounded_by_what_is_in_use(project: Path, tmp_path: Path) -> None:
    folder = Folder(tmp_path / "cache")
    for number in range(4):
        (project / "models/deep/plain.yaml").write_text(f"version: 1\nmodels:\n  owl: {{dataset: https://d.example.com/{number}.zip}}\n")
        wanted(project, Shelf(folder, "manifests"))
    content = (tmp_path / "cache/manifests.cache").read_bytes()
    assert content.count(b"d.example.com/3.zip") == 2
    assert b"d.example.com/2.zip" not in content


def test_a_folder_without_a_cache_keeps_nothing_and_reads_all(project: Path) -> None:
    shelf = Shelf(Folder(Path(os.devnull)), "manifests")
    assert wanted(project, shelf) == wanted(project, shelf) == wanted(project)
    shutil.rmtree(project / "models/deep")
    assert "owl" not in wanted(project, shelf).models
