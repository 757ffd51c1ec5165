"""`reconciler emulator`: the trainer API on loopback until it is stopped."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import TYPE_CHECKING, Protocol, cast

from reconciler.commands.infile import read_regular
from reconciler.errors import ApiProblem, Usage
from reconciler.text import safe
from reconciler.trainer import BUILT_IN, Trainer

if TYPE_CHECKING:
    from reconciler.emulator import service
    from reconciler.emulator.faults import Fault

PROTOCOLS = ("g1", "g2", "both")
MAX_SPEED = 1e9
MAX_FAULT_FILE_BYTES = 10 * 1024 * 1024


class Stream(Protocol):
    """Where text goes: a stream of Python's, or a command's output."""

    def write(self, text: str, /) -> object:
        """Write `text`."""

    def flush(self) -> object:
        """Bring it out."""


def run(
    *,
    port: int,
    protocol: str,
    speed: float,
    ledger: Path | None,
    faults: Path | None,
    out: Stream,
    err: Stream | None = None,
    trainers: Mapping[str, Trainer] | None = None,
) -> int:
    """Serve until SIGINT or SIGTERM, then return 0. The URL is the first line on `out`; how to use it goes to `err` (stderr).

    Without `ledger` the books are thrown away at the end. Raises Usage, Invalid (the fault plan), ApiProblem (the port).
    """
    from reconciler.emulator.server import Emulator

    _check(port, protocol, speed)
    plan = () if faults is None else _faults(faults)
    stopped = Event()
    with _ledger(ledger) as books, _signals(stopped):
        emulator = Emulator(
            books=books, trainers=BUILT_IN if trainers is None else trainers, protocol=cast("service.Protocol", protocol), port=port, speed=speed, faults=plan
        )
        with emulator:
            out.write(emulator.url + "\n")
            out.flush()
            told = sys.stderr if err is None else err
            told.write(_usage(emulator.url, ledger))
            told.flush()
            stopped.wait()
    return 0


def _check(port: int, protocol: str, speed: float) -> None:
    if not 0 <= port <= 65535:
        raise Usage(f"-port={port} is not a port (0 to 65535, 0 = any free one)")
    if protocol not in PROTOCOLS:
        raise Usage(f"-protocol is one of {', '.join(PROTOCOLS)}")
    if not 0 < speed <= MAX_SPEED:
        raise Usage("-speed is a number above 0: 1 is the vendor's pace, 250 ends 1000 steps in about 5 s")


def _faults(path: Path) -> tuple[Fault, ...]:
    from reconciler.emulator.faultfile import parse_faults

    try:
        data = read_regular(path, most_bytes=MAX_FAULT_FILE_BYTES)
        if len(data) > MAX_FAULT_FILE_BYTES:
            raise ApiProblem(f"the fault plan {safe(path)} is larger than {MAX_FAULT_FILE_BYTES} bytes")
        return parse_faults(data.decode("utf-8"), file=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ApiProblem(f"the fault plan {safe(path)} cannot be read: {safe(error)}") from None


@contextlib.contextmanager
def _ledger(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with TemporaryDirectory(prefix="reconciler-emulator-") as folder:
        yield Path(folder) / "emulator.db"


@contextlib.contextmanager
def _signals(stopped: Event) -> Iterator[None]:
    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _usage(url: str, ledger: Path | None) -> str:
    books = f"in {safe(ledger)}" if ledger is not None else "thrown away at the end (-ledger PATH keeps them)"
    return f"""The trainer API, emulated: nothing is trained and nothing is charged. Ctrl-C stops it.
  use it     export RECONCILER_ENDPOINT={url} PIXAZO_API_KEY=emulated
  ledger     curl {url}/__admin/ledger     its books are {books}
  faults     curl {url}/__admin/faults     lists the kinds; POST a plan there, DELETE ends it
  failures   a dataset URL whose path contains `fail-training` ends FAILED, `system-error` ends ERROR and is refunded
"""
