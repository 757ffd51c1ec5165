"""Files are trusted as far as they can be checked: permissions, network file systems, the cache, and what `plan` touches."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reconciler.store import lock as lock_module

from .conftest import Line, memory

BUY = ("apply", "-auto-approve", "-emulate")


@pytest.mark.parametrize(
    ("name", "mode", "said"),
    [("reconciler.db", 0o644, "read"), ("reconciler.db", 0o660, "changed"), ("purchases.jsonl", 0o666, "changed"), (".", 0o777, "changed")],
)
def test_memory_that_is_open_to_others_is_named(line: Line, project: Path, name: str, mode: int, said: str) -> None:
    assert line(*BUY).code == 0
    path = project / "state" / name
    assert line("plan", "-emulate").err == ""
    path.chmod(mode)
    for words in (("plan", "-emulate"), BUY, ("doctor",)):
        result = line(*words)
        assert f"can be {said} by other users (mode {mode:04o})" in re.sub(r"\s+", " ", result.text), words
        assert result.code == 0
    path.chmod(0o700 if name == "." else 0o600)
    assert "other users" not in line("plan", "-emulate", "-target=example-otter").text


def test_the_umask_of_a_ci_container_is_no_finding_but_a_readable_state_is(line: Line, project: Path) -> None:
    (project / "state").chmod(0o777)
    (project / "state" / "purchases.jsonl").chmod(0o666)
    assert line("plan", CI="true").err == ""
    (project / "state" / "reconciler.db").chmod(0o644)
    assert "can be read by other users" in line("plan", "-target=example-otter", CI="true").err


@pytest.mark.parametrize("kind", sorted(lock_module._NETWORK))
def test_a_state_on_a_network_file_system_is_refused(line: Line, project: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """As the kernel's table of mounts says it; here in a table of ours."""
    table = f"proc /proc proc rw 0 0\n/dev/sda1 / ext4 rw 0 0\nserver:/share {os.path.realpath(project / 'state')} {kind} rw 0 0\n"
    real = Path.read_text

    def read_text(self: Path, *words: Any, **options: Any) -> str:
        return table if str(self) == "/proc/self/mounts" else real(self, *words, **options)

    monkeypatch.setattr(Path, "read_text", read_text)
    before = memory(project)
    for words in (BUY, ("resume",), ("doctor",)):
        result = line(*words)
        assert result.code == 1, words
        assert f"network file system ({kind})" in re.sub(r"\s+", " ", result.text)
    assert memory(project) == before
    assert line("plan", "-emulate").code == 0, "reading is not refused"


def test_a_cache_that_came_with_a_checkout_is_not_believed(line: Line, project: Path) -> None:
    """git makes files of the umask, not 0600; whatever a repository puts there is read by nobody."""
    honest = line("plan", "-emulate").out
    entries = sorted((project / ".reconciler").glob("*.cache"))
    assert len(entries) == 3, "the plan, what the manifests were read as, and their names"
    for entry in entries:
        forged = entry.read_bytes().replace(b"example-otter", b"example-adder")
        assert b"example-adder" in forged
        entry.write_bytes(forged)
    assert line("plan", "-emulate").out == honest, "their checksums do not fit"
    for entry in entries:
        entry.unlink()
    assert line("plan", "-emulate").out == honest
    for entry in entries:
        entry.chmod(0o644)
    assert line("plan", "-emulate").out == honest


@pytest.mark.parametrize("junk", [b"", b"\x00" * 5000, b"reconciler cache 1\n", b"{}", b"[" * 100_000])
def test_a_damaged_cache_changes_nothing(line: Line, project: Path, junk: bytes) -> None:
    honest = line("plan", "-emulate").out
    for entry in (project / ".reconciler").glob("*.cache"):
        entry.write_bytes(junk)
    assert line("plan", "-emulate").out == honest


SCHEMA_TRICKS = {
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON attempts BEGIN DELETE FROM bindings; END",
    "a view": "CREATE VIEW v AS SELECT 1",
    "a table": "CREATE TABLE more (x)",
    "an index": "CREATE INDEX i ON jobs (id)",
    "a newer schema": "PRAGMA user_version = 99",
    "another program's": "PRAGMA application_id = 252006675",
}


