"""What apply and refresh tell the world, as values. Written by `engine/`, rendered by `reports/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

EventType = Literal[
    "version",
    "planned_change",
    "change_summary",
    "purchase_intent",
    "purchase_accepted",
    "purchase_rejected",
    "purchase_in_doubt",
    "poll",
    "job_settled",
    "budget",
    "artifact_saved",
    "diagnostic",
]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, after it is durable. `at` is UTC ISO 8601; `data` holds plain JSON values.

    `level` is `info`, `warn` or `error`; `message` is one English sentence for people.
    """

    type: EventType
    at: str
    message: str
    name: str | None = None
    level: Literal["info", "warn", "error"] = "info"
    data: Mapping[str, Any] = field(default_factory=dict)
