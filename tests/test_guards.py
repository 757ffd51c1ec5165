"""The guards of the suite work: each is provoked once, in this process or in a child."""

import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]


@pytest.mark.parametrize("address", ["192.0.2.1", "8.8.8.8", "2001:db8::1", "gateway.pixazo.ai"])
def test_a_connection_beyond_loopback_raises(address, trespass):
    """No test can talk to the world, by address or by name."""
    with pytest.raises(trespass, match="only loopback"):
        socket.create_connection((address, 443), timeout=1)


def test_a_datagram_beyond_loopback_raises(trespass):
    """The same holds without a connection."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(trespass):
        sock.sendto(b"x", ("192.0.2.1", 9))


def test_a_server_beyond_loopback_raises(trespass):
    """Nothing listens where other machines could reach it."""
    with socket.socket() as sock, pytest.raises(trespass):
        sock.bind(("0.0.0.0", 0))


def test_a_name_that_cannot_exist_is_not_found():
    """`.invalid` fails as it does in the world, without asking anybody."""
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("api.invalid", 443)


def test_loopback_works():
    """The guard lets real servers on loopback be."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), timeout=5) as client:
        assert client.getpeername() == server.getsockname()


@pytest.mark.parametrize("name", ["reconciler.db", "purchases.jsonl", "lock", "emulator.db"])
def test_opening_the_state_of_the_checkout_raises(name, repo, trespass, monkeypatch):
    """No test can touch the default state path, absolute or relative."""
    with pytest.raises(trespass, match="default state"):
        os.open(repo / "state" / name, os.O_RDONLY)
    monkeypatch.chdir(repo / "state")
    with pytest.raises(trespass, match="default state"):
        Path(name).read_bytes()


def test_opening_the_state_of_the_checkout_with_sqlite_raises(repo, trespass):
    """SQLite opens files by itself; the guard sees that too, also behind a URI."""
    for database in (str(repo / "state" / "reconciler.db"), f"file:{repo}/state/reconciler.db?mode=ro"):
        with pytest.raises(trespass, match="default state"):
            sqlite3.connect(database, uri=database.startswith("file:"))


