"""One download over real sockets: resumed, bounded, held to its length, and never left half under its name."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from reconciler.artifacts import fetch
from reconciler.artifacts.download import Limits, NotSaved, Wanted, save
from reconciler.artifacts.fetch import Fetcher
from reconciler.artifacts.folder import JobFolder
from reconciler.artifacts.record import Record
from reconciler.emulator.weights import weights
from tests.pixazo.raw_server import Peer, RawServer

WHOLE = weights("r-1", {"steps": 1})
TAG = '"v1"'
RECORD = Record("j-1", "otter", "r-1")


def head(status: str, *headers: str) -> bytes:
    return f"HTTP/1.1 {status}\r\n{''.join(f'{h}{chr(13)}{chr(10)}' for h in headers)}\r\n".encode()


class Host:
    """A host of one file that does as it is told, one play per request."""

    def __init__(self, *plays) -> None:
        self.plays = list(plays)

    def __call__(self, peer: Peer) -> None:
        request = peer.read_request()
        assert request is not None
        play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
        peer.send(play(request) if callable(play) else play)


def whole(_request=None, *, body: bytes = WHOLE, tag: str = TAG) -> bytes:
    return head("200 OK", f"Content-Length: {len(body)}", f"ETag: {tag}") + body


def half(_request=None) -> bytes:
    return whole()[: -len(WHOLE) // 2]


def rest(request) -> bytes:
    """What Range and If-Range ask for, as a good host gives it."""
    asked = re.fullmatch(r"bytes=(\d+)-", request.header("range") or "")
    if asked is None or request.header("if-range") != TAG:
        return whole()
    start = int(asked[1])
    return head("206 Partial Content", f"Content-Range: bytes {start}-{len(WHOLE) - 1}/{len(WHOLE)}", f"Content-Length: {len(WHOLE) - start}") + WHOLE[start:]


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    made = JobFolder(tmp_path, "j-1")
    made.make()
    return made


def pull(folder: JobFolder, url: str, *, size: int | None = None, most: int = 10**6, role: str = "weights"):
    pauses: list[float] = []
    limits = Limits(most, sleep=pauses.append)
    with folder.locked():
        return save(Wanted(role, url, "lora_file.url", size), folder, folder.record or RECORD, Fetcher({}, lambda _url: None, loopback=True), limits)


def left(folder: JobFolder) -> list[str]:
    return sorted(os.listdir(folder.path))


def test_a_whole_file_is_saved_under_our_name_and_recorded(folder: JobFolder) -> None:
    with RawServer([Host(whole)]) as server:
        saved = pull(folder, f"{server.url}/a/..%2f..%2fevil.sh?X-Amz-Signature=secret", size=len(WHOLE))
    assert (folder.path / "weights.safetensors").read_bytes() == WHOLE
    assert saved.sha256 == hashlib.sha256(WHOLE).hexdigest()
    assert folder.record is not None
    assert folder.record.files[0].sha256 == saved.sha256
    assert left(folder) == ["artifacts.json", "weights.safetensors"]
    assert b"secret" not in (folder.path / "artifacts.json").read_bytes()
    assert (folder.path.parent / ".gitignore").read_text().endswith("*\n")


def test_what_broke_off_goes_on_where_it_was(folder: JobFolder) -> None:
    """The second request asks for the rest, under the condition that it is still the same file."""
    with RawServer([Host(half, rest)] * 2) as server:
        pull(folder, f"{server.url}/w?signature=1")
        first, second = server.requests
    assert (folder.path / "weights.safetensors").read_bytes() == WHOLE
    assert first.header("range") is None
    assert re.fullmatch(r"bytes=[1-9]\d*-", second.header("range") or "")
    assert second.header("if-range") == TAG


def test_a_later_pull_goes_on_too_also_with_another_signature(folder: JobFolder) -> None:
    with RawServer([Host(half, head("404 Gone"))] * 9) as server:
        port = server.port
        with pytest.raises(NotSaved):
            pull(folder, f"{server.url}/w?signature=1")
    assert left(folder) == [".weights.part", ".weights.part.json"]
    assert (folder.path / ".weights.part").stat().st_mode & 0o777 == 0o600
    with RawServer([Host(rest)]) as server:
        (folder.path / ".weights.part.json").write_text(_for(folder, f"http://127.0.0.1:{port}/w", f"{server.url}/w"))
        pull(folder, f"{server.url}/w?signature=2")
        (only,) = server.requests
    assert only.header("range") is not None
    assert (folder.path / "weights.safetensors").read_bytes() == WHOLE


def _for(folder: JobFolder, before: str, after: str) -> str:
    """The note of a part, as if it had come from another port."""
    text = (folder.path / ".weights.part.json").read_text()
    old, new = (hashlib.sha256(url.encode()).hexdigest() for url in (before, after))
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize("spoil", ["part", "note", "origin"])
def test_a_part_that_is_not_what_was_noted_is_fetched_anew(folder: JobFolder, spoil: str) -> None:
    """Bytes that a loss of power turned to zeros, a note that is none, a part of another file."""
    with RawServer([Host(half, head("404 Gone"))] * 9) as server:
        port = server.port
        with pytest.raises(NotSaved):
            pull(folder, f"{server.url}/w")
    note, part = folder.path / ".weights.part.json", folder.path / ".weights.part"
    with RawServer([Host(rest)]) as server:
        text = _for(folder, f"http://127.0.0.1:{port}/w", f"{server.url}/w") if spoil != "origin" else note.read_text()
        note.write_text(text if spoil != "note" else "{")
        if spoil == "part":
            part.write_bytes(bytes(part.stat().st_size))
        pull(folder, f"{server.url}/w")
        (only,) = server.requests
    assert only.header("range") is None
    assert (folder.path / "weights.safetensors").read_bytes() == WHOLE


ODD_PARTS = {
    "the whole again": whole,
    "another part": lambda _r: head("206 Partial Content", "Content-Range: bytes 0-9/4800", "Content-Length: 10") + WHOLE[:10],
    "a part of another file": lambda r: rest(r).replace(b"\r\n\r\n", b'\r\nETag: "v2"\r\n\r\n', 1),
    "no range": lambda _r: head("206 Partial Content", "Content-Length: 10") + WHOLE[:10],
    "beyond the end": lambda _r: head("416 Range Not Satisfiable", "Content-Length: 0"),
}


@pytest.mark.parametrize("case", ODD_PARTS)
def test_a_host_that_gives_another_part_gets_asked_for_the_whole(folder: JobFolder, case: str) -> None:
    """Nothing is ever glued together from two files."""
    with RawServer([Host(half, ODD_PARTS[case], whole)] * 3) as server:
        if case == "no range":
            with pytest.raises(NotSaved):
                pull(folder, f"{server.url}/w")
            return
        pull(folder, f"{server.url}/w")
    assert (folder.path / "weights.safetensors").read_bytes() == WHOLE


def test_without_a_strong_tag_it_begins_anew(folder: JobFolder) -> None:
    with RawServer([Host(lambda _r: whole(tag='W/"v1"')[:-100], lambda _r: whole(tag='W/"v1"'))] * 2) as server:
        pull(folder, f"{server.url}/w")
        assert all(request.header("range") is None for request in server.requests)


BAD = {
    "cut file": (lambda _r: whole(body=WHOLE[:-10]), "cut off"),
    "too long": (lambda _r: whole(body=WHOLE + bytes(9)), "longer than it says"),
    "another length than announced": (lambda _r: whole(body=WHOLE + bytes(9)), "announced"),
    "a page": (lambda _r: whole(body=b"<!DOCTYPE html><title>Sign in</title>"), "web page"),
    "a pickle": (lambda _r: whole(body=b"\x80\x04\x95\x00"), "not what it should be"),
    "larger than allowed": (lambda _r: head("200 OK", "Content-Length: 5000000"), "larger than 1.0 MB"),
    "larger than allowed, chunk by chunk": (
        lambda _r: head("200 OK", "Transfer-Encoding: chunked") + b"%x\r\n%s\r\n" % (1_000_001, bytes(1_000_001)) * 2, "larger than 1.0 MB"
    ),
    "compressed": (lambda _r: head("200 OK", "Content-Encoding: gzip", "Content-Length: 3") + b"abc", "compressed"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_not_the_file_leaves_nothing_behind(folder: JobFolder, case: str) -> None:
    play, words = BAD[case]
    with RawServer([Host(play)]) as server, pytest.raises(NotSaved, match=words):
        pull(folder, f"{server.url}/w", size=len(WHOLE) if "announced" in case else None)
    assert left(folder) == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_lost_copy_is_said_to_be_one_and_no_reason_to_train(folder: JobFolder, status: int) -> None:
    with RawServer([Host(head(f"{status} X", "Content-Length: 0"))]) as server, pytest.raises(NotSaved) as raised:
        pull(folder, f"{server.url}/w")
    assert "no reason to train again" in raised.value.hint
    assert len(server.requests) == 1


def test_a_busy_host_is_asked_a_few_times(folder: JobFolder) -> None:
    with RawServer([Host(head("503 Busy", "Content-Length: 0"), head("429 Busy", "Content-Length: 0"), whole)] * 3) as server:
        pull(folder, f"{server.url}/w")
    with RawServer([Host(head("503 Busy", "Content-Length: 0"))] * 9) as server, pytest.raises(NotSaved):
        pull(folder, f"{server.url}/v", role="config")
    assert len(server.requests) == 4


def test_a_host_that_drips_does_not_keep_anybody(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is over although every single read brings a byte."""
    monkeypatch.setattr(fetch, "GRACE_SECONDS", 0.3)

    def drip(peer: Peer) -> None:
        peer.read_request()
        peer.send(head("200 OK", f"Content-Length: {len(WHOLE)}"))
        peer.drip((WHOLE[i : i + 1] for i in range(len(WHOLE))), pause_seconds=0.02)

    def drip_headers(peer: Peer) -> None:
        peer.read_request()
        peer.drip((bytes([b]) for b in head("200 OK", "X: " + "y" * 4000)), pause_seconds=0.02)

    for play in (drip, drip_headers):
        with RawServer([play] * 9) as server, pytest.raises(NotSaved, match=r"slower|in time"):
            pull(folder, f"{server.url}/w")