@pytest.mark.parametrize("trick", SCHEMA_TRICKS)
def test_a_state_with_what_we_did_not_make_is_refused(line: Line, project: Path, trick: str) -> None:
    assert line(*BUY).code == 0
    connection = sqlite3.connect(project / "state" / "reconciler.db")
    connection.execute(SCHEMA_TRICKS[trick])
    connection.commit()
    connection.close()
    before = memory(project)
    for words in (("plan", "-emulate"), ("status",), BUY):
        result = line(*words)
        assert result.code == 1, (words, result)
    assert memory(project) == before


EDITS = {
    "a cheaper amount": lambda plan: plan["changes"][0].update(cost="0.01"),
    "another model": lambda plan: plan["changes"][0].update(name="example-adder"),
    "another action": lambda plan: plan["changes"][0].update(action="reuse"),
    "a change less": lambda plan: plan["changes"].clear(),
    "a change twice": lambda plan: plan["changes"].append(plan["changes"][0]),
    "another endpoint": lambda plan: plan.update(endpoint="https://evil.example.com"),
    "another spec": lambda plan: plan["changes"][0].update(spec_digest="sha256:" + "0" * 64),
    "another lineage": lambda plan: plan["state"].update(lineage="x"),
    "no refusals": lambda plan: plan.update(refusals=[]) or plan.update(created_at="2000-01-01T00:00:00Z"),
    "a number for a text": lambda plan: plan.update(environment=5),
    "another major version": lambda plan: plan.update(format_version="9.0"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_plan_buys_nothing(line: Line, project: Path, edit: str) -> None:
    assert line("plan", "-emulate", "-out=p.json").code == 0
    plan = json.loads((project / "p.json").read_text())
    EDITS[edit](plan)
    (project / "p.json").write_text(json.dumps(plan))
    before = memory(project)
    result = line("apply", "p.json", "-emulate")
    assert result.code == 5, result
    assert memory(project) == before


needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@needs_strace
def test_plan_connects_to_nothing_runs_nothing_and_writes_where_it_says(project: Path, line: Line, tmp_path: Path) -> None:
    """By the kernel's own account: no socket, no program, no lock, no write but in the cache, -out and -report."""
    assert line(*BUY).code == 0
    (project / "models" / "b.yaml").write_text("version: 1\nmodels:\n  heron:\n    dataset: https://d.example.com/h.zip\n")
    trace = tmp_path / "trace"
    calls = "socket,connect,sendto,sendmsg,bind,execve,fork,vfork,clone,clone3,flock,openat,open,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat"
    words = [sys.executable, "-m", "reconciler", "plan", "-emulate", "-out=p.json", "-report=markdown=r.md", "-report=junit=r.xml"]
    environment = {n: v for n, v in os.environ.items() if n not in ("PYTHONPATH", "PIXAZO_API_KEY")} | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={calls}", *words], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    if "ptrace" in done.stderr.lower():
        pytest.skip("tracing is not allowed here")
    assert done.returncode == 0, done.stderr
    rows = [re.sub(r"^\d+\s+", "", row) for row in trace.read_text().splitlines()]
    made = [row for row in rows if "= -1" not in row]
    names = [row.partition("(")[0] for row in made]
    assert not {"socket", "connect", "sendto", "sendmsg", "bind", "flock", "fork", "vfork"} & set(names)
    assert names.count("execve") == 1
    assert not [row for row in made if row.startswith("clone") and "CLONE_THREAD" not in row], "no child"
    written = [row for row in made if re.search(r"O_WRONLY|O_RDWR|O_CREAT", row)]
    allowed = re.compile(r'"(?:[^"]*/)?(?:\.p\.json\.|\.r\.md\.|\.r\.xml\.|\.reconciler/|/dev/null)|\.reconciler')
    assert [row for row in written if not allowed.search(row)] == []
    assert sum("reconciler.db" in row for row in rows) >= 1, "the trace does see the state being read"