@pytest.mark.parametrize("code", ["import socket; socket.create_connection(('192.0.2.1', 443), 1)", "open('state/reconciler.db', 'a')"])
def test_children_have_the_same_guards(code, repo):
    """A Python child trespasses no more than its parent."""
    done = subprocess.run([sys.executable, "-c", code], cwd=repo, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Trespass" in done.stderr


def test_the_environment_holds_the_random_key_and_nothing_of_the_machine(suite_key):
    """Every test and every child runs with the suite's key, and with no other setting of the tool or of a CI."""
    assert os.environ["PIXAZO_API_KEY"] == suite_key
    assert len(suite_key) > 30
    assert [n for n in os.environ if n == "CI" or n.startswith(("RECONCILER_", "GITHUB_"))] == []


def _suite_of_one(pytester, monkeypatch, repo, body, *words):
    """Run one test under the suite's own conftest, loaded as a plugin."""
    pytester.makepyfile(body)
    monkeypatch.delenv("KEY_OF_THIS_RUN")  # it gets a key of its own: ours must not stand in any file, not even there
    monkeypatch.setenv("PYTHONPATH", str(repo / "tests"), prepend=os.pathsep)
    return pytester.runpytest_subprocess("-p", "conftest", "-p", "no:cacheprovider", *words)


def test_a_test_that_writes_the_key_fails(pytester, monkeypatch, repo):
    """The key in a file below tmp_path is an error of that test."""
    result = _suite_of_one(pytester, monkeypatch, repo, "def test_leak(tmp_path, suite_key):\n    (tmp_path / 'log').write_text('x' + suite_key)")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*the API key was written to*log*"])


def test_a_test_that_prints_the_key_fails_without_repeating_it(pytester, monkeypatch, repo):
    """The key on stdout or stderr fails the test, and the report does not print it again."""
    result = _suite_of_one(pytester, monkeypatch, repo, "def test_leak(suite_key):\n    print(suite_key)")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the API key was printed*"])
    result.stdout.no_re_match_line("suite[0-9a-f]{32}")


def test_a_test_that_keeps_the_key_to_itself_passes(pytester, monkeypatch, repo):
    """The guards do not stand in the way of an honest test."""
    result = _suite_of_one(pytester, monkeypatch, repo, "def test_fine(tmp_path, suite_key):\n    print('ok')\n    (tmp_path / 'log').write_text('ok')")
    result.assert_outcomes(passed=1)


LEAKS = {
    "base64": "import base64; out = base64.b64encode(b'user:' + suite_key.encode()).decode()",
    "URL": "import urllib.parse; out = urllib.parse.quote(suite_key, safe='')",
    "JSON": "import json; out = json.dumps({'a': suite_key + chr(34)})",
    "repr": "out = repr({'a': suite_key})",
}


@pytest.mark.parametrize("shape", LEAKS)
@pytest.mark.parametrize("way", ["print(out)", "(tmp_path / 'x').write_text(out)", "import logging; logging.getLogger('httpcore').debug(out)"])
def test_the_key_is_found_in_every_shape(pytester, monkeypatch, repo, shape, way):
    """Encoded, on the screen, in a file, in a log at debug level."""
    pytester.makeini("[pytest]\nlog_level = DEBUG")
    result = _suite_of_one(pytester, monkeypatch, repo, f"def test_leak(tmp_path, suite_key):\n    {LEAKS[shape]}\n    {way}")
    counts = result.parseoutcomes()
    assert counts.get("failed", 0) + counts.get("errors", 0) == 1
    result.stdout.no_re_match_line("suite[0-9a-f]{32}")


SAYS = "child = subprocess.Popen([sys.executable, '-uc', 'import os, sys; print(os.environ[\"PIXAZO_API_KEY\"], file=sys.std{0})'], std{0}={1})"
WAYS = {
    "communicate": ("subprocess.PIPE", "child.communicate()"),
    "text": ("subprocess.PIPE, text=True", "child.communicate()"),
    "a line": ("subprocess.PIPE, text=True", "child.std{0}.readline(); child.std{0}.close(); child.wait()"),
    "bytes": ("subprocess.PIPE, bufsize=0", "child.std{0}.read(10); child.std{0}.read(); child.std{0}.close(); child.wait()"),
    "nobody": ("subprocess.PIPE", "child.wait(); child.std{0}.close()"),
    "nowhere": ("subprocess.DEVNULL", "child.wait()"),
    "a file": ("open(tmp_path / 'x', 'w')", "child.wait()"),
}


def test_a_child_that_prints_the_key_fails_its_test(pytester, monkeypatch, repo):
    """However its output is read, and also when nobody reads it."""
    ways = [(stream, *way) for way in WAYS.values() for stream in ("out", "err")]
    bodies = [f"def test_{i}(tmp_path):\n    {SAYS.format(stream, where)}\n    {then.format(stream)}\n" for i, (stream, where, then) in enumerate(ways)]
    result = _suite_of_one(pytester, monkeypatch, repo, "import subprocess, sys\n" + "".join(bodies), "-Wignore")
    result.assert_outcomes(passed=len(ways), errors=len(ways))
    result.stdout.fnmatch_lines(["*the API key was printed by*"])
    result.stdout.no_re_match_line("suite[0-9a-f]{32}")


def test_a_file_that_tests_share_is_searched_at_the_end(pytester, monkeypatch, repo):
    """What no test's own folder holds is not overlooked."""
    body = "def test_leak(tmp_path_factory, suite_key):\n    (tmp_path_factory.mktemp('shared') / 'x').write_text(suite_key)"
    result = _suite_of_one(pytester, monkeypatch, repo, body)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*the API key was written to*shared0/x*"])


def test_a_child_whose_command_line_holds_the_key_is_not_started(suite_key, trespass):
    """The process list is read by everybody."""
    for words in (["true", f"--key={suite_key}"], f"true {suite_key}"):
        with pytest.raises(trespass, match="command line of a child"):
            subprocess.Popen(words, shell=isinstance(words, str))


def test_a_failing_test_does_not_show_the_key_in_its_traceback(pytester, monkeypatch, repo):
    """An assertion about the key says that it failed, not what the key is."""
    result = _suite_of_one(pytester, monkeypatch, repo, "def test_wrong(suite_key):\n    assert suite_key == 'x'")
    result.assert_outcomes(failed=1)
    result.stdout.no_re_match_line("suite[0-9a-f]{32}")
