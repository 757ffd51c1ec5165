"""Network faults at the first, a middle and the last purchase, on both protocols: what it is, how often it is sent, what else happens.

The default run keeps a sample; `-m slow` is every row at every place. Faults of a poll never change a phase and never buy.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.run import run
from reconciler.journal.file import FileJournal
from reconciler.state import State
from reconciler.store.sqlite import SqliteStore
from tests.life.folder import Folder
from tests.pixazo.raw_server import Peer, RawServer, reply

MODELS = 3
DOUBT, REFUSED = "in_doubt", "rejected"
BOMB = zlib.compress(b"\0" * 50_000_000, wbits=31)


def sends(data: bytes) -> Callable[[Peer], None]:
    return lambda peer: peer.send(data)


def endless(peer: Peer) -> None:
    """A body that says it is 10 GB and goes on until nobody reads any more."""
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10000000000\r\n\r\n")
    for _ in range(100_000):
        peer.send(b" " * 65_536)


def many_1xx(peer: Peer) -> None:
    """A flood of interim answers, then nothing."""
    peer.send(b"HTTP/1.1 102 Processing\r\n\r\n" * 2000)


def refused(status: int) -> Callable[[Peer], None]:
    return sends(reply(status, {"error": "no"}))


FAULTS: dict[str, tuple[Callable[[Peer], object], str]] = {
    "reset": (Peer.reset, DOUBT),
    "closed": (lambda peer: None, DOUBT),
    "half a head": (sends(b"HTTP/1.1 200 OK\r\nContent-"), DOUBT),
    "half a body": (sends(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"sta'), DOUBT),
    "a slow body that breaks off": (lambda peer: peer.drip(bytes([b]) for b in b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"st'), DOUBT),
    "a flood of 1xx": (many_1xx, DOUBT),
    "10 GB": (endless, DOUBT),
    "a gzip bomb": (sends(reply(200, BOMB, {"Content-Type": "application/json", "Content-Encoding": "gzip"})), DOUBT),
    "200 kB of head": (sends(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 200_000 + b"\r\n\r\n"), DOUBT),
    "no id": (sends(reply(200, {"status": "IN_QUEUE"})), DOUBT),
    "HTML": (sends(reply(200, b"<html>", {"Content-Type": "text/html"})), DOUBT),
    "303": (sends(reply(303, headers={"Location": "/"})), DOUBT),
    "307": (sends(reply(307, headers={"Location": "/"})), REFUSED),
    **{str(s): (refused(s), DOUBT) for s in (408, 409, 423, 425, 500, 502, 503, 504, 524)},
    **{str(s): (refused(s), REFUSED) for s in (400, 404, 405, 406, 410, 411, 413, 414, 415, 417, 422, 431)},
}
SAMPLE = [
    ("reset", 1, "g1"),
    ("half a body", 0, "g2"),
    ("10 GB", 2, "g1"),
    ("a gzip bomb", 1, "g2"),
    ("502", 0, "g1"),
    ("422", 1, "g2"),
    ("a flood of 1xx", 2, "g2"),
]
EVERY = [(fault, place, protocol) for fault in FAULTS for place in range(MODELS) for protocol in ("g1", "g2")]


class Trainer:
    """Answers submits and polls of one protocol generation; the submit at `place` meets the fault."""

    def __init__(self, protocol: str, place: int | None = None, fault: Callable[[Peer], object] | None = None) -> None:
        self.protocol, self.place, self.fault = protocol, place, fault
        self.poll: Callable[[Peer, str], object] = self.pending
        self.submits: list[bytes] = []
        self.polls = 0
        self._lock = threading.Lock()
        self.url = ""

    def __call__(self, peer: Peer) -> bool:
        request = peer.read_request()
        if request is None:
            return False
        if not request.path.endswith("-request"):
            self.polls += 1
            request_id = json.loads(request.body)["request_id"] if request.body else request.path.rpartition("/")[2]
            self.poll(peer, request_id)
            return False
        with self._lock:
            number = len(self.submits)
            self.submits.append(request.body)
        if number == self.place and self.fault is not None:
            self.fault(peer)
        elif self.protocol == "g1":
            peer.send(reply(200, {"status": "IN_QUEUE", "request_id": f"id-{number}", "message": "queued"}))
        else:
            peer.send(reply(202, {"request_id": f"id-{number}", "status": "QUEUED", "polling_url": f"{self.url}/v2/requests/status/id-{number}"}))
        return False

    def pending(self, peer: Peer, request_id: str) -> None:
        peer.send(reply(200, {"request_id": request_id, "status": "IN_PROGRESS" if self.protocol == "g1" else "PROCESSING"}))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    folder = Folder.new(tmp_path / "project")
    folder.models(**{f"m{i}": {"steps": 100 + i} for i in range(MODELS)})
    monkeypatch.chdir(folder.path)
    return folder


@pytest.fixture
def serve() -> Iterator[Callable[[Trainer], Trainer]]:
    servers: list[RawServer] = []

    def start(trainer: Trainer) -> Trainer:
        server = RawServer([trainer]).__enter__()
        servers.append(server)
        trainer.url = server.url
        return trainer

    yield start
    for server in servers:
        server.__exit__()


def call(folder: Folder, trainer: Trainer, *words: str) -> int:
    return run(list(words), folder.environment(RECONCILER_ENDPOINT=trainer.url))


def state_of(folder: Folder) -> State:
    return SqliteStore(folder.path / "state" / "reconciler.db", FileJournal(folder.path / "state" / "purchases.jsonl"), now=str).view()


def check(folder: Folder, trainer: Trainer, verdict: str, capfd: pytest.CaptureFixture[str]) -> None:
    code = call(folder, trainer, "apply", "-auto-approve", "-parallelism=1")
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    state = state_of(folder)
    ends = sorted(str(a.status) for a in state.attempts.values())
    assert ends == sorted([verdict] + ["accepted"] * (MODELS - 1)), err
    assert len(trainer.submits) == MODELS == len({bytes(b) for b in trainer.submits})
    assert len(state.jobs) == MODELS - 1
    assert code == (7 if verdict == DOUBT else 1), err
    trainer.fault = None
    again = call(folder, trainer, "apply", "-auto-approve", "-parallelism=1")
    capfd.readouterr()
    assert len(trainer.submits) == MODELS + (verdict == REFUSED)
    assert again == (7 if verdict == DOUBT else 0)


@pytest.mark.parametrize(("fault", "place", "protocol"), SAMPLE)
def test_a_fault_of_one_purchase_is_that_of_one_model(folder: Folder, serve: Any, capfd: Any, fault: str, place: int, protocol: str) -> None:
    """P1, P3: a verdict, one POST, and everything else is bought."""
    act, verdict = FAULTS[fault]
    check(folder, serve(Trainer(protocol, place, act)), verdict, capfd)


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "place", "protocol"), EVERY)
def test_every_fault_at_every_place_on_both_protocols(folder: Folder, serve: Any, capfd: Any, fault: str, place: int, protocol: str) -> None:
    act, verdict = FAULTS[fault]
    check(folder, serve(Trainer(protocol, place, act)), verdict, capfd)


@pytest.mark.parametrize("fault", ["reset", "closed", "half a body", "HTML", "500", "502", "no JSON", "another id", "10 GB", "a gzip bomb", "1xx"])
@pytest.mark.parametrize("protocol", ["g1", "g2"])
def test_a_fault_of_a_poll_changes_no_phase_and_buys_nothing(folder: Folder, serve: Any, capfd: Any, fault: str, protocol: str) -> None:
    trainer = serve(Trainer(protocol))
    assert call(folder, trainer, "apply", "-auto-approve") == 0
    before = {job.id: job.phase for job in state_of(folder).jobs.values()}
    act: Callable[[Peer], object] = {
        "no JSON": sends(reply(200, b"{", {"Content-Type": "application/json"})),
        "another id": sends(reply(200, {"request_id": "somebody-elses", "status": "FAILED", "error": "x"})),
        "1xx": sends(b"HTTP/1.1 102 Processing\r\n\r\n" * 100),
    }.get(fault) or FAULTS[fault][0]
    trainer.poll = lambda peer, _: act(peer)
    assert call(folder, trainer, "refresh") in (0, 1)
    assert {job.id: job.phase for job in state_of(folder).jobs.values()} == before
    assert len(trainer.submits) == MODELS
    trainer.poll = trainer.pending
    assert call(folder, trainer, "refresh") == 0
    assert "Traceback" not in "".join(capfd.readouterr())


def peak_kilobytes(folder: Folder, trainer: Trainer) -> int:
    """The most memory that one apply took, in a process of its own."""
    code = "import resource, sys; from reconciler.cli.run import run; run(sys.argv[1:]); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    words = [sys.executable, "-c", code, "apply", "-auto-approve", "-json"]
    done = subprocess.run(words, cwd=folder.path, env=folder.environment(RECONCILER_ENDPOINT=trainer.url), capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("fault", ["10 GB", "a gzip bomb", "200 kB of head", "a flood of 1xx"])
def test_an_answer_of_any_size_takes_little_memory(folder: Folder, serve: Any, tmp_path: Path, fault: str) -> None:
    """Compared with an apply whose answers are small."""
    usual = peak_kilobytes(Folder(folder.path), serve(Trainer("g1")))
    folder.models(**{f"n{i}": {"steps": 200 + i} for i in range(MODELS)})
    assert peak_kilobytes(folder, serve(Trainer("g1", 1, FAULTS[fault][0]))) < usual + 20_000
