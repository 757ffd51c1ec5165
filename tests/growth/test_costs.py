"""The table at the end of the manifest's description, row by row, on both protocols: the plan, what the apply buys, and that the second plan is empty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from reconciler.emulator.faults import Fault, When
from reconciler.emulator.server import Emulator
from tests.growth.inside import Inside

A, B = {"steps": 1000}, {"steps": 1100}


@dataclass
class Story:
    """One project through several manifests; each step says what it expects."""

    project: Inside
    server: Emulator
    data: str

    def step(self, models: dict[str, dict[str, Any]], actions: dict[str, str], *, bought: int, apply: int = 0, left: dict[str, str] | None = None) -> None:
        """These models: the plan has these actions and the price of `bought` jobs, the apply buys just them, and `left` is what the next plan still says."""
        body = {name: {"dataset": f"https://data.example.com/{self.data}.zip", **spec} for name, spec in models.items()}
        self.project.write(json.dumps({"version": 1, "models": body}))
        plan = self.project.plan()
        assert {c["name"]: c["action"] for c in plan["changes"]} == actions
        assert plan["cost"]["due"] == f"{8 * bought}.00"
        before = len(self.server.books.charges())
        done = self.project.apply("-wait=60s")
        assert done.code == apply, done
        assert len(self.server.books.charges()) - before == bought
        assert self.project.actions() == (left or {})


@pytest.fixture
def story(both: Inside, server: Emulator, request: pytest.FixtureRequest) -> Iterator[Story]:
    yield Story(both, server, request.node.originalname)
    server.plan.replace([])


def test_new_and_shared_and_changed_and_reverted_specs(story: Story) -> None:
    story.step({"a": A}, {"a": "train"}, bought=1)
    story.step({"a": A, "b": A}, {"b": "reuse"}, bought=0)
    story.step({"a": B, "b": A}, {"a": "retrain"}, bought=1)
    story.step({"a": A, "b": A}, {"a": "reuse"}, bought=0)


def test_a_rename_is_a_move(story: Story) -> None:
    story.step({"a": A}, {"a": "train"}, bought=1)
    story.step({"renamed": A}, {"renamed": "move"}, bought=0)


def test_what_is_not_in_the_spec_is_an_update(story: Story) -> None:
    story.step({"a": A}, {"a": "train"}, bought=1)
    for more in ({"labels": {"team": "x"}}, {"description": "text"}, {"trigger": "ottr"}, {"lifecycle": {"on_remove": "hold"}}, {}):
        story.step({"a": A | more}, {"a": "update"}, bought=0)


def test_a_removed_model_is_forgotten_and_its_job_stays_in_the_ledger(story: Story) -> None:
    story.step({"a": A, "b": B}, {"a": "train", "b": "train"}, bought=2)
    story.step({"b": B}, {"a": "forget"}, bought=0)
    jobs = story.project.jobs()
    assert [(j["name"], j["bound_to"]) for j in sorted(jobs, key=lambda j: j["name"])] == [("a", []), ("b", ["default/b"])]
    story.step({"b": B, "again": A}, {"again": "reuse"}, bought=0)


def test_a_failed_job_is_held_until_a_generation_or_a_lifecycle_says_otherwise(story: Story) -> None:
    story.data = f"fail-training-{story.data}"
    held = {"a": "held"}
    story.step({"a": A}, {"a": "train"}, bought=1, apply=8, left=held)
    story.step({"a": A}, held, bought=0, left=held)
    retry = {"lifecycle": {"on_failure": "retry", "max_attempts": 2}}
    story.step({"a": A | retry}, {"a": "retrain"}, bought=1, apply=8, left=held)
    story.step({"a": A | retry}, held, bought=0, left=held)
    story.step({"a": A | retry | {"generation": 2}}, {"a": "retrain"}, bought=1, apply=8, left={"a": "retrain"})


def test_an_attempt_in_doubt_blocks_its_own_model_and_nothing_else(story: Story) -> None:
    story.server.plan.replace([Fault("accept_then_close", when=When(body="1100"))])
    story.step({"a": A, "b": B}, {"a": "train", "b": "train"}, bought=2, apply=7, left={"b": "in_doubt"})
    plan = story.project.plan()
    assert (plan["cost"]["due"], plan["cost"]["worst"], plan["cost"]["in_doubt"]) == ("0.00", "8.00", "8.00")
    story.step({"a": A, "b": B, "c": {"steps": 1200}}, {"b": "in_doubt", "c": "train"}, bought=1, apply=7, left={"b": "in_doubt"})
    real = next(e.request_id for e in story.server.books.charges() if e.parameters["steps"] == 1100 and story.data in str(e.dataset))
    assert story.project.run("resolve", "b", f"-request-id={real}", "-reason=found").code == 0
    assert story.project.run("refresh", "-wait=60s").code == 0
    assert story.project.actions() == {}


def test_comments_spelling_files_and_signatures_are_no_change_at_all(story: Story) -> None:
    story.step({"a": A | {"learning_rate": 3e-5}}, {"a": "train"}, bought=1)
    path = story.project.path / "models"
    (path / "a.yaml").rename(path / "elsewhere.yaml")
    assert story.project.run("plan", "-detailed-exitcode").code == 0
    url = f"https://data.example.com/{story.data}.zip?X-Amz-Signature=1&sig=2"
    story.project.write(f"# why\nversion: 1\nmodels:\n  a:\n    learning_rate: 3.0E-05  # slow\n    steps: 1000.0\n    dataset: '{url}'\n", "elsewhere.yaml")
    assert story.project.run("plan", "-detailed-exitcode").code == 0
