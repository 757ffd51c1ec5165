"""What was bought, as reports on all of it see it: of each job and each name the few facts that a row of theirs needs.

A `State` says the same and more; whoever has no need for specs and settled attempts is given a `Ledger`, which costs a
part of its memory and time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from reconciler.job import Attempt, Job, Pause, Phase
from reconciler.money import Money
from reconciler.state import BindingKey, State


class Bill(NamedTuple):
    """A job without what was trained: the fields are those of `Job`."""

    id: str
    environment: str
    name: str
    price: Money
    request_id: str
    submitted_at: str
    phase: Phase
    charged: bool


class Bound(NamedTuple):
    """A name and what it points to: the fields are those of `Binding`."""

    environment: str
    name: str
    job: str
    since: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything that was bought, in brief. Readers must not change its mappings."""

    lineage: str
    serial: int
    jobs: Mapping[str, Bill]
    bindings: Mapping[BindingKey, Bound]
    doubts: Sequence[Attempt]
    pause: Pause | None = None
    notes: tuple[str, ...] = ()


Billed = Job | Bill
Purchased = State | Ledger
