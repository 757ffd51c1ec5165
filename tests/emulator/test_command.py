"""`reconciler emulator` as a process: URL first, clean stop, a ledger that stays, input that is refused."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time

import pytest

from reconciler.commands.emulator import run
from reconciler.emulator.books import Books
from reconciler.errors import ApiProblem, Invalid, Usage

from .api import BODY, SUBMIT, Api, emulator

RUN = """
import sys
from pathlib import Path
from reconciler.commands.emulator import run
ledger, faults = (Path(a) if a else None for a in sys.argv[1:])
sys.exit(run(port=0, protocol="both", speed=250.0, ledger=ledger, faults=faults, out=sys.stdout))
"""


def started(ledger="", faults="", **environment):
    child = subprocess.Popen([sys.executable, "-c", RUN, str(ledger), str(faults)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return child, Api(child.stdout.readline().strip())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_url_comes_first_and_a_signal_ends_it_with_0(tmp_path, number):
    plan = tmp_path / "faults.json"
    plan.write_text('[{"do": "rate_limit", "times": 1}]')
    child, api = started(tmp_path / "ledger.db", plan)
    assert [api.submit().status for _ in range(2)] == [429, 202]
    child.send_signal(number)
    out, err = child.communicate(timeout=20)
    assert (child.returncode, out) == (0, "")
    assert f"RECONCILER_ENDPOINT={api.url}" in err
    assert "Traceback" not in err
    books = Books(tmp_path / "ledger.db")
    assert len(books.charges()) == 1
    books.close()


def test_it_stops_at_once_in_the_middle_of_a_hanging_answer(tmp_path):
    child, api = started()
    api.faults({"do": "delay", "seconds": 600})
    with pytest.raises(TimeoutError):
        api.call("POST", SUBMIT, BODY, timeout=0.2)
    before = time.monotonic()
    child.terminate()
    _, err = child.communicate(timeout=20)
    assert child.returncode == 0
    assert time.monotonic() - before < 10
    assert "Traceback" not in err


@pytest.mark.parametrize("change", [{"port": 70000}, {"protocol": "g3"}, {"speed": 0.0}, {"speed": float("nan")}, {"speed": -1.0}])
def test_impossible_arguments_are_usage_errors(change):
    with pytest.raises(Usage):
        run(**{"port": 0, "protocol": "g2", "speed": 1.0, "ledger": None, "faults": None, "out": io.StringIO(), **change})


def test_a_bad_fault_plan_or_a_taken_port_stops_it_before_it_serves(tmp_path):
    plan = tmp_path / "faults.json"
    out = io.StringIO()
    arguments = {"port": 0, "protocol": "g2", "speed": 1.0, "ledger": None, "faults": plan, "out": out}
    with pytest.raises(ApiProblem, match="cannot be read"):
        run(**arguments)
    plan.write_text('[{"do": "nothing"}]')
    with pytest.raises(Invalid):
        run(**arguments)
    with emulator(tmp_path) as it, pytest.raises(ApiProblem, match="cannot listen"):
        run(**{**arguments, "faults": None, "port": int(it.url.rpartition(":")[2])})
    assert out.getvalue() == ""
