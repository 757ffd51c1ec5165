"""Foreign text has one door: `safe()`. Seen in the source of the commands, and in what every command makes of marked values."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.pixazo.raw_server import RawServer, answer
from tests.reports.hostile import FORBIDDEN, HOSTILE

from .conftest import Line

OURS = {
    "safe", "plural", "len", "format_money", "format_duration", "format_size", "format_time", "money_text", "sum", "round", "int",
}  # fmt: skip
"""Functions whose result may stand in a line as it is."""
WRITES = {"line", "write"}


def written(tree: ast.AST) -> list[ast.expr]:
    """The arguments of `….out.line(…)`, `….err.write(…)` and their kin."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=verb, value=ast.Attribute(attr=("out" | "err")) | ast.Name(id=("out" | "err"))), args=args) if verb in WRITES:
                found += args
    return found


def unguarded(argument: ast.expr, quiet: set[str]) -> list[str]:
    """What an f-string, or both sides of a choice or a sum, lets through that no function of ours has made inert."""
    match argument:
        case ast.JoinedStr(values=values):
            return [text for value in values if isinstance(value, ast.FormattedValue) for text in unguarded(value.value, quiet)]
        case ast.IfExp(body=body, orelse=other):
            return unguarded(body, quiet) + unguarded(other, quiet)
        case ast.BinOp(left=left, right=right):
            return unguarded(left, quiet) + unguarded(right, quiet)
        case ast.Constant():
            return []
        case ast.Call(func=ast.Name(id=name)) if name in OURS:
            return []
        case _:
            text = ast.unparse(argument)
            return [] if text in quiet else [text]


QUIET = {
    "emulator.url", "json_text(explanation_document(told))", "explanation_text(told, style(context))", "', '.join(made)", "edit", "addresses", "request_id", "made",
    "also", "json_text(merge_document(report))", "merge_text(report, style(context))", "here", "there", "amount", "verb", "what",
    "line", "sentence", "form", "name", "problems", "document",
    "_text(context, found, loaded, files, valid=valid)",
}  # fmt: skip
"""Our own words, and texts that a function of `reports` or of `text` has made: each was looked at when it was added here."""


def leaks(folder: Path) -> list[str]:
    found = []
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for argument in written(tree):
            if not isinstance(argument, ast.JoinedStr | ast.IfExp | ast.BinOp):
                continue
            found += [f"{path.name}:{argument.lineno}: {{{text}}}" for text in unguarded(argument, QUIET)]
    return found


def test_no_command_writes_a_foreign_value_around_the_door(repo: Path) -> None:
    assert leaks(repo / "reconciler" / "commands") == []


def test_a_planted_leak_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f(context, model):\n    context.out.line(f'{safe(model)} is {model.name}' if model else 'x' + model.label)\n")
    assert [row.partition(" ")[2] for row in leaks(tmp_path)] == ["{model.name}", "{model.label}"]


def acting(text: str) -> list[str]:
    """What of a hostile text still acts in an output."""
    rows = [row for row in text.splitlines() if row.lstrip().startswith("::") or re.search(r"##[A-Za-z]*\[", row)]
    return rows + [forbidden for forbidden in FORBIDDEN if forbidden in text]


