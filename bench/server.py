"""A trainer API that answers at once or after a set time, and keeps nothing: so that a measurement is of the client. Loopback only.

    python -m bench.server LATENCY_SECONDS

Prints its port. A GET or a result request says that the job is still running.
"""

from __future__ import annotations

import asyncio
import itertools
import sys

NUMBERS = itertools.count()
RUNNING = b'{"status":"IN_PROGRESS"}'


class Talk(asyncio.Protocol):
    """One connection: requests come in, each is answered after the latency, in their order."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "TCP"
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            is_purchase = head.startswith(b"post") and b"-request " in head.partition(b"\r\n")[0]
            body = b'{"status":"IN_QUEUE","request_id":"r-%08d","message":"queued"}' % next(NUMBERS) if is_purchase else RUNNING
            asyncio.get_running_loop().call_later(self._latency, self._answer, body)

    def _answer(self, body: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


async def serve(latency: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Talk(latency), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
