"""The ledger: durable before the answer, right for any number of threads and processes."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from decimal import Decimal

import pytest

from reconciler.emulator.books import Books, Submission
from reconciler.emulator.embedded import embedded
from reconciler.errors import ApiProblem, StateProblem
from reconciler.trainer import BUILT_IN

from .api import BODY, SUBMIT, Api, Clock, emulator

SERVE = """
import sys, threading
from pathlib import Path
from reconciler.emulator.server import Emulator
from reconciler.trainer import BUILT_IN
it = Emulator(books=Path(sys.argv[1]), trainers=BUILT_IN)
it.start()
print(it.url, flush=True)
threading.Event().wait()
"""


def serve(path):
    child = subprocess.Popen([sys.executable, "-c", SERVE, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    return child, Api(child.stdout.readline().strip())


def end(child) -> None:
    child.kill()
    child.wait()
    child.stdout.close()


def test_every_answered_id_is_in_the_books_after_kill_9(tmp_path):
    child, api = serve(tmp_path / "books.db")
    answered: list[str] = []

    def buy() -> None:
        while True:
            try:
                answered.append(api.job())
            except (OSError, ValueError, sys.modules["http.client"].HTTPException):
                return

    threads = [threading.Thread(target=buy) for _ in range(4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while len(answered) < 40 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    for thread in threads:
        thread.join()
    end(child)
    books = Books(tmp_path / "books.db")
    known = [e.request_id for e in books.charges()]
    books.close()
    assert len(answered) >= 40
    assert set(answered) <= set(known)
    assert len(known) <= len(answered) + 4, "beyond the answered ones there is at most what was in flight"


def test_two_processes_on_one_ledger_never_give_one_id_twice_and_know_each_others_jobs(tmp_path):
    first, one = serve(tmp_path / "books.db")
    second, two = serve(tmp_path / "books.db")
    try:
        ids: list[str] = []
        threads = [threading.Thread(target=lambda api=api: ids.extend(api.job() for _ in range(15))) for api in (one, two, one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(ids)) == 60
        assert all(api.status(i).status == 200 for api in (one, two) for i in ids)
        assert one.ledger()["created"] == 60
        assert one.ledger()["charged"] == two.ledger()["charged"] == "480.00"
        assert [e["number"] for e in two.ledger()["entries"]] == list(range(1, 61))
    finally:
        end(first)
        end(second)


def test_jobs_go_on_while_no_emulator_runs(tmp_path):
    clock = Clock()
    with emulator(tmp_path, clock=clock) as it:
        request_id = Api(it.url).job()
    clock.now += 100
    with emulator(tmp_path, clock=clock, speed=5.0) as it:
        assert Api(it.url).status(request_id).json["status"] == "PROCESSING", "a job keeps the course it was accepted with"
    clock.now += 1300
    with emulator(tmp_path, clock=clock) as it:
        assert Api(it.url).status(request_id).json["status"] == "COMPLETED"


def test_the_embedded_emulator_keeps_books_and_port_between_commands(tmp_path):
    with embedded(tmp_path / "state", BUILT_IN, speed=100_000.0) as first:
        request_id = Api(first).job()
    with embedded(tmp_path / "state", BUILT_IN, speed=1.0) as second:
        assert second == first
        told = Api(second).status(request_id).json
        assert told["status"] == "COMPLETED"
        with embedded(tmp_path / "state", BUILT_IN, speed=1.0) as meanwhile:
            assert meanwhile != second
            assert Api(meanwhile).status(request_id).status == 200
    assert (tmp_path / "state" / "emulator.db").stat().st_mode & 0o777 == 0o600


def test_a_submit_is_in_the_books_before_its_answer_leaves(tmp_path):
    """Every fault that swallows the answer leaves the charge on record, with the fault's name."""
    with emulator(tmp_path) as it:
        api = Api(it.url)
        api.faults({"do": "accept_then_close", "when": {"call": 1}}, {"do": "close_before_accepting", "when": {"call": 2}})
        for _ in range(2):
            with pytest.raises(ConnectionError):
                api.submit()
        taken, dropped = it.books.ledger()
        assert (taken.outcome, taken.fault, taken.amount, taken.request_id is not None) == ("accepted", "accept_then_close", Decimal("8.00"), True)
        assert (dropped.outcome, dropped.fault, dropped.amount, dropped.request_id) == ("dropped", "close_before_accepting", 0, None)
        assert it.books.charges() == [taken]
        assert taken.body_digest == dropped.body_digest


def test_an_answer_waits_for_the_commit(tmp_path):
    """While another process holds the file, no answer leaves; afterwards it does, and the entry is there."""
    with emulator(tmp_path) as it:
        api = Api(it.url)
        other = sqlite3.connect(tmp_path / "books.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TimeoutError):
            api.call("POST", SUBMIT, BODY, timeout=0.3)
        assert other.execute("SELECT count(*) FROM entries").fetchone() == (0,)
        other.execute("ROLLBACK")
        other.close()
        assert api.submit().status == 202
        assert len(it.books.charges()) == 2


def test_threads_share_commits_and_every_entry_gets_its_own_number(tmp_path):
    books = Books(tmp_path / "books.db")
    numbers: list[int] = []

    def write() -> None:
        numbers.extend(books.record(Submission(1.0, "/p", "t", "d")).number for _ in range(20))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 161)) == [e.number for e in books.ledger()]
    books.close()


def test_books_that_cannot_be_written_create_nothing_and_say_500(tmp_path):
    with emulator(tmp_path) as it:
        api = Api(it.url)
        other = sqlite3.connect(tmp_path / "books.db", isolation_level=None)
        other.execute("CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT raise(ABORT, 'disk full'); END")
        assert api.submit().status == 500
        other.execute("DROP TRIGGER full")
        other.close()
        assert api.submit().status == 202
        assert len(it.books.ledger()) == 1


@pytest.mark.parametrize("content", [b"not a database at all, but a longer text file", None])
def test_a_foreign_file_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "books.db"
    if content is None:
        db = sqlite3.connect(path)
        db.execute("CREATE TABLE precious (x)")
        db.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(StateProblem, match="not the ledger of an emulator"):
        Books(path)
    assert path.read_bytes() == before
    with pytest.raises(StateProblem, match="cannot be opened"):
        Books(tmp_path / "no" / "folder")


def test_the_ledger_holds_no_key_and_no_signature(tmp_path):
    with emulator(tmp_path) as it:
        Api(it.url).submit(image_data_url="https://user:word@data.example.com/a.zip?X-Amz-Signature=secret", note="\ud800")
        told = json.dumps(Api(it.url).ledger())
    stored = (tmp_path / "books.db").read_bytes()
    assert "data.example.com/a.zip" in told
    assert b"secret" not in stored
    assert b"user:word" not in stored


def test_a_taken_port_is_told(tmp_path):
    with emulator(tmp_path) as it:
        port = int(it.url.rpartition(":")[2])
        with pytest.raises(ApiProblem, match=f"cannot listen on 127.0.0.1:{port}"):
            emulator(tmp_path, port=port).start()
