"""Outputs that are closed, full, narrow or not UTF-8: never a traceback, never another result."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_lines import Call, child

Shell = Callable[..., "subprocess.CompletedProcess[bytes]"]
C_LOCALES = [
    {"LANG": "C"},
    {"LC_ALL": "C"},
    {"LANG": "", "LC_ALL": "POSIX"},
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
]


@pytest.mark.parametrize("environment", C_LOCALES, ids=str)
def test_no_locale_makes_it_fail(shell: Shell, project: Path, environment: dict[str, str]) -> None:
    Path("models/more.yaml").write_text("version: 1\nmodels:\n  näh: {dataset: 'https://example.com/a.zip'}\n", encoding="utf-8")
    for words, code in ((["plan"], 1), (["validate"], 1), (["-help"], 0), (["plan", "-json"], 1), (["plan", "-tärget"], 64)):
        ended = shell(*words, environment=environment)
        assert ended.returncode == code, ended.stderr
        assert b"Traceback" not in ended.stdout + ended.stderr
        (ended.stdout + ended.stderr).decode("utf-8")


@pytest.mark.parametrize("environment", C_LOCALES[3:], ids=str)
def test_without_utf8_the_plan_is_plain_ascii(shell: Shell, project: Path, environment: dict[str, str]) -> None:
    ended = shell("plan", environment=environment)
    assert ended.returncode == 0
    assert ended.stdout.isascii()
    assert b"\\u" not in ended.stdout


@pytest.mark.parametrize("columns", ["1", "0", "-5", "banana", "999999999999999999999", ""])
def test_any_value_of_columns_gives_a_plan(call: Call, project: Path, columns: str) -> None:
    result = call("plan", COLUMNS=columns)
    assert result.code == 0
    assert "8.00" in result.out


@pytest.mark.parametrize("unbuffered", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("words", [["plan"], ["plan", "-json"], ["-help"], ["validate"], ["schema", "plan"]])
def test_a_reader_that_goes_away_is_no_error(project: Path, words: list[str], unbuffered: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run([sys.executable, "-m", "reconciler", *words], stdout=writing, stderr=subprocess.PIPE, env=child(**unbuffered), check=False)
    finally:
        os.close(writing)
    assert ended.returncode == 0
    assert ended.stderr == b""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", ["plan", "plan -json", "plan -nonsense"])
def test_closed_streams_change_nothing(project: Path, words: str, closed: str) -> None:
    line = f'exec "{sys.executable}" -m reconciler {words} {closed}'
    ended = subprocess.run(["bash", "-c", line], capture_output=True, env=child(), check=False)
    assert ended.returncode == (64 if "nonsense" in words else 0)
    assert b"Traceback" not in ended.stdout + ended.stderr


def test_a_file_never_gets_the_number_of_a_closed_stream() -> None:
    code = "import os, reconciler.cli as cli, reconciler.cli.run as r; r.run = lambda _: os.open(os.devnull, 0); cli.main()"
    ended = subprocess.run(["bash", "-c", f'exec "{sys.executable}" -c "{code}" <&- >&- 2>&-'], env=child(), check=False)
    assert ended.returncode == 3


def test_a_plan_is_saved_whole_without_a_stdout(project: Path) -> None:
    ended = subprocess.run(["bash", "-c", f'exec "{sys.executable}" -m reconciler plan -out=p.json >&-'], capture_output=True, env=child(), check=False)
    assert ended.returncode == 0
    assert Path("p.json").read_text().startswith("{")
    assert Path("p.json").read_text().endswith("}\n")


def test_a_full_output_is_an_error_because_the_result_is_cut(project: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run([sys.executable, "-m", "reconciler", "plan", "-json"], stdout=full, stderr=subprocess.PIPE, env=child(), check=False)
    assert ended.returncode == 1
    assert b"stdout could not be written" in ended.stderr
    assert ended.stderr.count(b"\n") == 1


def test_colour_is_written_only_where_it_was_asked_for(call: Call, project: Path) -> None:
    assert "\x1b[" not in call("plan").out
    assert "\x1b[" in call("plan", FORCE_COLOR="1").out
    assert "\x1b[" not in call("plan", FORCE_COLOR="1", NO_COLOR="1").out
    assert "\x1b[" not in call("plan", "-no-color", FORCE_COLOR="1").out


def test_a_deleted_working_folder_is_a_usage_error(shell: Shell, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    ended = subprocess.run(
        ["bash", "-c", f'cd "{gone}" && rmdir "{gone}" && exec "{sys.executable}" -m reconciler plan'], capture_output=True, env=child(), check=False
    )
    assert ended.returncode == 64
    assert b"Traceback" not in ended.stderr


def test_help_starts_without_what_only_commands_need() -> None:
    code = "import sys; from reconciler.cli.run import run; run(['-help']); print(*sorted(sys.modules), file=sys.stderr)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=child(), check=True)
    loaded = set(ended.stderr.split())
    assert "reconciler.cli.table" in loaded
    assert "click" not in loaded
    for costly in ("dataclasses", "sqlite3", "ruamel", "httpx", "rich", "pydantic", "asyncio", "ssl", "decimal", "reconciler.settings", "reconciler.text"):
        assert costly not in loaded, costly


def test_words_that_are_not_utf8_are_shown_escaped(project: Path) -> None:
    line = [os.fsencode(sys.executable), b"-m", b"reconciler", b"plan"]
    for words, code in (([b"-target=\xff\x1b[31m"], 1), ([b"\xff"], 64), ([b"-\xfe=1"], 64), ([b"-chdir=\xff"], 64)):
        ended = subprocess.run([*line, *words], capture_output=True, env=child(), check=False)
        assert ended.returncode == code, ended.stderr
        assert b"Traceback" not in ended.stderr
        assert "\x1b" not in ended.stderr.decode("utf-8")
