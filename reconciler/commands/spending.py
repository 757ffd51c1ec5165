"""What apply, refresh, resolve and adopt share: signals, the API behind the emulator or the endpoint, and who they are."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from reconciler.commands.context import Context, project_settings, state_file
from reconciler.engine.origin import Origin
from reconciler.engine.stop import Stop
from reconciler.errors import Interrupted, Usage
from reconciler.ports import TrainerApi
from reconciler.project import Project
from reconciler.trainer import SECONDS_PER_STEP

if TYPE_CHECKING:
    from reconciler.pixazo.key import Key

EMULATED_KEY = "emulated-key-that-buys-nothing"
SPEED_VARIABLE = "RECONCILER_EMULATE_SPEED"
POLLS_PER_SECOND = 2.0
"""What the vendor is asked at most, all jobs together; a server on this machine is not limited."""
_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"


@contextlib.contextmanager
def stoppable() -> Iterator[Stop]:
    """First SIGINT or SIGTERM: a clean stop. Second: at once; what is in flight is in doubt at the next start."""
    stop = Stop()

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.is_requested:
            os._exit(128 + number)
        stop.request(number)
        if stop.is_asking:
            raise Interrupted(number, "stopped at the prompt; nothing was bought")

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ask(context: Context, stop: Stop, question: str) -> str:
    """The answer to a question on stderr, without blanks around it; empty at the end of the input. Raises Interrupted."""
    context.err.write(question)
    context.err.flush()
    stop.is_asking = True
    try:
        return "" if stop.is_requested else input().strip()
    except EOFError:
        return ""
    finally:
        stop.is_asking = False


@dataclass(frozen=True, slots=True)
class Connected:
    """The API, ready, and what every purchase through it remembers."""

    api: TrainerApi
    origin: Origin
    seconds_per_step: float = SECONDS_PER_STEP
    """How long one step takes there, as far as is known beforehand."""


@contextlib.contextmanager
def connect(context: Context, project: Project, *, emulate: bool, lineage: str) -> Iterator[Connected]:
    """The trainer API: the embedded emulator, or the endpoint with the key. Raises ApiProblem without a usable key."""
    from reconciler.pixazo.client import PixazoApi
    from reconciler.pixazo.key import Key, read_key

    with contextlib.ExitStack() as stack:
        pace = SECONDS_PER_STEP
        if emulate:
            from reconciler.emulator.embedded import embedded

            speed = _speed(context.environment)
            pace = SECONDS_PER_STEP / speed
            endpoint = stack.enter_context(embedded(state_file(context, project).parent, project.trainers, speed=speed))
            key = Key(EMULATED_KEY, source="the emulator")
        else:
            endpoint = project_settings(context, project).endpoint.value
            key = read_key(context.environment)
            if context.settings.log.value != "off":
                from reconciler.log import hide

                hide(key.redact)
        api = PixazoApi(endpoint, key, project.trainers, polls_per_second=_rate(project, endpoint), proxy_environment={} if emulate else context.environment)
        stack.callback(api.close)
        yield Connected(api, _origin(context, api.endpoint, "emulated" if emulate else api.world, key, lineage), pace)


def world_of(context: Context, project: Project, *, emulate: bool) -> str:
    """Where this command would spend, known before any key is read: `live`, `loopback` or `emulated`."""
    if emulate:
        return "emulated"
    return "live" if project_settings(context, project).endpoint.value.startswith("https:") else "loopback"


def new_id() -> str:
    """13 letters and digits in order of time: 7 for the second, 6 at random."""
    seconds = int(time.time())
    clock = "".join(_ALPHABET[(seconds >> shift) & 31] for shift in range(30, -1, -5))
    return clock + base64.b32encode(os.urandom(4)).decode("ascii").lower()[:6]


def _origin(context: Context, endpoint: str, world: str, key: Key, lineage: str) -> Origin:
    who = context.provenance
    return Origin(who.actor, endpoint, world, key.fingerprint(lineage), who.commit, who.run_url, new_id)


def _rate(project: Project, endpoint: str) -> float | None:
    if project.polls_per_second is not None:
        return project.polls_per_second
    return POLLS_PER_SECOND if endpoint.startswith("https:") else None


def _speed(environment: Mapping[str, str]) -> float:
    from reconciler.emulator.embedded import DEFAULT_SPEED

    text = environment.get(SPEED_VARIABLE, "")
    if not text:
        return DEFAULT_SPEED
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < 1e9:
        raise Usage(f"{SPEED_VARIABLE} must be a number above 0")
    return speed