def test_redirects_are_few_and_each_is_judged(folder: JobFolder) -> None:
    with RawServer([Host(lambda _r: head("302 Found", "Location: /again", "Content-Length: 0"))] * 9) as server, pytest.raises(NotSaved, match="redirects"):
        pull(folder, f"{server.url}/w")
    assert len(server.requests) == 4
    with RawServer([Host(lambda _r: head("302 Found", "Location: http://169.254.169.254/latest", "Content-Length: 0"))]) as server:
        with pytest.raises(NotSaved, match="only https"):
            pull(folder, f"{server.url}/w")


def test_an_inner_address_behind_a_public_name_is_never_connected_to(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bad address among good ones is enough; nothing is connected to."""
    asked = []

    def resolve(host, port, **_more):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("93.184.216.34", "169.254.169.254")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(NotSaved, match="not an address of the public network"):
        pull(folder, "https://files.example.com/w")
    assert asked == ["files.example.com"]


def test_nothing_of_ours_goes_along(folder: JobFolder, suite_key: str) -> None:
    """No key, no cookie, no name of this machine."""
    with RawServer([Host(whole)]) as server:
        pull(folder, f"{server.url}/w")
        (request,) = server.requests
        assert suite_key.encode() not in server.received
    assert {name.lower() for name, _ in request.headers} == {"host", "user-agent", "accept", "accept-encoding", "connection"}


def test_a_file_that_somebody_else_put_there_is_left_alone(folder: JobFolder) -> None:
    (folder.path / "weights.safetensors").write_bytes(b"mine")
    with RawServer([Host(whole)]) as server, pytest.raises(NotSaved, match="in the way"):
        pull(folder, f"{server.url}/w")
    assert (folder.path / "weights.safetensors").read_bytes() == b"mine"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
def test_only_a_trusted_certificate_of_that_host_is_spoken_to(folder: JobFolder, tmp_path: Path) -> None:
    """Nothing of the request is sent to anybody else."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=test"]
    subprocess.run([*command, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def secured(peer: Peer) -> None:
        peer.sock = context.wrap_socket(peer.sock, server_side=True)
        Host(whole)(peer)
        peer.sock.close()

    def fetch_it(url: str, environment: dict[str, str]) -> None:
        with folder.locked():
            save(Wanted("weights", url, "w"), folder, RECORD, Fetcher(environment, lambda _url: None, loopback=True), Limits(sleep=lambda _seconds: None))

    with RawServer([secured] * 20) as server:
        for url, environment in (
            (f"https://127.0.0.1:{server.port}/w", {}),
            (f"https://localhost:{server.port}/w", {"SSL_CERT_FILE": str(certificate)}),
        ):
            with pytest.raises(NotSaved, match="certificate"):
                fetch_it(url, environment)
        assert not server.requests
        fetch_it(f"https://127.0.0.1:{server.port}/w", {"SSL_CERT_FILE": str(certificate)})
    assert (folder.path / "weights.safetensors").read_bytes() == WHOLE


def test_behind_a_proxy_the_tunnel_is_asked_for_and_inner_addresses_are_still_refused(folder: JobFolder) -> None:
    """Names are the proxy's to resolve; an address that is written out is judged here."""
    asked = []

    def refuse(peer: Peer) -> None:
        request = peer.read_request()
        asked.append((request.method, request.path))
        peer.send(head("403 Forbidden", "Content-Length: 0"))

    with RawServer([refuse] * 20) as server:
        fetcher = Fetcher({}, lambda _url: f"http://user:pass@127.0.0.1:{server.port}")
        limits = Limits(sleep=lambda _seconds: None)
        with folder.locked():
            with pytest.raises(NotSaved, match="proxy"):
                save(Wanted("weights", "https://files.example.com/w", "w"), folder, RECORD, fetcher, limits)
            with pytest.raises(NotSaved, match="public network"):
                save(Wanted("weights", "https://169.254.169.254/w", "w"), folder, RECORD, fetcher, limits)
        assert set(asked) == {("CONNECT", "files.example.com:443")}
        assert all(request.header("proxy-authorization") for request in server.requests)
