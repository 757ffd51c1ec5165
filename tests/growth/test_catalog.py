"""A generated catalogue of 2,000 models with everything in it: the plan does not depend on how it is written down."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from reconciler.manifest.edit import format_text
from tests.growth.inside import Inside

PROJECT = """environments:
  dev: {vars: {bucket: https://dev.example.com}}
  prod: {vars: {bucket: https://data.example.com}}
variables:
  steps: {type: integer, default: 1200, minimum: 100, maximum: 9000}
defaults:
  labels: {owner: all}
guards: {max_trains: 10000}
"""
SINGLE, SWEEPS = 1640, 60
"""60 sweeps of 6 combinations make the 2,000."""
Shuffle = Callable[[list[Any]], list[Any]]


def _model(i: int, rng: random.Random) -> dict[str, Any]:
    """One model, its features drawn by number."""
    data: Any = f"https://data.example.com/d{i % 700}.zip?part={i % 3}&X-Amz-Signature=s{i}"
    if i % 5 == 1:
        data = {"url": f"${{var.bucket}}/d{i}.zip", "sha256": f"{i:064x}", "images": 10 + i % 40}
    if i % 5 == 2:
        data = {"url": f"https://cdn.example.com/{i}", "id": f"set-{i % 400}"}
    model: dict[str, Any] = {"dataset": data}
    if i % 2:
        model["steps"] = rng.choice([500, 800.0, 1500, "${var.steps}"])
    if i % 3:
        model["learning_rate"] = rng.choice([3e-5, 0.0001, 5e-05])
    if i % 4 == 0:
        model |= {"description": f"Number {i}: {{braces}}, # signs", "trigger": f"t{i}", "labels": {"team": f"t{i % 7}", "tier": "x"}}
    if i % 11 == 0:
        model["lifecycle"] = rng.choice(
            [{"suspend": True}, {"prevent_retrain": True}, {"on_failure": "retry", "max_attempts": 2}, {"reuse": False}, {"on_remove": "hold"}]
        )
    if i % 13 == 0:
        model["environments"] = rng.choice([["dev"], ["prod", "dev"]])
    if i % 17 == 0:
        model["generation"] = 2
    return model


def catalog() -> dict[str, dict[str, Any]]:
    rng = random.Random(5)
    models = {f"m{i:04}": _model(i, rng) for i in range(SINGLE)}
    for i in range(SWEEPS):
        matrix: dict[str, Any] = {"steps": [1000, 1500, 2000 + i], "learning_rate": [2e-5, 3e-5]}
        sweep: dict[str, Any] = {"dataset": f"https://data.example.com/s{i}.zip", "matrix": matrix, "max_combinations": 12}
        if i % 3 == 0:
            matrix["exclude"] = [{"steps": 1500, "learning_rate": 3e-5}]
            sweep["winner"] = {"steps": 1000, "learning_rate": 2e-5}
        models[f"sweep{i:02}"] = sweep
    return models


ACTS = {
    "moved": [{"from": "old-name", "to": "m0000"}],
    "removed": [{"name": "gone", "reason": "campaign ended"}],
    "adopt": [{"name": f"m{i:04}", "request_id": f"id-{i}"} for i in range(20, 30)],
}


def written(value: Any, shuffle: Shuffle, depth: int = 0) -> Iterator[str]:
    """Block YAML with the keys in the order that `shuffle` wants; now and then in flow style."""
    pad = "  " * depth
    for key, inner in shuffle(list(value.items())):
        if isinstance(inner, Mapping) and inner and depth < 3:
            yield f"{pad}{key}:"
            yield from written(inner, shuffle, depth + 1)
        elif isinstance(inner, Mapping):
            yield f"{pad}{key}: {json.dumps(dict(shuffle(list(inner.items()))))}"
        elif isinstance(inner, list) and key in ("steps", "learning_rate", "environments"):
            yield f"{pad}{key}: {json.dumps(shuffle(list(inner)))}"
        else:
            yield f"{pad}{key}: {json.dumps(inner)}"


def write(project: Inside, models: dict[str, Any], *, files: int, seed: int | None) -> None:
    """The catalogue in so many files; a seed puts models, files, keys and values of lists in another order."""
    rng = random.Random(seed)

    def shuffle(items: list[Any]) -> list[Any]:
        return items if seed is None else rng.sample(items, len(items))

    folder = project.path / "models"
    for old in sorted(folder.rglob("*.yaml"), reverse=True):
        old.unlink()
    names = shuffle(list(models))
    for i in range(files):
        part = {"version": 1, "models": {name: models[name] for name in names[i::files]}} | (ACTS if i == files // 2 else {})
        path = folder / f"{rng.randrange(10**9) if seed is not None else i:09}" / "x.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(written(part, shuffle)) + "\n")


def planned(project: Inside) -> Any:
    """The plan without the places of its rows, which have no meaning, and without the age of what waits."""
    plan = project.plan("-emulate", "-e=dev")
    for change in plan["changes"]:
        change["source"] = None
        if change["action"] == "wait":
            change["note"] = None  # how long it has been waiting
        for field in change["fields"]:
            field |= {"file": None, "line": None}
    return {key: value for key, value in plan.items() if key not in ("created_at", "diagnostics", "document_digest")}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Inside, Any]:
    """The catalogue, a part of it bought, and its plan."""
    project = Inside.new(tmp_path_factory.mktemp("large") / "project")
    path = project.path / "reconciler.yaml"
    path.write_text(path.read_text().replace("1000.00", "100000.00"))
    project.project(PROJECT)
    write(project, catalog(), files=40, seed=None)
    bought = project.apply("-emulate", "-e=dev", "-target=m010*", "-target=sweep0[0-4]*", RECONCILER_EMULATE_SPEED="100000")  # type: ignore[attr-defined]
    assert bought.code == 0, bought
    return project, planned(project)  # type: ignore[arg-type]


def test_the_catalogue_is_what_it_says(large: tuple[Inside, Any]) -> None:
    project, plan = large
    assert len(catalog()) - SWEEPS + 6 * SWEEPS == 2000
    actions = {c["action"] for c in plan["changes"]}
    assert {"train", "reuse", "held", "adopt"} <= actions
    assert plan["summary"]["train"] > 800
    assert plan["summary"]["unchanged"] + plan["summary"]["wait"] > 20


@pytest.mark.parametrize("seed", [1, 2])
def test_its_plan_does_not_depend_on_the_order_of_files_models_keys_and_values(large: tuple[Inside, Any], seed: int) -> None:
    project, plan = large
    write(project, catalog(), files=7 * seed, seed=seed)
    assert planned(project) == plan


def test_fmt_changes_no_plan_and_fmt_again_changes_nothing(large: tuple[Inside, Any]) -> None:
    project, plan = large
    write(project, catalog(), files=20, seed=9)
    assert project.run("fmt").code == 0
    assert planned(project) == plan
    assert project.run("fmt", "-check").code == 0
    for path in sorted((project.path / "models").rglob("*.yaml"))[:3]:
        assert format_text(path.read_text(), str(path)) == path.read_text()


def test_one_more_value_in_every_matrix_renames_nothing(large: tuple[Inside, Any]) -> None:
    project, plan = large
    models = catalog()
    for i in range(SWEEPS):
        models[f"sweep{i:02}"]["matrix"]["steps"].insert(i % 3, 700)
    write(project, models, files=11, seed=3)
    grown = {c["name"]: c for c in planned(project)["changes"]}
    before = {c["name"]: c for c in plan["changes"]}
    new = grown.keys() - before.keys()
    assert len(new) == 2 * SWEEPS
    assert all(name.endswith(",steps=700") for name in new)
    assert {c["action"] for name, c in grown.items() if name in new} == {"train"}
    assert {name: c for name, c in grown.items() if name not in new} == before
