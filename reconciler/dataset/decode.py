"""Painting pictures to see whether they are there to their end: in a child process with limits on memory and time, by Pillow where it is installed.

A picture is foreign code for its decoder: whatever the child dies of is said about the picture it died of.
"""

from __future__ import annotations

import importlib.util
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

MOST_MEMORY_BYTES = 1_500 * 1024 * 1024
MOST_CPU_SECONDS = 30
LONGEST_SECONDS = 60.0
"""For one picture."""
FORMATS = ("PNG", "JPEG", "WEBP")


class Painted(NamedTuple):
    """What came of one picture: empty when it is good."""

    name: str
    problem: str


def is_possible() -> bool:
    """Whether Pillow is installed."""
    return importlib.util.find_spec("PIL") is not None


def painted(pictures: Iterable[tuple[str, bytes]]) -> Iterator[Painted]:
    """Each picture, painted once. A child serves many; one that died is replaced."""
    child: subprocess.Popen[bytes] | None = None
    try:
        for name, data in pictures:
            child = child or _start()
            problem = _ask(child, data)
            if problem is None:
                _stop(child)
                child, problem = None, "it cannot be decoded within the limits of memory and time"
            yield Painted(name, problem)
    finally:
        if child is not None:
            _stop(child)


def _start() -> subprocess.Popen[bytes]:
    # -P and a path of its own: neither the environment nor the current folder, which may be a stranger's, decides what the child imports
    package = Path(__file__).resolve().parent.parent.parent
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _BOOT, str(MOST_MEMORY_BYTES), str(MOST_CPU_SECONDS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.defpath, "PYTHONPATH": str(package)},
        close_fds=True,
    )


_BOOT = "import sys; from reconciler.dataset.decode import serve; serve(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[1]), int(sys.argv[2]))"


def _ask(child: subprocess.Popen[bytes], data: bytes) -> str | None:
    """What the child says of one picture; None when it died or took too long."""
    import threading

    assert child.stdin is not None, "a pipe was asked for"
    assert child.stdout is not None, "a pipe was asked for"
    guard = threading.Timer(LONGEST_SECONDS, child.kill)
    guard.daemon = True
    guard.start()
    try:
        child.stdin.write(struct.pack("<Q", len(data)))
        child.stdin.write(data)
        child.stdin.flush()
        line = child.stdout.readline(4096)
    except OSError:
        return None
    finally:
        guard.cancel()
    try:
        return str(json.loads(line))
    except ValueError:
        return None


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.communicate()


def serve(inward: BinaryIO, outward: BinaryIO, most_memory_bytes: int, most_cpu_seconds: int) -> None:
    """The child: a picture in, a line out, until the end of the input."""
    import resource

    from reconciler.dataset.image import MOST_IMAGE_BYTES, MOST_PIXELS

    resource.setrlimit(resource.RLIMIT_AS, (most_memory_bytes, most_memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    while len(head := inward.read(8)) == 8:
        # the limit is on all that the process has used, so it is moved on for each picture
        used = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        resource.setrlimit(resource.RLIMIT_CPU, (int(used) + most_cpu_seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        size = struct.unpack("<Q", head)[0]
        if size > MOST_IMAGE_BYTES:
            return
        outward.write(json.dumps(_problem_of(inward.read(size)), ensure_ascii=True).encode("ascii") + b"\n")
        outward.flush()


def _problem_of(data: bytes) -> str:
    import io
    import warnings

    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                picture.load()
    except MemoryError:
        return "it needs too much memory"
    except Exception as error:  # a decoder raises whatever it likes; all of it is about the picture
        return f"it cannot be decoded: {type(error).__name__}: {error}"[:300]
    return ""
