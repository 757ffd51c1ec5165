"""Servers and clients of the tests of pixazo/."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from reconciler.pixazo.client import PixazoApi
from reconciler.pixazo.key import Key
from reconciler.trainer import BUILT_IN

from .clients import KEY
from .raw_server import RawServer


@pytest.fixture
def serve() -> Iterator[Callable[..., RawServer]]:
    """Start a raw server with these plays."""
    with contextlib.ExitStack() as stack:
        yield lambda *plays: stack.enter_context(RawServer(list(plays)))


@pytest.fixture
def client() -> Iterator[Callable[..., PixazoApi]]:
    """A client of a raw server, with small deadlines."""
    with contextlib.ExitStack() as stack:

        def make(server: RawServer | str, **options: object) -> PixazoApi:
            settings = {"deadline_seconds": 5.0, "polls_per_second": None} | options
            url = server if isinstance(server, str) else server.url
            api = PixazoApi(url, Key(KEY), settings.pop("trainers", BUILT_IN), **settings)
            stack.callback(api.close)
            return api

        yield make
