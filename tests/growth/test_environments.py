"""Variables and environments through the command: where values come from, bindings per environment over shared jobs, protection."""

from __future__ import annotations

import sys
from pathlib import Path

import pexpect
import pytest

from reconciler.emulator.server import Emulator
from tests.growth.inside import Inside

ENVIRONMENTS = """environments:
  dev: {vars: {bucket: https://dev.example.com}}
  prod: {vars: {bucket: https://data.example.com}, protected: true}
variables:
  bucket: {type: string, description: Where the data sets lie}
  steps: {type: integer, default: 900, minimum: 100, maximum: 5000}
"""
MODELS = """version: 1
models:
  otter:
    dataset:
      url: ${var.bucket}/otter.zip
      sha256: 0f343b0931126a20f133d67c2b018a3b0a8dff3a4f0a3c4f2f0f6f7a3f1c2d4e
    steps: "${var.steps}"
  heron:
    dataset: https://data.example.com/heron.zip
    environments: [dev]
"""


@pytest.fixture
def project(both: Inside) -> Inside:
    both.project(ENVIRONMENTS)
    both.write(MODELS)
    return both


def test_promotion_binds_what_dev_has_trained_and_costs_nothing(project: Inside, server: Emulator) -> None:
    assert project.apply("-e=dev", "-wait=60s").code == 0
    before = len(server.books.charges())
    plan = project.plan("-e", "prod")
    assert [(c["name"], c["action"], c["reason"]) for c in plan["changes"]] == [("otter", "reuse", "promoted")]
    assert plan["cost"]["due"] == "0.00"
    assert project.apply("-e=prod").code == 0
    assert project.run("plan", "-e=prod", "-detailed-exitcode").code == 0
    dev, prod = (project.run("output", "otter", f"-e={env}", "-json").json["models"][0]["job"] for env in ("dev", "prod"))
    assert dev == prod
    project.write(MODELS.replace("environments: [dev]", "environments: [dev, prod]"))
    assert project.apply("-environment=prod").code == 0
    assert len(server.books.charges()) == before
    project.write(MODELS)
    assert {c["name"]: c["action"] for c in project.plan("-e=prod")["changes"]} == {"heron": "forget"}
    assert project.run("plan", "-e=dev", "-detailed-exitcode").code == 0
    assert project.apply("-e=dev", "-var=steps=1000", "-wait=60s").code == 0
    assert project.run("output", "otter", "-e=prod", "-json").json["models"][0]["job"] == prod, "prod keeps what it has until it is applied"


def sent(project: Inside, *words: str, **variables: str) -> object:
    result = project.run("show", "-resolved=otter", "-json", "-e=dev", *words, **variables)
    assert result.code == 0, result
    return next(f["value"] for f in result.json["fields"] if f["path"] == "steps")


def test_a_variable_comes_from_a_flag_before_a_file_before_the_environment_before_its_default(project: Inside) -> None:
    assert sent(project) == 900
    text = (project.path / "reconciler.yaml").read_text()
    (project.path / "reconciler.yaml").write_text(text.replace("dev.example.com}}", "dev.example.com, steps: 800}}"))
    assert sent(project) == 800
    assert sent(project, RECONCILER_VAR_steps="700") == 700
    (project.path / "vars.yaml").write_text("steps: 600\n")
    (project.path / "vars.json").write_text('{"steps": 650}')
    assert sent(project, "-var-file=vars.yaml", RECONCILER_VAR_steps="700") == 600
    assert sent(project, "-var-file=vars.yaml", "-var-file", "vars.json") == 650
    assert sent(project, "-var=steps=500", "-var-file=vars.yaml", RECONCILER_VAR_steps="700") == 500
    assert sent(project, "-var", "steps=500", "-var", "steps=550") == 550


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("-var=stpes=1",), 1, "-var sets the variable `stpes`, which is not declared"),
        (("-var=stpes=1",), 1, "Did you mean steps?"),
        (("-var=steps=1",), 1, "-var sets `steps` to `1`: "),
        (("-var=steps=abc",), 1, "-var sets `steps` to `abc`: "),
        (("-var-file=nope.yaml",), 1, "nope.yaml"),
        (("-var-file=list.yaml",), 1, "list.yaml:1:1: error[E027]"),
        (("-var-file=nested.yaml",), 1, "nested.yaml:1:8: error[E102]"),
        (("-var=steps",), 64, "write -var NAME=VALUE"),
        (("-e=pord",), 64, "did you mean prod?"),
    ],
)
def test_wrong_variables_and_environments_are_errors_with_the_nearest_name(offline: Inside, words: tuple[str, ...], code: int, said: str) -> None:
    offline.project(ENVIRONMENTS)
    offline.write(MODELS)
    (offline.path / "list.yaml").write_text("- a\n")
    (offline.path / "nested.yaml").write_text("steps: {a: 1}\n")
    environment = () if any(w.startswith("-e") for w in words) else ("-e=dev",)
    for command in ("plan", "validate"):
        result = offline.run(command, *words, *environment)
        assert result.code == code
        assert said in result.text


def test_unused_and_unknown_and_missing_variables_are_errors(offline: Inside) -> None:
    offline.project(ENVIRONMENTS + "  unused: {type: string, default: x}\n  needed: {required: true}\n")
    offline.write(MODELS + "    description: ${var.neded}\n")
    found = offline.run("validate", "-e=dev").out
    assert "the variable `unused` is never used" in found
    assert "there is no variable `neded`" in found
    assert "Did you mean needed?" in found
    assert "the variable `needed` has no value in the environment `dev`" in found
    assert offline.run("plan").code == 64, "a project with environments wants one named"


def test_a_variable_of_the_process_that_nothing_declares_is_a_warning(offline: Inside) -> None:
    offline.project(ENVIRONMENTS)
    offline.write(MODELS)
    result = offline.run("plan", "-e=dev", "-emulate", RECONCILER_VAR_stpes="1")
    assert result.code == 0
    assert "RECONCILER_VAR_stpes sets the variable `stpes`, which is not declared" in result.text


def on_a_terminal(project: Inside, answer: str, *words: str) -> tuple[int, str]:
    """`apply` on a terminal of its own, answered once."""
    child = pexpect.spawn(
        sys.executable, ["-m", "reconciler", "apply", "-no-color", *words], cwd=str(project.path), env=project.environment(), encoding="utf-8", timeout=60
    )  # type: ignore[arg-type]
    child.expect("To go on, ")
    child.expect(": ")
    question = child.before
    child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert question is not None
    return int(child.exitstatus or 0), question


def test_a_protected_environment_wants_its_name_typed(both: Inside, server: Emulator) -> None:
    both.project(ENVIRONMENTS)
    both.write(MODELS)
    before = len(server.books.charges())
    code, question = on_a_terminal(both, "yes", "-e=prod")
    assert (code, "protected; type its name, prod" in question) == (10, True)
    assert len(server.books.charges()) == before
    assert on_a_terminal(both, "prod", "-e=prod")[0] == 0
    assert len(server.books.charges()) == before + 1


def test_without_a_terminal_a_protected_environment_needs_a_saved_plan_or_an_explicit_approval(both: Inside, server: Emulator, tmp_path: Path) -> None:
    both.project(ENVIRONMENTS)
    both.write(MODELS)
    assert both.run("apply", "-e=prod").code == 64
    assert both.run("plan", "-e=prod", "-out=plan.json").code == 0
    assert both.run("apply", "-e=dev", "plan.json").code == 5, "a plan is for its own environment"
    assert both.run("apply", "-e=prod", "plan.json").code == 0
