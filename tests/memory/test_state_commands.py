"""`state` as a user types it: looks change nothing, surgery is facts, a job is never lost."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reconciler.cli.run import run
from reconciler.fact import intent, outcome
from reconciler.job import Sent
from reconciler.journal.file import FileJournal
from reconciler.store.lock import locked
from reconciler.store.sqlite import SqliteStore
from tests.memory.ledger import NOW, OWNER, accepted, attempt

PROJECT = "version: 1\nstate:\n  lineage: {lineage}\n"


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


State = Callable[..., Result]


def store_in(folder: Path) -> SqliteStore:
    return SqliteStore(folder / "state" / "reconciler.db", FileJournal(folder / "state" / "purchases.jsonl"), now=lambda: NOW)


def buy(folder: Path, number: int, *, digest: str | None = None) -> None:
    with store_in(folder).hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(number, digest=digest))])
        writer.record_outcome(accepted(number))


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    """`reconciler state WORDS` in a project where model-1 and model-2 were bought, in this process."""

    def call(*words: str, command: str = "state") -> Result:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True) for _ in range(2)]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            patch.chdir(tmp_path / "a")
            code = run([command, *words], {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})
        out, err = (stream.buffer.getvalue().decode("utf-8") for stream in streams)  # type: ignore[attr-defined]
        assert "Traceback" not in out + err
        assert code != 70, err
        return Result(code, out, err)

    (tmp_path / "a").mkdir()
    assert call(command="init").code == 0
    for number in (1, 2):
        buy(tmp_path / "a", number)
    return call


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (folder / "state").iterdir() if p.name != "lock"}


def test_list_names_what_is_bound_one_a_line(state: State) -> None:
    assert state("list").out == "model-1\nmodel-2\n"
    assert [b["job"] for b in state("list", "-json").json["bindings"]] == ["j-1", "j-2"]


def test_show_gives_the_job_and_every_attempt(state: State) -> None:
    text = state("show", "model-1").out
    assert "request-1" in text
    assert "at-1" in text
    document = state("show", "model-1", "-json").json
    assert document["job"]["request_id"] == "request-1"
    assert [a["attempt"] for a in document["attempts"]] == ["at-1"]


def test_a_name_that_is_not_there_is_exit_1_with_the_nearest(state: State) -> None:
    result = state("show", "model-11")
    assert result.code == 1
    assert "model-1" in result.err.partition("did you mean")[2]
    assert state("rm", "model-1", "nothing").code == 1
    assert state("list").out == "model-1\nmodel-2\n"


def test_mv_lets_another_name_point_to_the_job(state: State) -> None:
    assert state("mv", "model-1", "model-9").code == 0
    assert state("list").out == "model-2\nmodel-9\n"
    bound = {b["name"]: b["job"] for b in state("list", "-json").json["bindings"]}
    assert bound["model-9"] == "j-1"
    assert state("mv", "model-9", "model-2").code == 1
    assert state("mv", "model-9", "Not A Name").code == 1
    assert state("verify").code == 0


def test_rm_forgets_the_name_and_keeps_the_job(state: State) -> None:
    result = state("rm", "model-1")
    assert (result.code, "stays in the ledger" in result.out) == (0, True)
    assert state("list").out == "model-2\n"
    jobs = state("list", "-json", command="jobs").json["jobs"]
    assert [(j["job"], j["bound_to"]) for j in jobs] == [("j-1", []), ("j-2", ["default/model-2"])]
    assert "no name; bought for default/model-1" in state("list", command="jobs").out.replace("\n", " ")
    assert json.loads(state("show", "j-1", "-json", command="jobs").out)["jobs"][0]["request_id"] == "request-1"


@pytest.mark.parametrize("words", [("mv", "model-1", "x"), ("rm", "model-1", "model-2"), ("rebuild",), ("backup",), ("merge", "../b")])
def test_a_dry_run_says_what_would_be_and_changes_nothing(state: State, tmp_path: Path, words: tuple[str, ...]) -> None:
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    buy(tmp_path / "b", 7)
    before = files(tmp_path / "a")
    for more in ((), ("-json",)):
        result = state(*words, "-dry-run", *more)
        assert result.code == 0, result
    assert result.json["dry_run"] is True
    assert files(tmp_path / "a") == before


def test_verify_finds_what_is_wrong(state: State, tmp_path: Path) -> None:
    assert state("verify").code == 0
    assert state("verify", "-json").json["ok"] is True
    path = tmp_path / "a" / "state" / "purchases.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"request-1", b"request-X"))
    result = state("verify", "-json")
    assert result.code == 1
    assert "altered" in result.out
    path.write_bytes(whole)
    assert state("verify").code == 0


def test_rebuild_makes_a_broken_state_whole(state: State, tmp_path: Path) -> None:
    path = tmp_path / "a" / "state" / "reconciler.db"
    path.write_bytes(b"junk" * 100)
    assert state("verify").code == 1
    assert "Folded" in state("rebuild").out
    assert state("verify").code == 0
    assert state("list").out == "model-1\nmodel-2\n"


def test_a_backup_is_whole_private_and_never_overwritten(state: State, tmp_path: Path) -> None:
    path = tmp_path / "backup.tar.gz"
    assert state("backup", str(path)).code == 0
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    assert state("backup", str(path)).code == 1
    assert path.read_bytes() == before
    (tmp_path / "restored").mkdir()
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path / "restored" / "state", **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    assert len(store_in(tmp_path / "restored").verify().jobs) == 2
    assert state("backup").code == 0
    assert [p for p in (tmp_path / "a" / "state").iterdir() if p.name.startswith(".backup")] == []


def test_merge_takes_over_what_the_other_copy_bought_and_names_what_was_bought_twice(state: State, tmp_path: Path) -> None:
    """P6: in either direction, by folder or by journal, and once more for nothing."""
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    buy(tmp_path / "a", 5, digest="sha256:same")
    buy(tmp_path / "b", 6, digest="sha256:same")
    other = files(tmp_path / "b")
    result = state("merge", "../b", "-json").json
    assert result["jobs_added"] == ["j-6"]
    assert [(d["attempt"], d["amount"]) for d in result["duplicates"]] in ([("at-5", "8.00")], [("at-6", "8.00")])
    assert result["duplicated_amount"] == "8.00"
    assert files(tmp_path / "b") == other
    again = state("merge", "../b")
    assert "Nothing new" in again.out
    assert "bought twice" in again.out
    assert "bought the same twice" in state("list").err
    assert state("-chdir=../b", "merge", "../a/state/purchases.jsonl").code == 0
    jobs = [store_in(tmp_path / name).verify().jobs for name in ("a", "b")]
    assert jobs[0].keys() == jobs[1].keys() == {"j-1", "j-2", "j-5", "j-6"}


def test_what_the_other_copy_was_sending_is_in_doubt_and_its_late_answer_is_believed(state: State, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    with store_in(tmp_path / "b").hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(6))])
        sending = (tmp_path / "b" / "state" / "purchases.jsonl").read_bytes()
        (tmp_path / "copy.jsonl").write_bytes(sending)
        assert state("merge", "../b").code == 6
        result = state("merge", "../copy.jsonl", "-json").json
        assert [d["attempt"] for d in result["in_doubt_added"]] == ["at-6"]
        writer.record_outcome(accepted(6))
    assert state("merge", "../b", "-json").json["jobs_added"] == ["j-6"]
    assert not store_in(tmp_path / "a").verify().doubts


def test_answers_that_the_other_copy_could_not_write_down_come_along(state: State, tmp_path: Path) -> None:
    """P2: an id in a torn last line, and one that was kept in the state because the journal's disk broke."""
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    broken = store_in(tmp_path / "b")
    with broken.hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(attempt(6)), intent(attempt(7))])
        path = tmp_path / "b" / "state" / "purchases.jsonl"
        whole = path.read_bytes()
        with path.open("ab") as file:
            file.write(b"x")
        with pytest.raises(Exception, match="safe in the state"):
            writer.record_outcome(accepted(6))
    path.write_bytes(whole + b'{"at":"2026-11-24T10:00:00Z","data":{"attempt":"at-7","request_id":"request-7","verd')
    result = state("merge", "../b", "-json").json
    assert result["jobs_added"] == ["j-6"]
    merged = store_in(tmp_path / "a").verify()
    assert merged.jobs["j-6"].request_id == "request-6"
    assert merged.attempts["at-7"].salvaged == "request-7"