SAID = {
    "pause": [("pause", "-reason={}"), ("plan",), ("plan", "-json"), ("apply", "-emulate", "-auto-approve"), ("status",), ("doctor",), ("show",), ("resume",)],
    "adopt": [("adopt", "example-otter", "{}", "-note={}"), ("adopt", "{}", "an-id"), ("status",), ("jobs", "list"), ("history",), ("state", "list")],
    "names": [
        ("plan", "-target={}"), ("plan", "-exclude={}"), ("plan", "-selector={}={}"), ("plan", "-replace={}"), ("plan", "-e={}"), ("plan", "-var={}={}"),
        ("status", "{}"), ("show", "-resolved", "{}"), ("show", "{}"), ("jobs", "show", "{}"), ("output", "{}"), ("history", "{}"), ("refresh", "{}"),
        ("state", "show", "{}"), ("state", "mv", "{}", "b"), ("state", "rm", "{}"), ("state", "merge", "{}"), ("resolve", "{}", "-not-submitted", "-reason={}"),
        ("plan", "-out=no/{}"), ("plan", "-report=json=no/{}"), ("plan", "-report={}=x"), ("plan", "-var-file={}"), ("apply", "{}"), ("fmt", "{}"),
        ("fmt", "-check", "{}"), ("cost", "-by={}"), ("{}",), ("plan", "-{}"), ("plan", "-chdir={}"), ("plan", "-endpoint={}"), ("apply", "-max-cost={}"),
        ("apply", "-wait={}"), ("emulator", "-faults={}"), ("emulator", "-port={}"), ("schema", "{}"), ("completion", "{}"), ("comment", "{}"), ("artifacts", "pull", "{}"),
        ("artifacts", "verify", "{}"), ("artifacts", "{}"), ("dataset", "check", "{}"), ("dataset", "{}"), ("catalog", "{}"), ("pin", "{}"), ("pin", "-allow-retrain={}"), ("artifacts", "pull", "-max-size={}"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("what", SAID)
def test_words_of_the_command_line_act_nowhere(line: Line, project: Path, what: str, kind: str) -> None:
    """Errors too: everything that is said passes the same door."""
    value = HOSTILE[kind].encode("utf-8", "surrogateescape" if kind != "surrogate" else "replace").decode()
    pending = answer(200, {"status": "IN_QUEUE"})
    with RawServer([pending]) as server:
        for words in SAID[what]:
            result = line(*(word.replace("{}", value) for word in words), RECONCILER_ENDPOINT=server.url)
            assert result.code != 70, (words, result)
            # a path or a key is not a URL: what is secret in one is not secret in the other
            assert [row for row in acting(result.text) if row != "hunter2"] == [], (words, result)


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_environment_acts_nowhere(line: Line, project: Path, kind: str) -> None:
    """Who and where, for the ledger: a forge hands on what strangers chose."""
    value = HOSTILE[kind].encode("utf-8", "replace").decode().replace("\0", "")
    who = {"GITHUB_ACTOR": value, "GITHUB_SHA": value, "GITHUB_SERVER_URL": value, "GITHUB_REPOSITORY": value, "GITHUB_RUN_ID": value}
    for words in (
        ("apply", "-emulate", "-auto-approve"),
        ("history",),
        ("history", "-json"),
        ("cost",),
        ("jobs", "list"),
        ("status",),
        ("lock", "status"),
        ("show",),
    ):
        result = line(*words, **who)
        assert result.code in (0, 64), (words, result)
        assert acting(result.text) == [], (words, result)
    odd = line("plan", RECONCILER_ENDPOINTS=value, RECONCILER_ENVIRONMENT=value, RECONCILER_VAR_x=value)
    assert acting(odd.text) == []


@pytest.mark.parametrize("kind", HOSTILE)
def test_names_labels_and_descriptions_act_nowhere(line: Line, project: Path, kind: str) -> None:
    """In manifests, where the schema lets them through; and in the errors of those it does not."""
    value = HOSTILE[kind]
    quoted = '"' + "".join(c if c.isalnum() or c == " " else f"\\U{ord(c):08x}" for c in value) + '"'
    fields = f"    dataset: https://d.example.com/a.zip\n    description: {quoted}\n    trigger: {quoted}\n    labels: {{team: {quoted}}}\n"
    for text in (
        f"  otter:\n{fields}",
        f"  {quoted}:\n{fields}",
        f"  otter:\n    dataset: {quoted}\n    {quoted}: {quoted}\n",
        f"  otter: {{trainer: {quoted}}}\n",
    ):
        (project / "models" / "a.yaml").write_text(f"version: 1\nmodels:\n{text}")
        for words in (
            ("validate",),
            ("validate", "-json"),
            ("plan", "-report=markdown=r.md", "-report=junit=r.xml"),
            ("show", "-resolved", "otter"),
            ("cost", "-by=label.team"),
        ):
            result = line(*words)
            assert result.code in (0, 1, 4), (words, result)
            # in a manifest the URL is written in escapes, and its source line is shown as it stands
            assert [row for row in acting(result.text) if row != "hunter2"] == [], (words, text)
