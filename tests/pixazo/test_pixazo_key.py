"""The key: its sources, its shape, and that no text ever holds it."""

from __future__ import annotations

import base64
import contextlib
import copy
import html
import json
import os
import pickle
import sys
import time
import traceback
from urllib.parse import quote, quote_plus

import pytest

from reconciler.errors import ApiProblem
from reconciler.pixazo import key as key_module
from reconciler.pixazo.client import PixazoApi
from reconciler.pixazo.key import Key, read_key
from reconciler.secret import MARK
from reconciler.trainer import BUILT_IN, PIXAZO_FLUX2_PRO
from reconciler.verdict import InDoubt

from .clients import KEY
from .raw_server import answer
from .test_pixazo_poll import job


def told(problem: BaseException) -> str:
    """Everything that a hook or a log could print of an exception."""
    return "".join(traceback.format_exception(problem)) + repr(problem) + str(problem.__dict__)


@pytest.mark.parametrize("name", ["PIXAZO_API_KEY", "PIXAZO_SUBSCRIPTION_KEY"])
def test_it_comes_from_a_variable(name):
    assert read_key({name: KEY}).reveal() == KEY.encode()


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_one_trailing_newline_is_stripped(end):
    assert read_key({"PIXAZO_API_KEY": KEY + end}).reveal() == KEY.encode()


BAD = {
    "two newlines": KEY + "\n\n",
    "newline inside": KEY[:5] + "\n" + KEY[5:],
    "header injection": KEY + "\r\nX-Evil: 1",
    "NUL": KEY + "\0",
    "not ASCII": KEY + "ü",
    "leading blank": " " + KEY,
    "trailing blank": KEY + " ",
    "tab": KEY + "\t",
    "DEL": KEY + "\x7f",
    "surrogate": KEY + "\udcff",
    "too short": "s3cretA",
    "too long": "s3cret+A" * 40,
    "blank": "          ",
}


@pytest.mark.parametrize("case", BAD)
def test_a_malformed_key_is_an_error_that_tells_its_length_only(case):
    value = BAD[case]
    with pytest.raises(ApiProblem) as caught:
        read_key({"PIXAZO_API_KEY": value})
    text = told(caught.value)
    stripped = value.removesuffix("\n")
    assert f"{len(stripped)} characters" in text
    assert "PIXAZO_API_KEY" in text
    if stripped.strip():
        assert stripped.strip() not in text
        assert KEY not in text
        assert "s3cret" not in text


def test_no_key_names_every_source():
    with pytest.raises(ApiProblem) as caught:
        read_key({"PIXAZO_API_KEY": ""})
    for name in ("PIXAZO_API_KEY", "PIXAZO_SUBSCRIPTION_KEY", "RECONCILER_API_KEY_FILE", "RECONCILER_API_KEY_COMMAND", "empty"):
        assert name in caught.value.message


def test_an_empty_variable_lets_the_next_source_speak():
    assert read_key({"PIXAZO_API_KEY": "", "PIXAZO_SUBSCRIPTION_KEY": KEY}).source == "PIXAZO_SUBSCRIPTION_KEY"


class TestFile:
    """RECONCILER_API_KEY_FILE."""

    def read(self, path):
        return read_key({"RECONCILER_API_KEY_FILE": str(path)})

    def test_a_file_of_ours_is_read(self, tmp_path):
        path = tmp_path / "key"
        path.write_text(KEY + "\n")
        path.chmod(0o600)
        assert self.read(path).reveal() == KEY.encode()

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
    def test_one_that_others_may_read_is_refused(self, tmp_path, mode):
        path = tmp_path / "key"
        path.write_text(KEY)
        path.chmod(mode)
        with pytest.raises(ApiProblem, match="chmod 600") as caught:
            self.read(path)
        assert KEY not in told(caught.value)

    def test_what_is_no_regular_file_is_refused_at_once(self, tmp_path):
        os.mkfifo(tmp_path / "fifo", 0o600)
        for path in (tmp_path / "fifo", tmp_path, "/dev/null", "/dev/zero"):
            with pytest.raises(ApiProblem, match="regular file|belongs"):
                self.read(path)

    @pytest.mark.parametrize("path", ["/nowhere/key", "a\0b"])
    def test_one_that_is_not_there_is_an_error_without_a_traceback(self, path):
        with pytest.raises(ApiProblem, match="RECONCILER_API_KEY_FILE"):
            self.read(path)

    def test_a_file_without_a_key_is_an_error(self, tmp_path):
        path = tmp_path / "key"
        path.write_bytes(b"\xff" * 100_000)
        path.chmod(0o600)
        with pytest.raises(ApiProblem, match="characters"):
            self.read(path)


