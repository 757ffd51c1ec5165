"""What an editor with the real yaml-language-server says about good and bad manifests, by the schemas that `init` writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.growth.inside import Inside
from tests.growth.language_server import MISSING, LanguageServer

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

HEAD = "# yaml-language-server: $schema=../.reconciler/schema.json\nversion: 1\n"
PROJECT_HEAD = "# yaml-language-server: $schema=.reconciler/project.schema.json\nversion: 1\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("editor")
    assert Inside(path).run("init").code == 0
    return path


@pytest.fixture(scope="module")
def editor(folder: Path) -> Iterator[LanguageServer]:
    server = LanguageServer(folder)
    yield server
    server.close()


GOOD = {
    "everything": """variables:
  bucket: {type: string, default: https://data.example.com}
  steps: {type: integer, minimum: 1, maximum: 10000, default: 1500}
defaults:
  labels: {team: brand}
models:
  mascot-otter:
    description: Otter mascot
    dataset:
      url: ${var.bucket}/otter.zip
      sha256: 0f343b0931126a20f133d67c2b018a3b0a8dff3a4f0a3c4f2f0f6f7a3f1c2d4e
      images: 24
    steps: ${var.steps}
    learning_rate: 3e-5
    trigger: ottr
    lifecycle: {prevent_retrain: true, on_failure: retry, max_attempts: 2}
    environments: [dev]
  shots:
    dataset: https://data.example.com/shots.zip
    matrix:
      steps: [1000, 1500]
      learning_rate: [2e-5, 3e-5]
      exclude: [{steps: 1000, learning_rate: 3e-5}]
    max_combinations: 6
    winner: {steps: 1500, learning_rate: 2e-5}
    generation: 2
moved:
  - {from: otter, to: mascot-otter}
removed:
  - {name: mascot-beaver, reason: campaign ended}
adopt:
  - {name: old-banner, request_id: a1b2c3d4-e5f6-7890-g1h2-i3j4k5l6m7n8, note: by hand}
resolutions:
  - {attempt: at-01J9Z4, outcome: not_submitted, reason: ticket 4711}
  - {attempt: at-01J9Z5, outcome: {request_id: abc}, reason: ticket 4712}
""",
    "anchors": "models:\n  a: &a\n    dataset: https://d.example.com/a.zip\n    labels: {x: y}\n  b:\n    <<: *a\n    steps: 500\n",
}
BAD = {
    "unknown key": ("modles: {}\n", 2, "modles"),
    "misspelled parameter": ("models:\n  a:\n    dataset: https://d.example.com/a.zip\n    stpes: 1000\n", 5, "stpes"),
    "fraction of a step": ("models:\n  a:\n    dataset: https://d.example.com/a.zip\n    steps: 1500.5\n", 5, ""),
    "zero steps": ("models:\n  a:\n    dataset: https://d.example.com/a.zip\n    steps: 0\n", 5, ""),
    "word for a number": ("models:\n  a:\n    dataset: https://d.example.com/a.zip\n    learning_rate: fast\n", 5, ""),
    "unknown lifecycle": ("models:\n  a:\n    dataset: https://d.example.com/a.zip\n    lifecycle: {prevent_retraining: true}\n", 5, "prevent_retraining"),
    "value not allowed": ("models:\n  a:\n    dataset: https://d.example.com/a.zip\n    lifecycle: {on_remove: keep}\n", 5, "forget"),
    "act without its key": ("moved:\n  - {from: a}\n", 3, "to"),
    "matrix without list": ("models:\n  a:\n    dataset: https://d.example.com/a.zip\n    matrix: {steps: 1000}\n", 5, ""),
    "matrix of something else": ("models:\n  a:\n    dataset: https://d.example.com/a.zip\n    matrix: {trigger: [a, b]}\n", 5, "trigger"),
    "name in capitals": ("models:\n  Otter:\n    dataset: https://d.example.com/a.zip\n", 3, ""),
    "short digest": ("models:\n  a:\n    dataset: {url: 'https://d.example.com/a.zip', sha256: abc}\n", 4, ""),
    "not YAML": ("models:\n  a: {dataset: [\n", None, ""),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_manifest_has_no_marks(editor: LanguageServer, folder: Path, name: str) -> None:
    assert editor.check("models/good.yaml", HEAD + GOOD[name]) == []


@pytest.mark.parametrize("name", BAD)
def test_a_bad_manifest_is_marked_where_it_is_bad(editor: LanguageServer, name: str) -> None:
    text, line, said = BAD[name]
    found = editor.check("models/bad.yaml", HEAD + text)
    assert found
    assert line is None or line in {d["range"]["start"]["line"] for d in found}
    assert any(said in d["message"] for d in found)


def test_what_init_writes_has_no_marks(editor: LanguageServer, folder: Path) -> None:
    for name in ("reconciler.yaml", "models/example.yaml"):
        text = (folder / name).read_text()
        assert "yaml-language-server: $schema=" in text
        assert editor.check(name, text) == []


def test_the_project_file_is_checked_too(editor: LanguageServer) -> None:
    more = "environments:\n  dev: {vars: {bucket: https://d.example.com}}\n  prod: {protected: true}\nbudget: {per_month: {limit: 400.00, warn_at: 80%}}\nguards: {max_trains: 10}\n"
    assert editor.check("reconciler.yaml", PROJECT_HEAD + more) == []
    (found,) = editor.check("reconciler.yaml", PROJECT_HEAD + "guards: {max_train: 10}\n")
    assert "max_train" in found["message"]
    assert editor.check("reconciler.yaml", PROJECT_HEAD + "prices:\n  - {per_run: '8.00'}\n")


def test_keys_are_described_and_offered(editor: LanguageServer) -> None:
    text = HEAD + "models:\n  a:\n    dataset: https://d.example.com/a.zip\n    generation: 2\n    \n"
    hover = editor.at("hover", "models/hover.yaml", text, 5, 6)
    assert "buy the same spec once more" in str(hover)
    offered = editor.at("completion", "models/offer.yaml", text, 6, 4)
    items = offered["items"] if isinstance(offered, dict) else offered
    assert {"steps", "learning_rate", "lifecycle", "matrix"} <= {i["label"] for i in items}
