"""Who spends, from where, for what: what every purchase remembers of its circumstances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.errors import StateProblem
from reconciler.state import State


@dataclass(frozen=True, slots=True)
class Origin:
    """The circumstances of a run. `world` is `live`, `loopback` or `emulated`; `key` the key's fingerprint."""

    actor: str
    endpoint: str
    world: str
    key: str
    commit: str = ""
    run_url: str = ""
    new_id: Callable[[], str] = lambda: ""
    """Makes the unique part of attempt and job ids: lower-case letters, digits and hyphens, in order of time."""


_WORLDS = {"live": "the real API", "loopback": "a server on this machine", "emulated": "the embedded emulator"}


def refuse_other_world(state: State, world: str) -> None:
    """Raise StateProblem when this state's money was spent in another world: their jobs do not know each other."""
    if state.world not in (None, world):
        raise StateProblem(
            f"this state was bought from {_WORLDS.get(str(state.world), state.world)} and cannot be used with {_WORLDS.get(world, world)}; nothing was sent",
            hint="use another project folder or RECONCILER_STATE for it",
        )