class TestCommand:
    """RECONCILER_API_KEY_COMMAND."""

    def run(self, code, *words):
        command = " ".join([sys.executable, "-c", f"'{code}'", *words])
        return read_key({"RECONCILER_API_KEY_COMMAND": command, "PATH": os.environ["PATH"]})

    def test_its_stdout_is_the_key(self):
        assert self.run("import sys; print(sys.argv[1]); print(1, file=sys.stderr)", "abcdefgh").reveal() == b"abcdefgh"

    def test_there_is_no_shell(self):
        assert self.run("import sys; print(sys.argv[1])", "$HOME;exit").reveal() == b"$HOME;exit"

    @pytest.mark.parametrize("command", ["/nowhere/tool", "'unclosed", "  ", "a\0b"])
    def test_one_that_cannot_start_is_an_error(self, command):
        with pytest.raises(ApiProblem, match="RECONCILER_API_KEY_COMMAND"):
            read_key({"RECONCILER_API_KEY_COMMAND": command})

    def test_one_that_fails_gives_no_key_and_repeats_nothing(self):
        with pytest.raises(ApiProblem, match="code 3") as caught:
            self.run('print("hidden-secret"); raise SystemExit(3)')
        assert "hidden-secret" not in caught.value.message

    def test_one_that_hangs_is_ended(self, monkeypatch):
        monkeypatch.setattr(key_module, "COMMAND_TIMEOUT_SECONDS", 0.5)
        started = time.monotonic()
        with pytest.raises(ApiProblem, match="within"):
            self.run("import time; time.sleep(60)")
        assert time.monotonic() - started < 30

    def test_one_that_floods_is_ended(self):
        with pytest.raises(ApiProblem):
            self.run('while True: print("x" * 1000)')


def test_no_representation_shows_it(serve, client):
    key = Key(KEY)
    for text in (repr(key), str(key), f"{key}", f"{[key]}", f"{key.source}"):
        assert KEY not in text
    assert repr(key).startswith("<key")
    for write in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError) as caught:
            write(key)
        assert KEY not in told(caught.value)


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        base64.b64encode(KEY.encode()).decode(),
        base64.b64encode(b"user:" + KEY.encode() + b":x").decode(),
        base64.b64encode(b"us:" + KEY.encode()).decode(),
        base64.urlsafe_b64encode(b"abcd" + KEY.encode()).decode(),
        quote(KEY),
        quote(KEY, safe=""),
        quote_plus(KEY),
        quote(KEY, safe="").replace("%2B", "%2b").replace("%2F", "%2f"),
        json.dumps({"key": KEY}),
        repr(KEY),
        html.escape(KEY),
        "".join(f"\\u{ord(c):04X}" for c in KEY),
        "".join(f"%{ord(c):02x}" for c in KEY),
    ],
)
def test_the_redactor_knows_the_forms_it_leaks_in(form):
    clean = Key(KEY).redact(f"before {form} after")
    assert MARK in clean
    assert clean.startswith("before ")
    assert clean.endswith(" after")
    assert KEY[-6:] not in clean
    assert form not in clean


def test_the_fingerprint_tells_keys_apart_and_is_salted():
    prints = {Key(k).fingerprint(lineage) for k in (KEY, KEY + "x") for lineage in ("a", "b")}
    assert len(prints) == 4
    assert all(len(p) == 8 and int(p, 16) >= 0 for p in prints)
    assert Key(KEY).fingerprint("a") == Key(KEY).fingerprint("a")


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (401, {"error": f"unknown key {KEY}"}, {}),
        (400, {"error": "x" * 280 + KEY}, {}),
        (500, {"error": KEY}, {}),
        (200, {"oops": KEY}, {}),
        (200, (b" " * 190) + KEY.encode(), {}),
        (302, {}, {"Location": f"https://other.example/{KEY}"}),
        (302, {}, {"Location": f"https://other.example/{'x' * 85}{KEY}"}),
        (200, {"request_id": KEY}, {}),
        (200, {"request_id": "a", "polling_url": f"https://other.example/{KEY}"}, {}),
        (200, {"request_id": "a", "error": base64.b64encode(KEY.encode()).decode()}, {}),
        (200, b'{"request_id": "\\u0030' + KEY[1:].replace('"', '\\"').encode() + b'"}', {}),
    ],
)
def test_a_server_that_repeats_the_key_does_not_get_it_written(serve, client, status, body, headers):
    api = client(serve(answer(status, body, headers)))
    verdict = api.submit(PIXAZO_FLUX2_PRO.id, b"{}", before_first_byte=lambda: None, stop=lambda: False)
    text = repr(verdict)
    for start in range(len(KEY) - 8):
        assert KEY[start : start + 8] not in text
        assert json.dumps(KEY)[1:-1][start : start + 8] not in text
    assert base64.b64encode(KEY.encode()).decode()[:16] not in text


def test_a_request_id_that_is_the_key_is_in_doubt(serve, client):
    api = client(serve(answer(200, {"request_id": KEY})))
    verdict = api.submit(PIXAZO_FLUX2_PRO.id, b"{}", before_first_byte=lambda: None, stop=lambda: False)
    assert isinstance(verdict, InDoubt)
    assert verdict.salvaged is None


def test_base64_with_escaped_slashes_is_found_after_parsing(serve, client):
    """PHP escapes slashes in JSON, so the bytes of the answer do not hold the form."""
    secret = "abc?>>?~~~/?>?>?"
    spelled = base64.b64encode(secret.encode()).decode()
    assert "/" in spelled
    body = json.dumps({"status": "done", "lora_url": f"https://h/{spelled}"}).replace("/", "\\/").encode()
    with contextlib.closing(PixazoApi(serve(answer(200, body)).url, Key(secret), BUILT_IN)) as api:
        (artifact,) = api.observe(job()).artifacts
    assert artifact.url.startswith(f"https://h/{MARK}")


def test_debug_logs_of_an_exchange_do_not_hold_it(serve, client, caplog):
    caplog.set_level("DEBUG")
    api = client(serve(answer(200, {"request_id": "a"})))
    api.submit(PIXAZO_FLUX2_PRO.id, b"{}", before_first_byte=lambda: None, stop=lambda: False)
    said = repr([vars(record) for record in caplog.records])
    assert "send_request_headers" in said
    assert KEY not in said
    assert json.dumps(KEY)[1:-1] not in said
