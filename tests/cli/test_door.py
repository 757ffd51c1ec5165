"""The door: whatever goes wrong has its exit code, its words, its document, and never a traceback or a key."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

import pytest
from command_lines import Call

from reconciler import errors
from reconciler.diagnostics import Diagnostic, Place

CASES = [
    (errors.Invalid([Diagnostic("error", "E100", "unknown key", "did you mean steps?", Place("m.yaml", 3, 5), None, "  stesp: 1")]), 1, "invalid"),
    (errors.StateProblem("the journal is missing"), 1, "state"),
    (errors.ApiProblem("no answer"), 1, "api"),
    (errors.Refused("too many"), 4, "guard"),
    (errors.BudgetRefused("too much"), 4, "budget"),
    (errors.Paused(), 4, "paused"),
    (errors.PlanChanged(), 5, "plan_changed"),
    (errors.Locked("held by process 1"), 6, "locked"),
    (errors.InDoubt(), 7, "in_doubt"),
    (errors.JobFailed(), 8, "job_failed"),
    (errors.WaitOver(), 9, "timeout"),
    (errors.Declined(), 10, "declined"),
    (errors.Usage("no"), 64, "usage"),
    (errors.Interrupted(2), 130, "interrupted"),
    (errors.Interrupted(15), 143, "interrupted"),
    (KeyboardInterrupt(), 130, "interrupted"),
    (PermissionError(13, "Permission denied", "models/x.yaml"), 1, "invalid"),
    (ZeroDivisionError("oops"), 70, "bug"),
    (RecursionError("deep"), 70, "bug"),
    (MemoryError(), 70, "bug"),
]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Make `plan` and `apply` raise."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))

    def fail_with(error: BaseException) -> None:
        for name in ("plan", "apply"):
            module = ModuleType(f"reconciler.commands.{name}")

            def run(*_: object, **__: object) -> int:
                raise error

            module.run = run  # type: ignore[attr-defined]
            monkeypatch.setitem(sys.modules, module.__name__, module)
            monkeypatch.setattr(f"reconciler.commands.{name}", module, raising=False)

    return fail_with


@pytest.mark.parametrize(("error", "code", "reason"), CASES, ids=lambda v: type(v).__name__ if isinstance(v, BaseException) else str(v))
def test_every_error_has_its_code_its_words_and_its_documents(call: Call, failing, error: BaseException, code: int, reason: str) -> None:
    failing(error)
    said = call("plan")
    assert said.code == code
    assert said.out == ""
    assert said.err.strip()
    documented = call("plan", "-json")
    assert documented.code == code
    assert documented.err == ""
    document = json.loads(documented.out)
    assert (document["kind"], document["failure_reason"], document["exit_code"]) == ("error", reason, code)
    assert document["diagnostics"]
    streamed = call("apply", "-json")
    assert streamed.code == code
    for line in streamed.out.splitlines():
        event = json.loads(line)
        assert event["type"] == "diagnostic"
        assert (event["failure_reason"], event["exit_code"]) == (reason, code)


def test_diagnostics_stand_with_their_place_and_source(call: Call, failing) -> None:
    failing(CASES[0][0])
    err = call("plan").err
    assert "m.yaml:3:5: error[E100]: unknown key" in err
    assert "stesp: 1" in err
    document = json.loads(call("plan", "-json").out)
    assert document["diagnostics"][0] | {"detail": ""} == {
        "severity": "error", "code": "E100", "summary": "unknown key", "detail": "", "file": "m.yaml", "line": 3, "column": 5, "end_line": None,
    }  # fmt: skip


def test_a_bug_is_one_line_and_a_report_without_the_key(call: Call, failing, tmp_path: Path) -> None:
    key = "k3y with%blanks/and+more"
    failing(ValueError(f"Illegal header value {key!r} {quote(key, safe='')} {b64encode(key.encode()).decode()}"))
    result = call("plan", f"-target={key}", PIXAZO_API_KEY=key)
    assert result.code == 70
    assert result.err.count("\n") == 1
    (report,) = (tmp_path / "tmp").iterdir()
    assert str(report) in result.err
    text = report.read_text()
    assert "ValueError" in text
    assert "Traceback" in text
    for shape in (key, quote(key, safe=""), b64encode(key.encode()).decode()):
        assert shape not in text + result.both
    assert report.stat().st_mode & 0o077 == 0


def test_a_bug_without_a_place_for_its_report_is_still_one_line(call: Call, failing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failing(ValueError("x"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    result = call("plan")
    assert result.code == 70
    assert "no report could be written" in result.err


def test_the_key_is_cut_out_of_every_message(call: Call, failing) -> None:
    failing(errors.ApiProblem("the server said: hunter2hunter2 is wrong"))
    for words in (["plan"], ["plan", "-json"]):
        assert "hunter2" not in call(*words, PIXAZO_SUBSCRIPTION_KEY="hunter2hunter2").both


def test_foreign_text_in_an_error_is_inert(call: Call, failing) -> None:
    failing(errors.ApiProblem("bad \x1b[31mred\u202e\n::error::x https://u:p@h/?token=secret"))
    for words in (["plan"], ["plan", "-json"], ["apply", "-json"]):
        said = call(*words).both
        assert "\x1b" not in said
        assert "\u202e" not in said
        assert "secret" not in said
        assert not any(line.lstrip().startswith("::") for line in said.splitlines())


def test_a_door_that_breaks_is_still_one_line(call: Call, failing, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(errors.ApiProblem("x"))
    monkeypatch.setattr("reconciler.cli.door.close", lambda *_, **__: 1 / 0)
    result = call("plan")
    assert result.code == 70
    assert result.err.count("\n") == 1
