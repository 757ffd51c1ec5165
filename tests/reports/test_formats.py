"""The documents of `-report`: what each format holds, its limits, and that foreign text is inert in it."""

from __future__ import annotations

import json
import re
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from decimal import Decimal

import pytest

from reconciler.canonical import digest_of
from reconciler.diagnostics import Diagnostic, Place
from reconciler.plan.action import Action, Reason
from reconciler.plan.change import BudgetLine, Plan, Refusal
from reconciler.plan.make import with_digests
from reconciler.reports.formats import APPENDED, FORMATS, render
from reconciler.reports.markdown import COMMENT_BYTES, comment_markdown
from reconciler.reports.run import Run

from .catalog import NOW, change, plan
from .hostile import FORBIDDEN, HOSTILE, hostile_plan

RUN = Run(at=NOW, commit="9f3c2ab0d1e2", run_url="https://github.com/acme/loras/actions/runs/1")
BAD = Run(
    at=NOW,
    exit_code=1,
    failure_reason="invalid",
    diagnostics=(Diagnostic("error", "E201", "unknown field", "did you mean `steps`?", Place("models/a.yaml", 7, 5)),),
)
REFUSAL = Refusal("budget", "budget.per_month", "budget.per_month: $328.00 in 2026-11, limit $300.00", "budget.per_month: 328.00", Place("reconciler.yaml", 9))
REFUSED = plan(refusals=(REFUSAL,))


def trains(count: int) -> Plan:
    return plan(tuple(change(f"model-{i:06}", Action.TRAIN, Reason.NEW_MODEL, "models/portraits.yaml", i + 1, cost=Decimal("8.00")) for i in range(count)))


# -- markdown


def test_the_comment_shows_totals_warnings_doubts_rows_and_digests():
    text = comment_markdown(plan(), RUN)
    lines = text.splitlines()
    assert lines[1] == "### ⚠️ LoRA catalog `prod`: **+$24.00** to apply"
    assert "| **total** | **+$24.00** <!--since--> | $32.00 | $296.00 (37 jobs) | $328.00 | 82 % of $400.00 |" in lines
    assert "| ± | `product-shoes` | retrain | +$8.00 | steps 1500 → 2000; job j-31 stays usable | `models/products.yaml:31` |" in lines
    assert "> 1 attempt got no answer; $8.00 may have been charged. Nothing is sent again until someone decides:" in lines
    assert "reconciler resolve retro-poster -request-id ID -reason TEXT" in text
    assert lines[-1].startswith("<sub>Plan `21fd5e0cf263` · spend `7bbfa429bcbb` · commit `9f3c2ab0d1e2` · state serial 118 · [run](https://github.com/")


def test_the_marker_is_the_first_line_and_plain_json_without_two_dashes():
    text = comment_markdown(plan(environment="a--b-->c---"), replace(RUN, commit="--"))
    first = text.splitlines()[0]
    found = re.fullmatch(r"<!-- reconciler (\{.*\}) -->", first)
    assert found
    assert "--" not in found[1]
    assert ">" not in found[1]
    facts = json.loads(found[1])
    assert facts["key"] == "0f0c7a52/a--b-->c---"
    assert facts["due"] == "24.00"
    assert set(facts) == {"v", "key", "plan", "spend", "due", "sha", "at"}


def test_the_summary_has_no_marker():
    assert render("summary", plan(), RUN) == "".join(comment_markdown(plan(), RUN).splitlines(keepends=True)[1:])


@pytest.mark.parametrize(("count", "level"), [(100, "full"), (1000, "slim"), (5000, "counted")])
def test_the_rows_degrade_in_levels_and_never_in_the_middle(count, level):
    text = comment_markdown(trains(count), RUN)
    assert len(text.encode()) <= COMMENT_BYTES
    rows = [line for line in text.splitlines() if line.startswith("| + |")]
    assert all(row.endswith("|") and row.count(" | ") in (3, 5) for row in rows)
    assert ("new model" in text) == (level == "full")
    assert (len(rows) == count) == (level != "counted")
    if level == "counted":
        assert f"{count - len(rows):,} more changes not shown" in text
        assert len(rows) > 1200
    assert "<sub>Plan" in text
    assert "</details>" in text


@pytest.mark.parametrize("most_bytes", [0, 500, 2_000, 8_000, 32_768])
def test_any_number_of_bytes_is_kept_but_for_what_always_stays(most_bytes):
    fixed = len(comment_markdown(trains(2000), RUN, most_bytes=0).encode())
    assert len(comment_markdown(trains(2000), RUN, most_bytes=most_bytes).encode()) <= max(most_bytes, fixed)
    assert fixed < 1500


