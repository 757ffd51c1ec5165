"""The same POSTs by threads over bare sockets, with nothing durable and nothing said: what this machine gives under the load of the moment.

    python -m bench.bare PORT COUNT PARALLELISM

Prints the seconds that they took.
"""

from __future__ import annotations

import socket
import sys
import threading
import time

REQUEST = b"POST /a/v1/a-request HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"


def main(port: int, count: int, parallelism: int) -> None:
    numbers, lock = iter(range(count)), threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if next(numbers, None) is None:
                    return
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(REQUEST)
                connection.recv(65536)

    threads = [threading.Thread(target=work) for _ in range(parallelism)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
