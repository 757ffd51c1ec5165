"""`fmt` keeps what people wrote and changes no meaning; the JSON Schemas describe every key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import Invalid
from reconciler.manifest import keys
from reconciler.manifest.edit import format_text
from reconciler.manifest.load import load
from reconciler.manifest.schema import manifest_schema, project_schema
from reconciler.trainer import BUILT_IN, Parameter, Trainer

UGLY = """\
# yaml-language-server: $schema=x
version: 1
# the models
models:
  # the otter
  otter:
    steps: 1500.0   # many
    # where it lies
    dataset: &data
      sha256: "0f343b0931126a20f133d67c2b018a3b0a8dff3a4f0a3c4f2f0f6f7a3f1c2d4e"
      url: 'https://d.example.com/a.zip'
    learning_rate: 3.0E-05
    labels: {team: "007"}
    description: |
      two
        1.0 lines
  heron:
    labels: {a: b}
    <<: {steps: 1.5e3}
    dataset: *data
defaults:
  learning_rate: 0.00004
"""
NEAT = """\
# yaml-language-server: $schema=x
version: 1
defaults:
  learning_rate: 4e-05
# the models
models:
  # the otter
  otter:
    description: |
      two
        1.0 lines
    # where it lies
    dataset: &data
      url: 'https://d.example.com/a.zip'
      sha256: "0f343b0931126a20f133d67c2b018a3b0a8dff3a4f0a3c4f2f0f6f7a3f1c2d4e"
    steps: 1500   # many
    learning_rate: 3e-05
    labels: {team: "007"}
  heron:
    <<: {steps: 1500}
    dataset: *data
    labels: {a: b}
"""


def test_fmt_puts_keys_and_numbers_in_order_and_keeps_comments_quotes_and_anchors() -> None:
    assert format_text(UGLY, "models/a.yaml") == NEAT


def test_fmt_twice_is_fmt_once() -> None:
    assert format_text(NEAT, "models/a.yaml") == NEAT


def test_fmt_changes_no_model(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "reconciler.yaml").write_text("version: 1\n")
    found = []
    for text in (UGLY, NEAT):
        (tmp_path / "models" / "a.yaml").write_text(text)
        catalog = load(tmp_path, environment="default").catalog
        assert catalog is not None
        found.append({name: (model.spec, model.metadata) for name, model in catalog.models.items()})
    assert found[0] == found[1]


def test_fmt_does_not_move_an_alias_before_its_anchor() -> None:
    text = "version: 1\nmodels:\n  a:\n    labels: &l {x: y}\ndefaults:\n  labels: *l\n"
    assert format_text(text, "models/a.yaml") == text


def test_fmt_leaves_flow_style_lists_and_the_project_files_amounts_alone() -> None:
    flow = "version: 1\nmodels: {b: {steps: 1000, dataset: x}, a: {dataset: y}}\nmoved:\n- to: b\n  from: a\n"
    assert format_text(flow, "models/a.yaml") == flow
    project = "version: 1\nbudget:\n  per_apply: 80.00\n"
    assert format_text(project, "reconciler.yaml") == project


def test_fmt_makes_line_ends_plain() -> None:
    assert format_text("\ufeffversion: 1  \r\nmodels: {}\r\n\r\n", "a.yaml") == "version: 1\nmodels: {}\n"


@pytest.mark.parametrize("text", ["a: 'b\n", "a: 1\na: 2\n", "", "a: \x1b\n"])
def test_fmt_refuses_what_cannot_be_read(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        format_text(text, "a.yaml")
    assert caught.value.diagnostics[0].place is not None


def properties(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        for name, value in schema.get("properties", {}).items():
            yield name, value
        for value in schema.values():
            yield from properties(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from properties(value)


@pytest.mark.parametrize("schema", [manifest_schema(), project_schema()], ids=["manifest", "project"])
def test_every_key_is_described_with_an_example(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    documented = [value for _, value in properties(schema) if "$ref" not in value]
    assert len(documented) > 30
    for name, value in properties({key: value for key, value in schema.items() if key != "definitions"}):
        assert value["description"], name
        assert value["examples"], name


@pytest.mark.parametrize("schema", [manifest_schema(), project_schema()], ids=["manifest", "project"])
def test_every_reference_of_a_schema_leads_somewhere(schema: dict[str, Any]) -> None:
    text = json.dumps(schema)
    for part in text.split('"$ref": "')[1:]:
        assert part.split('"')[0].removeprefix("#/definitions/") in schema["definitions"]


def test_the_schemas_know_exactly_the_keys_that_are_read() -> None:
    assert set(manifest_schema()["properties"]) == set(keys.MANIFEST)
    assert set(keys.MODEL) <= set(manifest_schema()["definitions"]["model"]["properties"])
    assert set(project_schema()["properties"]) == set(keys.PROJECT)


def test_an_editor_sees_a_misspelled_parameter_and_knows_a_projects_own() -> None:
    model = manifest_schema()["definitions"]["model"]
    assert model["additionalProperties"] is False
    assert {"steps", "learning_rate"} <= set(model["properties"])
    style = Parameter("style", "string", "photo")
    steps = Parameter("steps", "integer", 10, minimum=1, maximum=20)
    own = Trainer("t", "a", "/s", None, "url", (style, steps))
    known = manifest_schema([*BUILT_IN.values(), own])["definitions"]["model"]["properties"]
    assert known["style"]["type"] == "string"
    assert [rule.get("maximum") for rule in known["steps"]["anyOf"] if rule["type"] == "integer"] == [1_000_000, 20]