def test_rendering_stops_at_the_limit():
    few, many = trains(5_000), trains(50_000)
    took = []
    for each in (few, many):
        begun = time.perf_counter()
        text = comment_markdown(each, RUN)
        took.append(time.perf_counter() - begun)
        assert len(text.encode()) <= COMMENT_BYTES
    assert took[1] < took[0] * 10 + 0.5


def test_a_refused_plan_is_shown_whole_with_what_lifts_it():
    text = comment_markdown(REFUSED, RUN)
    assert "**refused**, nothing is bought" in text
    assert "lifted by `budget.per_month: 328.00`" in text
    assert "portrait-cold" in text


def test_invalid_manifests_and_a_result_have_their_own_titles():
    assert "the manifests are not valid" in comment_markdown(None, BAD)
    assert "unknown field" in comment_markdown(None, BAD)
    done = comment_markdown(plan(()), replace(RUN, result={"bought": 2, "bought_amount": "16.00"}))
    assert "✅ LoRA catalog `prod`: applied" in done
    assert "Apply: 2 bought $16.00." in done
    assert "no changes" in comment_markdown(plan(()), RUN)


def test_budgets_by_label_have_their_row():
    budget = BudgetLine("budget.by_label.team.photo", "2026-11", Decimal(50), Decimal(66), Decimal(200))
    assert "| `team=photo` | +$16.00 |  | $50.00 | $66.00 | 33 % of $200.00 |" in comment_markdown(plan(budgets=(budget,)), RUN)


