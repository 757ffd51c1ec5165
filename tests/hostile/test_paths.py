"""Files that are none: each is its own error, nothing hangs, nothing outside the project is opened unless it was named."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.commands import outfile

from .conftest import Line, memory

MODEL = "version: 1\nmodels:\n  heron:\n    dataset: https://d.example.com/h.zip\n"


def fifo(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def unix_socket(path: Path) -> None:
    # The address of a socket is short; tmp_path is not.
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(path.name)
    finally:
        os.chdir(here)


def nothing(path: Path) -> None:
    """Not there."""


def link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def circle(path: Path) -> None:
    path.symlink_to(path.name)


NOT_FILES: dict[str, Callable[[Path], None]] = {
    "a folder": Path.mkdir,
    "a pipe": fifo,
    "a device without end": endless,
    "a socket": unix_socket,
    "nothing": nothing,
    "a link to nothing": link_to_nothing,
    "a link to itself": circle,
}
READING = {
    "apply": ["apply", "it"],
    "show": ["show", "it"],
    "variables": ["plan", "-var-file=it"],
    "adopt": ["adopt", "-file=it"],
    "faults": ["emulator", "-faults=it"],
    "fmt": ["fmt", "it"],
    "fmt of a path elsewhere": ["fmt", "../it"],
    "merge": ["state", "merge", "it"],
}


@pytest.mark.parametrize("kind", NOT_FILES)
@pytest.mark.parametrize("what", READING)
def test_a_named_file_that_is_none_is_an_error_and_nothing_is_waited_for(line: Line, project: Path, kind: str, what: str) -> None:
    NOT_FILES[kind](project / "it")
    before = memory(project)
    result = line(*READING[what])
    if what == "fmt" and kind == "a folder":
        assert result.code == 0, "a folder without manifests is in order"
        return
    assert result.code in (1, 64), result
    assert "it" in result.text
    assert memory(project) == before


@pytest.mark.parametrize("kind", NOT_FILES)
def test_a_manifest_that_is_no_file_is_one_problem_at_its_place(line: Line, project: Path, kind: str) -> None:
    """Found by the pattern, not named: a link out of the project is not followed either."""
    NOT_FILES[kind](project / "models" / "it.yaml")
    result = line("validate")
    if kind == "nothing":
        assert result.code == 0
        return
    assert result.code == 1
    assert result.out.count("error[") == 1
    assert "models/it.yaml:1:1: error[E00" in result.out


@pytest.mark.parametrize("target", ["{out}/secret.yaml", "../../outside/secret.yaml", "/proc/self/environ", "/dev/stdin", "/etc/hostname"])
def test_a_link_out_of_the_project_is_not_read(line: Line, project: Path, target: str) -> None:
    outside = project.parent / "outside"
    outside.mkdir()
    (outside / "secret.yaml").write_text("version: 1\nhunter22-is-a-secret: 1\n")
    for name in ("models/it.yaml", "models/_defaults.yaml"):
        (project / name).symlink_to(target.format(out=outside))
        result = line("plan")
        assert result.code == 1
        assert "E002" in result.text
        assert "hunter22" not in result.text
        (project / name).unlink()


def test_a_linked_project_file_is_not_read(line: Line, project: Path) -> None:
    (project.parent / "other.yaml").write_text("version: 1\nhunter22: 1\n")
    (project / "reconciler.yaml").unlink()
    (project / "reconciler.yaml").symlink_to("../other.yaml")
    result = line("plan")
    assert result.code == 1
    assert "E002" in result.text
    assert "hunter22" not in result.text


@pytest.mark.parametrize("pattern", ["../outside/*.yaml", "/etc/*", "models/../../outside/*.yaml", "~/x.yaml", "/dev/zero", "models/\\u0000x"])
def test_a_pattern_cannot_leave_the_project(line: Line, project: Path, pattern: str) -> None:
    (project.parent / "outside").mkdir()
    (project.parent / "outside" / "a.yaml").write_text(MODEL)
    text = (project / "reconciler.yaml").read_text()
    (project / "reconciler.yaml").write_text(text.replace("models/**/*.yaml", pattern))
    assert line("plan").out.count("heron") == 0


@pytest.mark.parametrize("target", ["{out}/reason", "/proc/self/environ", "/dev/zero"])
def test_a_marker_of_a_pause_is_not_read_through_a_link(line: Line, project: Path, target: str) -> None:
    """A repository could point it at any file of the machine, and the reason of a pause is shown; it stays a pause."""
    (project.parent / "reason").write_text("hunter22")
    (project / "state" / "paused").symlink_to(target.format(out=project.parent))
    result = line("plan", HUNTER="hunter22")
    assert result.code == 4
    assert "hunter22" not in result.text
    assert "cannot be read" in result.text


@pytest.mark.parametrize("name", ["paused", "lock", "reconciler.db", "purchases.jsonl"])
@pytest.mark.parametrize("kind", ["a pipe", "a device without end", "a folder", "a link to itself"])
def test_memory_that_is_no_file_is_refused_at_once(line: Line, project: Path, name: str, kind: str) -> None:
    path = project / "state" / name
    path.unlink(missing_ok=True)
    NOT_FILES[kind](path)
    for words in (["plan"], ["status"], ["lock", "status"], ["apply", "-auto-approve", "-max-cost=8"], ["doctor"]):
        result = line(*words, RECONCILER_ENDPOINT="http://127.0.0.1:9")
        assert result.code in (0, 1, 4, 6), (words, result)
        if words[0] == "apply":
            assert result.code != 0


def test_the_cache_does_not_follow_a_link_out_of_the_project(line: Line, project: Path) -> None:
    """Else a repository could have files of another folder written, and old ones removed."""
    outside = project.parent / "outside"
    outside.mkdir()
    (outside / "mine.new").write_text("x")
    shutil.rmtree(project / ".reconciler")
    (project / ".reconciler").symlink_to(outside)
    assert line("plan").code == 0
    assert [p.name for p in outside.iterdir()] == ["mine.new"]


def test_a_cache_folder_that_was_named_may_be_a_link(line: Line, project: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "cache").symlink_to("real")
    assert line("plan", RECONCILER_CACHE_DIR=str(tmp_path / "cache")).code == 0
    assert list((tmp_path / "real").glob("*.cache"))
    assert not list((project / ".reconciler").glob("*.cache"))


WRITING = {
    "out": ["plan", "-out=it"],
    "report": ["plan", "-report=json=it"],
    "appended report": ["plan", "-report=github-output=it"],
    "events": ["apply", "-emulate", "-auto-approve", "-json-into=it"],
}


@pytest.mark.parametrize("what", WRITING)
@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a socket"])
def test_a_place_that_cannot_be_written_is_an_error(line: Line, project: Path, monkeypatch: pytest.MonkeyPatch, what: str, kind: str) -> None:
    """A pipe without a reader is waited for a moment only."""
    monkeypatch.setattr(outfile, "READER_SECONDS", 0.1)
    NOT_FILES[kind](project / "it")
    result = line(*WRITING[what])
    assert result.code in (1, 64), result
    assert "it cannot be written" in result.err


@pytest.mark.parametrize("what", WRITING)
def test_a_pipe_with_a_reader_gets_it_whole(line: Line, project: Path, what: str) -> None:
    os.mkfifo(project / "it")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((project / "it").read_bytes()))
    reader.start()
    assert line(*WRITING[what]).code == 0
    reader.join(10)
    assert got
    assert got[0].endswith(b"\n")


def test_a_file_that_cannot_be_read_is_an_error(line: Line, project: Path) -> None:
    """Root reads everything, so there the command runs as nobody, in a folder that nobody may enter."""
    (project / "models" / "closed.yaml").write_text(MODEL)
    (project / "models" / "closed.yaml").chmod(0)
    if os.geteuid() != 0:
        assert "no permission" in line("validate").out
        return
    # Everything is imported as root, as nobody may not be able to read the interpreter.
    code = (
        "import os, sys, shutil\n"
        "from reconciler.cli.run import run\n"
        "run(['validate'], {})\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sys.exit(run(['validate'], {}))\n"
    )
    with tempfile.TemporaryDirectory() as open_to_all:
        os.chmod(open_to_all, 0o755)
        shutil.copytree(project, Path(open_to_all) / "project")
        closed = Path(open_to_all) / "project" / "models" / "closed.yaml"
        closed.chmod(0)
        done = subprocess.run([sys.executable, "-c", code], cwd=closed.parent.parent, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done
    assert "models/closed.yaml:1:1: error[E001]: no permission to read the file" in done.stdout


def test_an_empty_manifest_is_an_error_of_its_own(line: Line, project: Path) -> None:
    (project / "models" / "empty.yaml").touch()
    result = line("validate")
    assert result.code == 1
    assert "models/empty.yaml:1:1: error[E007]" in result.out


def test_a_file_that_changes_while_it_is_read_is_an_error(line: Line, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project / "models" / "moving.yaml"
    path.write_text(MODEL)
    read = os.read

    def grow_and_read(handle: int, count: int) -> bytes:
        if os.fstat(handle).st_ino == path.stat().st_ino:
            with path.open("a") as more:
                more.write("#\n")
        return read(handle, count)

    monkeypatch.setattr(os, "read", grow_and_read)
    result = line("validate")
    assert result.code == 1
    assert "models/moving.yaml:1:1: error[E009]: the file changed while it was read" in result.out


def test_pause_waits_as_long_as_it_was_told_and_says_what_holds_already(line: Line, project: Path) -> None:
    """The marker stops purchases at once; the fact waits for the lock, here in vain."""
    import fcntl

    with (project / "state" / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = line("pause", "-reason=budget talks", "-lock-timeout=0s")
    assert result.code == 6
    assert "stopped by paused already" in result.err
    assert line("plan").code == 4
    assert line("pause", "-reason=budget talks").code == 0


@pytest.mark.parametrize("command", [["plan", "-emulate"], ["apply", "-emulate", "-auto-approve"]])
def test_compact_warnings_come_without_their_details(line: Line, project: Path, command: list[str]) -> None:
    (project / "models" / "a.yaml").write_text(MODEL + "    lifecycle: {max_attempts: 3}\n")
    assert "on_failure: retry" in line(*command, "-target=heron").out
    compact = line(*command, "-target=heron", "-replace=heron", "-compact-warnings").out
    assert "`max_attempts`" in compact
    assert "on_failure: retry" not in compact


@pytest.mark.parametrize("name", ["a\nb.yaml", "a\x1b[31m.yaml", "\u202etac.yaml", "-rf.yaml", "a b.yaml", "ü.yaml"])
def test_a_name_of_a_file_is_shown_inert(line: Line, project: Path, name: str) -> None:
    (project / "models" / name).write_text("version: 1\nnope: 1\n")
    result = line("validate")
    assert result.code == 1
    assert result.out.count("error[") == 1
    assert line("validate", "-json").code == 1


def test_a_file_name_that_is_not_utf8_is_shown_inert(line: Line, project: Path) -> None:
    (project / "models" / os.fsdecode(b"\xff\xfe.yaml")).write_text("version: 1\n")
    result = line("validate")
    assert result.code == 1
    assert "E009" in result.out


def test_a_linked_state_folder_is_not_followed_out_of_the_project(line: Line, project: Path) -> None:
    """A checkout could bring it; nothing is read there, and nothing written."""
    outside = project.parent / "outside"
    (project / "state").rename(outside)
    (project / "state").symlink_to("../outside")
    before = {p.name: p.read_bytes() for p in outside.iterdir()}
    for words in (
        ["plan"],
        ["plan", "-json"],
        ["status"],
        ["apply", "-emulate", "-auto-approve"],
        ["history"],
        ["pause", "-reason=x"],
        ["lock", "status"],
        ["init"],
    ):
        result = line(*words)
        assert result.code == 1, (words, result)
        assert "leads out of the project through a link" in result.text
        assert "RECONCILER_STATE=" in result.text
    assert {p.name: p.read_bytes() for p in outside.iterdir()} == before


def test_a_state_folder_elsewhere_may_be_named_and_a_link_inside_may_stay(line: Line, project: Path) -> None:
    outside = project.parent / "outside"
    (project / "state").rename(outside)
    for value in ("../outside/reconciler.db", str(outside / "reconciler.db")):
        assert line("apply", "-emulate", "-auto-approve", RECONCILER_STATE=value).code == 0
    (project / "state").symlink_to("../outside")
    assert line("plan", RECONCILER_STATE="state/reconciler.db").code == 0, "a variable is its owner's own word"
    (project / "state").unlink()
    outside.rename(project / "elsewhere")
    (project / "state").symlink_to("elsewhere")
    assert line("plan").code == 0


def test_a_plan_is_not_recalled_behind_a_link(line: Line, project: Path) -> None:
    """The cache knows the same files in the same state; the folder is another way to them."""
    for _ in range(2):
        assert line("plan").code == 0
    outside = project.parent / "outside"
    (project / "state").rename(outside)
    (project / "state").symlink_to("../outside")
    assert line("plan").code == 1


@pytest.mark.parametrize("name", ["reconciler.db", "purchases.jsonl", "lock"])
def test_memory_behind_a_link_is_refused_in_words(line: Line, project: Path, name: str) -> None:
    """Also where the link leads to a good file in the same folder."""
    (project / "state" / "lock").touch()
    (project / "state" / name).rename(project / "state" / "real")
    (project / "state" / name).symlink_to("real")
    for words in (["apply", "-emulate", "-auto-approve"], ["apply", "-emulate", "-auto-approve", "-json"]):
        result = line(*words)
        assert result.code == 1
        assert "it is a symbolic link, which is not followed" in result.text
    assert line("plan").code == (0 if name == "lock" else 1), "plan takes no lock"


def test_linked_books_of_the_emulator_create_nothing_elsewhere(line: Line, project: Path) -> None:
    (project / "state" / "emulator.db").symlink_to("../../new.db")
    result = line("apply", "-emulate", "-auto-approve")
    assert result.code == 1
    assert "symbolic link" in result.text
    assert not (project.parent / "new.db").exists()


@pytest.mark.parametrize("value", ["/", ".", "..", "state/", "state/..", "./"])
def test_a_state_that_is_no_file_by_its_name_is_an_error(line: Line, project: Path, value: str) -> None:
    for words in (["plan"], ["status"], ["lock", "status"], ["init"]):
        result = line(*words, RECONCILER_STATE=value)
        assert result.code == 64
        assert "not the name of a file" in result.err
    text = (project / "reconciler.yaml").read_text()
    (project / "reconciler.yaml").write_text(text.replace("path: state/reconciler.db", f'path: "{value}"'))
    result = line("plan")
    assert result.code == 1
    assert "error[E302]" in result.text
