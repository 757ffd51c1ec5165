"""Each rule of the manifest's description, broken once: the message, its code and place, exit 1, and nothing is sent. The corpus has many more of each."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from reconciler.emulator.server import Emulator
from tests.growth.inside import Inside

OK = "version: 1\nmodels:\n  a:\n    dataset: https://d.example.com/a.zip\n"
DATA = "    dataset: https://d.example.com/a.zip\n"

RULES: Mapping[str, tuple[str, str]] = {
    "1 an unknown top-level key is told with the nearest": (
        "version: 1\nmodles: {}\n",
        "models/a.yaml:2:1: error[E100]: unknown key `modles` in a manifest|Did you mean models?",
    ),
    "1 an unknown key of a model is told with the nearest": (OK + "    stpes: 10\n", "models/a.yaml:5:5: error[E100]: unknown key `stpes`|Did you mean steps?"),
    "2 names are lower case, and a better one is told": (
        "version: 1\nmodels:\n  Otter One:\n" + DATA,
        "models/a.yaml:3:3: error[E106]: `Otter One` cannot be a model's name|Perhaps otter-one.",
    ),
    "2 null as a name needs quotes": ("version: 1\nmodels:\n  null:\n" + DATA, "models/a.yaml:3:3: error[E025]:|Quote"),
    "2 123 as a name needs quotes": ("version: 1\nmodels:\n  123:\n" + DATA, "models/a.yaml:3:3: error[E025]:|Quote"),
    "2 1.10 as a name needs quotes": ("version: 1\nmodels:\n  1.10:\n" + DATA, "models/a.yaml:3:3: error[E025]:|Quote"),
    "2 a name has 63 characters at most": (f"version: 1\nmodels:\n  {'x' * 64}:\n" + DATA, "models/a.yaml:3:3: error[E106]:"),
    "2 a name in two files names both places": (OK, "models/b.yaml:3:3: error[E200]: the model `a` is declared twice|The first one is at models/a.yaml:3:3."),
    "4 half a step": (OK + "    steps: 1500.5\n", "models/a.yaml:5:12: error[E103]: `steps` must be a whole number, not `1500.5`"),
    "4 steps with a separator": (OK + '    steps: "1,500"\n', "models/a.yaml:5:12: error[E102]:|Write 1500, without quotes"),
    "4 true steps": (OK + "    steps: true\n", "models/a.yaml:5:12: error[E102]:"),
    "4 infinite steps": (OK + "    steps: .inf\n", "models/a.yaml:5:12: error[E103]:"),
    "4 a number beyond all floats": (OK + "    learning_rate: 1e400\n", "models/a.yaml:5:20: error[E103]:"),
    "4 no is text": (OK + "    lifecycle: {suspend: no}\n", "models/a.yaml:5:26: error[E102]:|Write false."),
    "5 a required parameter without a default": (
        "version: 1\nmodels:\n  a:\n    trainer: own\n" + DATA,
        "models/a.yaml:4:5: error[E101]: `style` is missing|has no default for it",
    ),
    "6 a URL that is not https": (
        "version: 1\nmodels:\n  a:\n    dataset: http://d.example.com/a.zip\n",
        "models/a.yaml:4:14: error[E110]: plain http is allowed to loopback only",
    ),
    "6 a short digest": (
        "version: 1\nmodels:\n  a:\n    dataset:\n      url: https://d.example.com/a.zip\n      sha256: abc\n",
        "models/a.yaml:6:15: error[E105]:",
    ),
    "6 a local path that leads out": ("version: 1\nmodels:\n  a:\n    dataset: ../secret\n", "models/a.yaml:4:14: error[E112]:"),
    "7 a reference in a flow mapping": ("version: 1\nmodels:\n  a:\n    dataset: {url: ${var.x}}\n", "models/a.yaml:4:21: error[E015]:|Quote it"),
    "7 a URL in a flow mapping above hides no reference below": (
        "version: 1\nmodels:\n  otter: {dataset: https://example.com/a.zip}\n  a:\n    dataset: {url: ${var.x}}\n",
        "models/a.yaml:5:21: error[E015]:|Quote it",
    ),
    "7 an unknown variable is told with the nearest": (
        OK + "    description: ${var.bukket}\n",
        "models/a.yaml:5:18: error[E210]: there is no variable `bukket`|Did you mean bucket?",
    ),
    "7 what is no reference": (OK + "    description: ${bucket}\n", "models/a.yaml:5:18: error[E215]:"),
    "8 a wrong default is told once, where it stands": (
        "version: 1\ndefaults:\n  steps: none\nmodels:\n  a:\n" + DATA + "  b:\n" + DATA,
        "models/a.yaml:3:10: error[E102]:",
    ),
    "8 an unknown key in defaults": ("version: 1\ndefaults:\n  stpes: 1\nmodels:\n  a:\n" + DATA, "models/a.yaml:3:3: error[E100]:|Did you mean steps?"),
    "9 a tag": (OK + "    steps: !!int 5\n", "models/a.yaml:5:12: error[E019]:"),
    "9 two documents": (OK + "---\n" + OK, "models/a.yaml:5:1: error[E021]:"),
    "9 a key twice": (OK + "    steps: 1\n    steps: 2\n", "models/a.yaml:6:5: error[E018]:"),
    "10 a matrix of something else": (OK + "    matrix: {trigger: [a, b]}\n", "models/a.yaml:5:14: error[E220]: `trigger` is not a training parameter"),
    "10 a product above its limit": (
        OK + "    matrix: {steps: [500, 600, 700]}\n    max_combinations: 2\n",
        "models/a.yaml:5:13: error[E221]:|3 = 3 combinations, $24.00; the limit is 2",
    ),
    "10 a winner that is none": (OK + "    matrix: {steps: [500, 600]}\n    winner: {steps: 700}\n", "models/a.yaml:6:21: error[E222]:"),
    "10 an exclusion of nothing": (OK + "    matrix: {steps: [500, 600], exclude: [{steps: 700}]}\n", "models/a.yaml:5:51: error[E223]:"),
    "11 all problems at once": (
        OK + "    steps: 0\n    learning_rate: 2\n  B:\n    labels: 5\n",
        "models/a.yaml:5:12: error[E104]:|models/a.yaml:6:20: error[E104]:|models/a.yaml:7:3: error[E106]:|models/a.yaml:8:13: error[E102]:",
    ),
    "acts: moved and still declared": (OK + "moved:\n  - {from: a, to: b}\n", "models/a.yaml:6:5: error[E201]: `a` is moved away and still declared"),
    "acts: removed and still declared": (OK + "removed:\n  - {name: a, reason: x}\n", "models/a.yaml:6:5: error[E201]: `a` is removed and still declared"),
    "acts: an id adopted under two names": (
        OK + "adopt:\n  - {name: a, request_id: x}\n  - {name: b, request_id: x}\n",
        "models/a.yaml:7:5: error[E201]: `x` is adopted under two names",
    ),
    "acts: an attempt resolved twice": (
        OK + "resolutions:\n  - &r {attempt: at-1, outcome: not_submitted, reason: x}\n  - *r\n",
        "error[E201]: `at-1` is resolved twice",
    ),
    "lifecycle: an unknown key": (OK + "    lifecycle: {prevent_retraining: true}\n", "models/a.yaml:5:17: error[E100]:|Did you mean prevent_retrain?"),
    "lifecycle: a path that cannot be ignored": (OK + "    lifecycle: {ignore_changes: [stpes]}\n", "models/a.yaml:5:34: error[E105]:|Did you mean steps?"),
    "environments: an unknown one": (OK + "    environments: [pord]\n", "models/a.yaml:5:20: error[E120]: there is no environment `pord`|Did you mean prod?"),
}
PROJECT = """environments: {prod: {vars: {bucket: https://data.example.com}}}
trainers:
  own:
    api: own-1
    submit_path: /v1/own
    parameters:
      style: {type: string}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, server: Emulator) -> Inside:
    return Inside.new(tmp_path_factory.mktemp("rules") / "project", server.url)  # type: ignore[return-value]


@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_is_told_and_nothing_is_sent(rule: str, project: Inside, server: Emulator) -> None:
    text, expected = RULES[rule]
    project.project(PROJECT)
    project.write(text)
    (project.path / "models" / "b.yaml").unlink(missing_ok=True)
    if "two files" in rule:
        project.write(text, "b.yaml")
    before, state = len(server.books.ledger()), project.state_bytes()
    for words in (("plan",), ("apply", "-auto-approve"), ("validate",)):
        refused = project.run(*words, "-e=prod")
        assert refused.code == 1
        for part in expected.split("|"):
            assert part in refused.text, refused.text
    document = project.run("validate", "-json", "-e=prod")
    assert document.code == 1
    codes = {part.split("error[")[1][:4] for part in expected.split("|") if "error[" in part}
    assert codes <= {d["code"] for d in json.loads(document.out)["diagnostics"]}
    assert len(server.books.ledger()) == before
    assert project.state_bytes() == state