@pytest.mark.parametrize("level", ["full", "slim"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_stays_in_its_cell_of_the_comment(kind, level):
    def comment(text: str) -> str:
        whole = comment_markdown(hostile_plan(text), RUN)
        rows = sum(len(line.encode()) + 1 for line in whole.splitlines() if line.startswith("|"))
        return whole if level == "full" else comment_markdown(hostile_plan(text), RUN, most_bytes=len(whole.encode()) - rows // 8)

    text, harmless = comment(HOSTILE[kind]), comment("harmless")
    assert ("| why | where |" in text) == (level == "full")
    outside = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "C", text)
    for live in ("<img", "<h1", "](http", "@everyone", "[[", "![", "acme/loras#3", "\\|"):
        assert live not in outside or live in re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "C", harmless)
    assert outside.count("<details") == outside.count("</details>") == 1
    assert len(text.splitlines()) == len(harmless.splitlines())
    cells = [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")]
    assert cells == [len(re.findall(r"(?<!\\)\|", line)) for line in harmless.splitlines() if line.startswith("|")]


# -- values and numbers


def test_step_outputs_are_one_line_each_without_foreign_text():
    values = dict(line.split("=", 1) for line in render("github-output", plan(), RUN).splitlines())
    assert values == {
        "changes": "11",
        "paid": "3",
        "cost": "24.00",
        "worst": "32.00",
        "spend_digest": "sha256:7bbfa429bcbb" + "0" * 52,
        "plan_digest": "sha256:21fd5e0cf263" + "0" * 52,
        "failure_reason": "",
        "exit_code": "0",
    }
    assert "failure_reason=budget\n" in render("github-output", REFUSED, replace(RUN, exit_code=4))
    assert "failure_reason=invalid\n" in render("github-output", None, BAD)
    dotenv = render("dotenv", plan(), RUN)
    assert "LORA_COST=24.00\n" in dotenv
    assert "RECONCILER_" not in dotenv
    assert "x=y" not in render("github-output", plan(), replace(RUN, failure_reason="a\nx=y"))


def test_gitlab_counts_what_is_new_what_changes_and_what_goes():
    assert json.loads(render("gitlab-terraform", plan(), RUN)) == {"create": 3, "update": 2, "delete": 1}
    assert json.loads(render("gitlab-terraform", None, BAD)) == {"create": 0, "update": 0, "delete": 0}


def test_code_quality_has_unique_fingerprints_that_do_not_know_lines():
    text = render("codequality", REFUSED, BAD)
    rows = json.loads(text)
    assert not text.startswith("\ufeff")
    assert all(set(row) == {"description", "check_name", "fingerprint", "severity", "location"} for row in rows)
    assert len({row["fingerprint"] for row in rows}) == len(rows)
    assert {row["severity"] for row in rows} <= {"info", "minor", "major", "critical", "blocker"}
    moved = tuple(replace(c, place=Place(c.place.file, c.place.line + 7)) if c.place else c for c in REFUSED.changes)
    again = json.loads(render("codequality", replace(REFUSED, changes=moved), BAD))
    assert [row["fingerprint"] for row in again] == [row["fingerprint"] for row in rows]


def test_sarif_names_every_rule_and_region():
    document = json.loads(render("sarif", REFUSED, BAD))
    run = document["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert {"E201", "refused-budget", "in-doubt", "held", "train", "retrain"} <= set(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["locations"][0]["physicalLocation"]["region"]["startLine"] >= 1
    assert [r["level"] for r in run["results"]] == sorted((r["level"] for r in run["results"]), key=("error", "warning", "note").index)
    assert len(json.loads(render("sarif", trains(6000), RUN))["runs"][0]["results"]) == 5000


def test_junit_has_a_case_per_model_and_the_right_numbers():
    root = ET.fromstring(render("junit", REFUSED, BAD))
    suite = root.find("testsuite")
    cases = {case.get("name"): case for case in suite.findall("testcase")}
    assert len(cases) == int(suite.get("tests")) == len(REFUSED.changes) + 3
    assert cases["retro-poster"].find("error") is not None
    assert cases["hero-shot"].find("skipped") is not None
    assert cases["budget.per_month"].find("failure") is not None
    assert cases["portrait-cold"].find("system-out").text == "train, +$8.00: new model"
    assert suite.get("failures") == "2"
    assert suite.get("errors") == "1"


def test_annotations_stand_on_the_manifests_line_ten_per_level():
    lines = render("annotations", plan(), RUN).splitlines()
    assert "::notice file=models/portraits.yaml,line=12,title=+$8.00 train portrait-warm::new model" in lines
    assert any(line.startswith("::warning file=models/heroes.yaml,line=3,title=$0.00 held hero-shot::") for line in lines)
    many = render("annotations", trains(500), RUN).splitlines()
    notices = [line for line in many if line.startswith("::notice")]
    assert len(notices) == 10
    assert "title=and 491 more" in notices[-1]
    errors = render("annotations", None, BAD)
    assert errors == "::error file=models/a.yaml,line=7,col=5,title=E201::unknown field: did you mean `steps`?\n"
    assert "::error file=reconciler.yaml,line=9,title=refused%3A budget.per_month::" in render("annotations", REFUSED, RUN)


def test_a_badge_says_what_is_in_sync_and_what_is_due():
    badge = json.loads(render("badge", plan(), RUN))
    assert badge == {"schemaVersion": 1, "label": "LoRA catalog", "message": "36 in sync, $24.00 due, 1 in doubt, 1 held", "color": "red"}
    assert json.loads(render("badge", plan(()), RUN))["color"] == "brightgreen"
    svg = render("badge", plan(), replace(RUN, path="badge.SVG"))
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    assert "36 in sync, $24.00 due" in svg
    assert json.loads(render("badge", None, BAD))["message"] == "manifests are not valid"


# -- documents


def test_the_json_document_keeps_its_own_digest():
    document = json.loads(render("json", with_digests(plan()), RUN))
    claimed = document.pop("document_digest")
    assert digest_of(document) == claimed


def test_json_lines_are_the_same_changes_one_a_line():
    lines = [json.loads(line) for line in render("jsonl", plan(), RUN).splitlines()]
    document = json.loads(render("json", plan(), RUN))
    assert lines[0]["kind"] == "plan"
    assert lines[1:-1] == document["changes"]
    assert lines[-1]["spend_digest"] == document["spend_digest"]


def test_invalid_manifests_are_a_document_too():
    document = json.loads(render("json", None, BAD))
    assert document["applyable"] is False
    assert document["diagnostics"][0]["code"] == "E201"
    assert json.loads(render("jsonl", None, BAD)) == document


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_no_format_lets_foreign_text_act(form, kind):
    text = render(form, hostile_plan(HOSTILE[kind]), replace(RUN, commit=HOSTILE[kind], run_url=HOSTILE[kind], failure_reason=HOSTILE[kind]))
    text.encode("utf-8")
    for forbidden in FORBIDDEN:
        assert forbidden not in text
    assert not re.search(r"##[A-Za-z]*\[", text)
    if form in ("json", "codequality", "sarif", "badge", "gitlab-terraform"):
        json.loads(text)
    if form == "junit":
        ET.fromstring(text)
    if form == "annotations":
        assert all(re.match(r"::(error|warning|notice) (file=[^,:]*,line=\d+,)?(col=\d+,)?title=[^,:]*::[^\r\n]*$", line) for line in text.split("\n")[:-1])
    if form in ("github-output", "dotenv"):
        assert all(re.fullmatch(r"[A-Za-z_]+=[A-Za-z0-9:._-]*", line) for line in text.splitlines())
        assert len(text.splitlines()) == 8
    else:
        assert not any(line.lstrip().startswith("::") for line in text.split("\n")) or form == "annotations"


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("each", [(plan(()), RUN), (None, BAD), (REFUSED, BAD), (None, Run())])
def test_every_format_renders_every_kind_of_run_and_ends_in_a_newline(form, each):
    text = render(form, *each)
    assert text.endswith("\n") or (text == "" and form == "annotations")


def test_only_the_runners_files_are_appended_to():
    assert set(FORMATS) >= APPENDED == {"summary", "github-output"}
