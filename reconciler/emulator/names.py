"""Request ids as the two protocol generations spell them: the same ones for the same seed, entry and time. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import chain, count
from uuid import UUID


def uuid_names(seed: int, number: int, at: float) -> Iterator[str]:
    """G1: version 4 UUIDs, without end."""
    return (str(UUID(bytes=_noise(seed, number, at, salt)[:16], version=4)) for salt in count())


def queue_names(api: str, seed: int, number: int, at: float) -> Iterator[str]:
    """G2: the API's name and what looks like a version 7 UUID, but for its last group of 13 digits; without end."""
    for salt in count():
        noise = _noise(seed, number, at, salt).hex()
        time = f"{int(at * 1000) & (1 << 48) - 1:012x}"
        yield f"{api}_{time[:8]}-{time[8:]}-7{noise[:3]}-{'89ab'[int(noise[3], 16) % 4]}{noise[4:7]}-{noise[7:20]}"


def given_names(name: str) -> Iterator[str]:
    """The given name, then the same with a number, without end."""
    return chain([name], (f"{name}-{n}" for n in count(2)))


def _noise(seed: int, number: int, at: float, salt: int) -> bytes:
    return hashlib.sha256(f"{seed}/{number}/{int(at * 1000)}/{salt}".encode()).digest()
