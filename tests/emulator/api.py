"""A plain client of the emulated API and a clock that tests move. No code of the product's own client."""

from __future__ import annotations

import http.client
import json
import os
import socket
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from reconciler.emulator.server import Emulator
from reconciler.trainer import BUILT_IN, PIXAZO_FLUX2_PRO

API = PIXAZO_FLUX2_PRO.api
SUBMIT = f"/{API}/v1/flux-2-pro-text-to-image-trainer-request"
RESULT = f"/{API}/v1/flux-2-pro-text-to-image-trainer-request-result"
DATASET = "https://data.example.com/otter.zip"
BODY = {"image_data_url": DATASET, "steps": 1000, "learning_rate": 3e-5}
START = 1_790_000_000.0
END = 30 + 1270.0
"""Queue and training of 1000 steps, seconds at speed 1."""


class Clock:
    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Got(NamedTuple):
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


def headers(**more: str) -> dict[str, str]:
    return {"Ocp-Apim-Subscription-Key": os.environ["PIXAZO_API_KEY"], "Content-Type": "application/json", "Cache-Control": "no-cache", **more}


class Api:
    def __init__(self, url: str) -> None:
        self.url = url
        self.host = urlsplit(url).netloc

    def call(self, method: str, path: str, body: Any = None, *, send: dict[str, str] | None = None, timeout: float = 10) -> Got:
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        connection = http.client.HTTPConnection(self.host, timeout=timeout)
        try:
            connection.request(method, path, data, headers() if send is None else send)
            answer = connection.getresponse()
            return Got(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def submit(self, body: Any = None, **changes: Any) -> Got:
        return self.call("POST", SUBMIT, {**BODY, **changes} if body is None else body)

    def job(self, **changes: Any) -> str:
        return str(self.submit(**changes).json["request_id"])

    def status(self, request_id: str) -> Got:
        return self.call("GET", "/v2/requests/status/" + quote(request_id, safe=""))

    def result(self, request_id: str) -> Got:
        return self.call("POST", RESULT, {"request_id": request_id})

    def file(self, request_id: str, name: str = "output.safetensors", method: str = "GET", **more: str) -> Got:
        return self.call(method, f"/r2/v1/{quote(request_id, safe='')}/{name}", send=more)

    def ledger(self) -> Any:
        return self.call("GET", "/__admin/ledger", send={}).json

    def faults(self, *faults: dict[str, Any]) -> Got:
        return self.call("POST", "/__admin/faults", list(faults), send={})


def raw(url: str, method: str, path: str, body: bytes = b"", *, timeout: float = 10) -> tuple[bytes, bool]:
    """Every byte of the answer until the connection ends, and whether it ended with a reset."""
    lines = [f"{method} {path} HTTP/1.1", "Host: emulator", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers().items())]
    seen = b""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=timeout) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        try:
            while piece := connection.recv(65536):
                seen += piece
        except ConnectionResetError:
            return seen, True
    return seen, False


def emulator(folder: Any, **arguments: Any) -> Emulator:
    return Emulator(**{"books": folder / "books.db", "trainers": BUILT_IN, **arguments})