def test_merge_refuses_another_project_and_another_world(state: State, tmp_path: Path) -> None:
    before = files(tmp_path / "a")
    (tmp_path / "foreign").mkdir()
    assert state("-chdir=" + str(tmp_path / "foreign"), command="init").code == 0
    result = state("merge", "../foreign")
    assert (result.code, "common beginning" in result.err) == (1, True)
    assert state("merge", "../nowhere").code == 64
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    for name in ("purchases.jsonl", "reconciler.db"):
        (tmp_path / "b" / "state" / name).unlink()
    lines = (tmp_path / "a" / "state" / "purchases.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "b" / "state" / "purchases.jsonl").write_bytes(lines[0])
    with store_in(tmp_path / "b").hold(OWNER, wait_seconds=0) as writer:
        writer.record([intent(replace(attempt(6), world="emulated")), outcome(NOW, "at-6", Sent.REJECTED)])
    assert "another world" in state("merge", "../b").err
    assert files(tmp_path / "a") == before


def test_surgery_waits_for_the_lock(state: State, tmp_path: Path) -> None:
    with locked(tmp_path / "a" / "state" / "lock", OWNER, wait_seconds=0):
        assert state("rm", "model-1").code == 6
        assert state("backup").code == 6
        assert state("list").code == 0


@pytest.mark.parametrize("words", [("show",), ("mv", "x"), ("rm",), ("merge",), ("list", "x"), ("explode",), ("list", "-dry-run")])
def test_words_that_make_no_sense_are_usage(state: State, words: tuple[str, ...]) -> None:
    assert state(*words).code == 64
