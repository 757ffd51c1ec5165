"""TLS and proxies over real sockets: certificates, deadlines inside the handshake, the tunnel, and where the key goes."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from reconciler.errors import ApiProblem
from reconciler.job import Phase
from reconciler.trainer import PIXAZO_FLUX2_PRO
from reconciler.verdict import Accepted, InDoubt, NotSent

from .clients import KEY
from .raw_server import Peer, RawServer, after_reading, answer, close_after_reading, hang
from .test_pixazo_poll import job

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")

OK = {"request_id": "r1", "status": "IN_QUEUE"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1 that nobody trusts unless told to, with its key in the same file."""
    folder = tmp_path_factory.mktemp("tls")
    paths = [str(folder / "key.pem"), str(folder / "cert.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=test"]
    subprocess.run([*command, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", paths[0], "-out", paths[1]], check=True, capture_output=True)
    return paths


class TlsServer(RawServer):
    """The same plays, behind TLS."""

    context: ssl.SSLContext

    def _play(self, peer: Peer) -> None:
        with contextlib.suppress(OSError):
            peer.sock = self.context.wrap_socket(peer.sock, server_side=True)
            self._peers.append(peer.sock)
            super()._play(peer)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


@pytest.fixture
def serve_tls(certificate):
    with contextlib.ExitStack() as stack:

        def start(*plays):
            server = TlsServer(list(plays))
            server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.context.load_cert_chain(certificate[1], certificate[0])
            return stack.enter_context(server)

        yield start


def submit(api, hook=lambda: None, stop=lambda: False):
    return api.submit(PIXAZO_FLUX2_PRO.id, b"{}", before_first_byte=hook, stop=stop)


def test_a_certificate_that_is_not_trusted_is_not_sent_and_not_tried_again(serve_tls, client):
    server = serve_tls(answer(200, OK))
    calls = []
    verdict = submit(client(server), lambda: calls.append(1))
    assert isinstance(verdict, NotSent)
    assert not verdict.retry
    assert "certificate" in verdict.message
    assert (calls, server.posts) == ([], 0)


def test_a_certificate_of_another_host_is_not_sent(serve_tls, client, certificate):
    server = serve_tls(answer(200, OK))
    verdict = submit(client(f"https://localhost:{server.port}", proxy_environment={"SSL_CERT_FILE": certificate[1]}))
    assert isinstance(verdict, NotSent)
    assert not verdict.retry


def test_ssl_cert_file_is_honoured(serve_tls, client, certificate):
    server = serve_tls(answer(200, OK))
    api = client(server, proxy_environment={"SSL_CERT_FILE": certificate[1]})
    assert (api.world, api.endpoint) == ("live", server.url)
    calls = []
    assert submit(api, lambda: calls.append(server.posts)) == Accepted("r1", 200)
    assert calls == [0]
    for _ in range(20):
        assert api.observe(job()).phase is Phase.QUEUED
    assert server.connections == 2


@pytest.mark.parametrize("content", [None, "", "junk"])
def test_an_unusable_ssl_cert_file_is_an_error(client, tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ApiProblem, match="SSL_CERT_FILE"):
        client("https://127.0.0.1:1", proxy_environment={"SSL_CERT_FILE": str(path)})


def test_a_server_that_speaks_only_old_tls_is_not_sent(serve_tls, client, certificate):
    server = serve_tls(answer(200, OK))
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        server.context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert isinstance(submit(client(server, proxy_environment={"SSL_CERT_FILE": certificate[1]})), NotSent)


def test_a_handshake_that_never_ends_is_cut_with_nothing_sent(serve, client):
    server = serve(hang)
    calls = []
    verdict = submit(client(f"https://127.0.0.1:{server.port}", deadline_seconds=0.4), lambda: calls.append(1))
    assert isinstance(verdict, NotSent)
    assert calls == []


def test_a_handshake_can_be_stopped(serve, client):
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    verdict = submit(client(f"https://127.0.0.1:{serve(hang).port}", deadline_seconds=60), stop=stop.is_set)
    assert isinstance(verdict, NotSent)


def dripping(peer: Peer) -> None:
    peer.send(b'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{"request_id": "r1"')
    peer.drip(itertools.repeat(b" "))


@pytest.mark.parametrize(("play", "salvaged"), [(after_reading(dripping), "r1"), (after_reading(hang), None), (close_after_reading, None)])
def test_what_breaks_off_behind_tls_is_in_doubt(serve_tls, client, certificate, play, salvaged):
    server = serve_tls(play)
    verdict = submit(client(server, deadline_seconds=0.6, proxy_environment={"SSL_CERT_FILE": certificate[1]}))
    assert isinstance(verdict, InDoubt)
    assert (verdict.salvaged, server.posts) == (salvaged, 1)


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def tunnel(peer: Peer) -> None:
    """What a proxy does with CONNECT."""
    request = peer.read_request()
    host, _, port = request.path.rpartition(":")
    with socket.create_connection((host, int(port))) as target:
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=pump, args=(target, peer.sock), daemon=True)
        back.start()
        pump(peer.sock, target)
        back.join(5)


def proxied(proxy, certificate, **more):
    return {"SSL_CERT_FILE": certificate[1], "HTTPS_PROXY": f"http://user:pa55@127.0.0.1:{proxy.port}"} | more


def test_a_proxy_gets_a_connect_and_never_the_key(serve, serve_tls, client, certificate, caplog):
    caplog.set_level("DEBUG")
    proxy, server = serve(tunnel), serve_tls(answer(200, OK))
    calls = []
    api = client(server, proxy_environment=proxied(proxy, certificate))
    assert submit(api, lambda: calls.append((proxy.connections, server.posts))) == Accepted("r1", 200)
    assert calls == [(1, 0)]
    (connect,) = proxy.requests
    assert (connect.method, connect.path) == ("CONNECT", f"127.0.0.1:{server.port}")
    assert connect.header(
        "Proxy-Authorization",
    ).startswith("Basic ")
    assert KEY.encode() not in proxy.received
    assert "send_request_headers" in caplog.text  # the HTTP library's own log
    assert KEY not in caplog.text
    assert api.observe(job()).phase is Phase.QUEUED


def test_no_proxy_leads_past_it(serve, serve_tls, client, certificate):
    proxy, server = serve(tunnel), serve_tls(answer(200, OK))
    assert isinstance(submit(client(server, proxy_environment=proxied(proxy, certificate, NO_PROXY="127.0.0.0/8"))), Accepted)
    assert proxy.connections == 0


def test_the_environment_of_the_process_is_not_read(serve, serve_tls, client, certificate, monkeypatch):
    proxy, server = serve(tunnel), serve_tls(answer(200, OK))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    assert isinstance(submit(client(server, proxy_environment={"SSL_CERT_FILE": certificate[1]})), Accepted)
    assert proxy.connections == 0


@pytest.mark.parametrize("play", [answer(407, {}), answer(502, {}), answer(403, b"<html>"), close_after_reading, after_reading(hang)])
def test_a_proxy_that_refuses_the_tunnel_leaves_nothing_sent(serve, serve_tls, client, certificate, play):
    proxy, server = serve(play), serve_tls(answer(200, OK))
    calls = []
    verdict = submit(client(server, deadline_seconds=0.6, proxy_environment=proxied(proxy, certificate)), lambda: calls.append(1))
    assert isinstance(verdict, NotSent)
    assert verdict.retry
    assert "pa55" not in verdict.message
    assert (calls, server.connections) == ([], 0)
