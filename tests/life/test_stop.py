"""Stopping is always safe (P7), and what was being sent when it was not clean is in doubt (P3)."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from reconciler.emulator.faults import Fault
from reconciler.emulator.server import Emulator
from tests.life.folder import Folder

MANY = {f"m{i:02d}": {"steps": 100 + i} for i in range(30)}


def wait_for_charges(emulator: Emulator, count: int) -> None:
    until = time.monotonic() + 30
    while len(emulator.books.charges()) < count and time.monotonic() < until:
        time.sleep(0.005)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_leaves_nothing_in_doubt(one_folder: Folder, one_emulator: Emulator, number: signal.Signals, code: int) -> None:
    """P7: answers in flight are awaited and recorded; no new purchase; a summary."""
    one_emulator.latency_seconds = 0.3
    one_folder.models(**MANY)
    process = one_folder.start("apply", "-auto-approve")
    wait_for_charges(one_emulator, 6)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    charged = len(one_emulator.books.charges())
    assert 6 <= charged < 30
    assert len(one_folder.jobs()) == charged
    assert "Apply:" in err
    assert one_folder.run("status", "-json").json["in_doubt"] == []
    one_emulator.latency_seconds = 0.0
    assert one_folder.apply().code == 0
    assert len(one_emulator.books.charges()) == 30


def test_the_second_signal_ends_at_once_and_what_was_in_flight_is_in_doubt(one_folder: Folder, one_emulator: Emulator) -> None:
    one_emulator.plan.replace([Fault("delay", settings={"seconds": 20.0})])
    one_folder.models(otter={"steps": 100}, heron={"steps": 101})
    process = one_folder.start("apply", "-auto-approve")
    wait_for_charges(one_emulator, 2)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143
    assert time.monotonic() - started < 6
    assert one_folder.run("plan", "-json").json["summary"]["in_doubt"] == 2
    assert one_folder.run("status").code == 7


@pytest.mark.parametrize("way", ["found", "not submitted"])
def test_a_killed_purchase_is_in_doubt_blocks_its_model_alone_and_ends_both_ways(one_folder: Folder, one_emulator: Emulator, way: str) -> None:
    """P1, P3: kill -9 while an answer is awaited."""
    one_emulator.plan.replace([Fault("delay", settings={"seconds": 20.0})])
    one_folder.models(otter={"steps": 100})
    process = one_folder.start("apply", "-auto-approve")
    wait_for_charges(one_emulator, 1)
    process.kill()
    process.communicate()
    one_emulator.plan.replace([])
    one_folder.models(otter={"steps": 100}, heron={"steps": 200}, twin={"steps": 100})
    plan = one_folder.plan()
    assert {c["name"]: c["action"] for c in plan["changes"]} == {"otter": "in_doubt", "twin": "in_doubt", "heron": "train"}
    assert plan["cost"]["worst"] == "16.00"
    assert one_folder.apply().code == 7
    assert len(one_emulator.books.charges()) == 2
    request_id = one_emulator.books.charges()[0].request_id
    assert request_id is not None
    assert one_folder.run("resolve", "otter", "-request-id", "no-such-id", "-reason", "guess").code == 1
    if way == "found":
        assert one_folder.run("resolve", "otter", "-request-id", request_id, "-reason", "dashboard").code == 0
        assert one_folder.actions()["twin"] == "reuse"
        assert one_folder.apply("-wait=60s").code == 0
        assert len(one_emulator.books.charges()) == 2
    else:
        assert one_folder.run("resolve", "otter", "-not-submitted", "-reason", "ticket 4711").code == 64
        assert one_folder.run("resolve", "otter", "-not-submitted", "-reason", "ticket 4711", "-auto-approve").code == 0
        assert one_folder.actions()["otter"] == "train"
        assert one_folder.apply("-wait=60s").code == 0
        assert len(one_emulator.books.charges()) == 3
    assert one_folder.actions() == {}


def test_a_closed_stdout_never_stops_the_recording(one_folder: Folder, one_emulator: Emulator) -> None:
    one_folder.models(**{k: MANY[k] for k in list(MANY)[:5]})
    process = one_folder.start("apply", "-auto-approve", "-json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr as stream:
        err = stream.read()
    process.wait(timeout=60)
    assert "Traceback" not in err
    assert len(one_folder.jobs()) == 5 == len(one_emulator.books.charges())


def test_plan_needs_no_network_no_key_and_writes_nothing(one_folder: Folder, one_emulator: Emulator) -> None:
    """P9: in a network namespace without interfaces, without a key, on a read-only look at the folder."""
    one_folder.models(otter={"steps": 100})
    assert one_folder.apply("-wait=60s").code == 0
    one_folder.models(otter={"steps": 100}, heron={"steps": 200})
    one_folder.key = None
    before = {p: p.read_bytes() for p in one_folder.path.rglob("*") if p.is_file() and ".reconciler" not in p.parts}
    if os.geteuid() != 0:
        pytest.skip("a network namespace needs root")
    import subprocess
    import sys

    done = subprocess.run(
        ["unshare", "-n", "--", sys.executable, "-m", "reconciler", "plan", "-json"],
        cwd=one_folder.path,
        env=one_folder.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done
    assert '"heron"' in done.stdout
    assert {p: p.read_bytes() for p in one_folder.path.rglob("*") if p.is_file() and ".reconciler" not in p.parts} == before


@pytest.mark.parametrize("key", ["short", "has blank inside", "naïve-kéy-with-accents", "tab\tinside-the-key", "k" * 300])
def test_a_key_that_cannot_be_used_is_refused_and_never_shown(one_folder: Folder, one_emulator: Emulator, key: str, tmp_path: Path) -> None:
    """P11."""
    one_folder.models(otter={"steps": 100})
    one_folder.key = key
    result = one_folder.apply(RECONCILER_LOG="debug", RECONCILER_LOG_PATH=str(tmp_path / "log"))
    assert result.code == 1
    assert key not in result.text
    assert not one_emulator.books.charges()
    written = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert key.encode() not in written


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\x00", "\n\n"])
def test_a_key_file_may_end_in_one_line_break(one_folder: Folder, one_emulator: Emulator, tmp_path: Path, ending: str) -> None:
    secret = "file-key-abcdef-0123456789"
    path = tmp_path.parent / f"{tmp_path.name}-key"
    path.write_text(secret + ending)
    path.chmod(0o600)
    one_folder.key = None
    one_folder.models(otter={"steps": 100})
    result = one_folder.apply(RECONCILER_API_KEY_FILE=str(path))
    assert result.code == (0 if ending in ("\n", "\r\n") else 1)
    assert secret not in result.text
    assert secret.encode() not in b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    path.chmod(0o644)
    refused = one_folder.run("refresh", RECONCILER_API_KEY_FILE=str(path))
    assert refused.code in (0, 1)
    assert secret not in refused.text
    path.unlink()


def test_a_budget_is_asked_before_every_single_purchase(one_folder: Folder, one_emulator: Emulator) -> None:
    """P8: money that a doubt may have spent counts; the purchase that would exceed the limit is not sent."""
    one_folder.models(**{k: MANY[k] for k in list(MANY)[:5]})
    assert one_folder.apply("-max-cost=39.99").code == 4
    assert not one_emulator.books.charges()
    assert one_folder.apply("-max-cost=40").code == 0
    assert len(one_emulator.books.charges()) == 5
