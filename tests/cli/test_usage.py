"""Command lines that cannot be used: always 64, never 2, always with the next step; and the help pages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_lines import Call

from reconciler.cli.table import ALIASES, COMMANDS, INSTEAD, front_page, load

USAGE = 64
NEEDS_WORDS = {"resolve": ["x", "-not-submitted", "-reason=r"], "schema": ["plan"], "completion": ["bash"], "adopt": ["a", "b"], "pause": ["-reason=r"]}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("word", ["-no-such-flag", "--no-such-flag=1", "-x"])
def test_an_unknown_flag_is_a_usage_error_on_every_command(call: Call, name: str, word: str) -> None:
    result = call(name, word)
    assert result.code == USAGE
    assert result.out == ""
    assert f"reconciler {name} -help" in result.err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["no-such-command"],
        ["plna"],
        ["-json", "plan"],
        ["-chdir"],
        ["-chdir=/no/such/folder", "plan"],
        ["plan", "word"],
        ["plan", "-out"],
        ["plan", "-selector=x"],
        ["plan", "-report=json"],
        ["plan", "-report", "no-such-format=x"],
        ["plan", "-var", "x"],
        ["plan", "-endpoint=http://example.com"],
        ["apply", "-wait=soon"],
        ["apply", "-parallelism=0"],
        ["apply", "-parallelism=1.5"],
        ["apply", "-parallelism=-1"],
        ["apply", "-max-cost=lots"],
        ["apply", "-allow-forget=x"],
        ["apply", "a", "b"],
        ["resolve"],
        ["resolve", "x"],
        ["resolve", "x", "-request-id=1", "-not-submitted", "-reason=r"],
        ["resolve", "x", "-not-submitted"],
        ["adopt"],
        ["adopt", "name"],
        ["adopt", "name", "id", "-file=f"],
        ["pause"],
        ["jobs", "frobnicate"],
        ["jobs", "show"],
        ["jobs", "list", "x"],
        ["lock", "break"],
        ["schema"],
        ["schema", "manifets"],
        ["completion", "tcsh"],
        ["output", "-format=xml"],
        ["output", "-format=env", "-json"],
        ["status", "-watch", "-json"],
        ["show", "plan.json", "-resolved=x"],
        ["emulator", "-port=70000"],
        ["emulator", "-speed=0"],
        ["emulator", "-protocol=g3"],
        ["version", "word"],
        ["init", "a", "b"],
        ["help", "no-such-command"],
    ],
)
def test_a_line_that_cannot_be_used_exits_64(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(*words)
    assert result.code == USAGE
    assert result.both.strip()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "nearest"), [(["plna"], "plan"), (["schema", "manifets"], "manifest"), (["staus"], "status"), (["plan", "-emulat"], "-emulate")]
)
def test_a_mistyped_word_names_the_nearest(call: Call, words: list[str], nearest: str) -> None:
    assert f"did you mean {nearest}?" in call(*words).err


def test_an_undeclared_environment_is_a_usage_error(call: Call, project: Path) -> None:
    result = call("plan", "-e", "mulat")
    assert result.code == USAGE
    assert "-environment=mulat" in result.err


def test_a_declared_environment_has_to_be_named_and_may_be_named_in_every_way(call: Call, project: Path) -> None:
    text = Path("reconciler.yaml").read_text()
    Path("reconciler.yaml").write_text(text + "environments:\n  dev: {}\n  prod: {}\n")
    assert call("plan").code == USAGE
    assert "did you mean prod?" in call("plan", "-e=prdo").err
    for words in (["-e=prod"], ["-e", "prod"], ["--environment=prod"]):
        assert "Environment prod" in call("plan", *words).out
    assert "Environment dev" in call("plan", RECONCILER_ENVIRONMENT="dev").out
    assert "Environment prod" in call("plan", "-e=prod", RECONCILER_ENVIRONMENT="dev").out


@pytest.mark.parametrize("word", INSTEAD)
def test_words_of_other_tools_say_what_to_use(call: Call, word: str) -> None:
    result = call(word, "-auto-approve", "whatever")
    assert result.code == USAGE
    assert "`" in result.err or "generation" in result.err


@pytest.mark.parametrize("name", [*COMMANDS, *ALIASES])
@pytest.mark.parametrize("spelling", ["-help", "--help", "-h"])
def test_every_command_has_a_page_of_80_columns(call: Call, name: str, spelling: str) -> None:
    result = call(name, spelling)
    assert result.code == 0
    assert result.err == ""
    assert result.out.startswith(f"Usage: reconciler {ALIASES.get(name, name)}")
    assert max(map(len, result.out.splitlines())) <= 80
    assert call("help", name).out == result.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_is_explained(name: str) -> None:
    page = load(name).page()
    for flag in load(name).flags:
        assert flag.help
        assert flag.help.endswith((".", "DURATION"))
        assert flag.spelled in page


def test_the_front_page_names_every_command_in_80_columns(call: Call) -> None:
    result = call("-help")
    assert result.code == 0
    assert result.out == front_page() == call("help").out
    assert max(map(len, result.out.splitlines())) <= 80
    for name in COMMANDS:
        assert f"  {name} " in result.out


def test_global_flags_stand_before_or_behind_the_command(call: Call, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (
        ["-chdir=project", "validate"],
        ["validate", "-chdir=project"],
        ["-chdir", "project", "validate"],
        ["--chdir=project", "-no-color", "validate"],
    ):
        monkeypatch.chdir(tmp_path)
        assert call(*words).code == 0, words
    assert call("-version").out == call("plan", "-version").out
    assert call("-help", "plan").out == call("plan", "-help").out


def test_a_flag_in_front_of_the_command_says_where_it_belongs(call: Call) -> None:
    assert "flags of a command stand behind it" in call("-target=x", "plan").err


def test_flags_of_variables_come_first_and_so_count_less(call: Call, project: Path) -> None:
    assert json.loads(call("plan", RECONCILER_CLI_ARGS_plan="-json").out)["kind"] == "plan"
    assert call("plan", "-json=false", RECONCILER_CLI_ARGS="-json").out.startswith("Environment")
    assert call("plan", RECONCILER_CLI_ARGS_apply="-no-such-flag").code == 0


@pytest.mark.parametrize("value", ["-no-such-flag", "word", "'unclosed", "-out plan.json extra"])
def test_a_variable_that_holds_something_else_is_named(call: Call, project: Path, value: str) -> None:
    result = call("plan", RECONCILER_CLI_ARGS_plan=value)
    assert result.code == USAGE
    assert "RECONCILER_CLI_ARGS_plan" in result.err
    assert call("plan", "-help", RECONCILER_CLI_ARGS_plan=value).code == 0


def test_an_unknown_variable_is_a_warning(call: Call, project: Path) -> None:
    result = call("validate", RECONCILER_ENDPIONT="https://x")
    assert result.code == 0
    assert "RECONCILER_ENDPIONT" in result.err
    assert "RECONCILER_ENDPOINT?" in result.err


def test_a_key_on_the_command_line_is_not_repeated(call: Call) -> None:
    result = call("plan", "-api-key=hunter2hunter2")
    assert result.code == USAGE
    assert "hunter2" not in result.both
    assert "PIXAZO_API_KEY" in result.err


@pytest.mark.parametrize("name", [n for n in COMMANDS if "json" in load(n).known])
def test_with_json_a_usage_error_is_a_document(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(name, "-json", "-no-such-flag")
    assert result.code == USAGE
    assert result.err == ""
    for document in [json.loads(line) for line in result.out.splitlines()] if name in ("apply", "refresh") else [json.loads(result.out)]:
        assert document["failure_reason"] == "usage"
        assert document["exit_code"] == USAGE


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_completion_knows_every_command_and_flag(call: Call, shell_name: str) -> None:
    script = call("completion", shell_name).out
    for name in COMMANDS:
        assert name in script
    assert "auto-approve" in script
