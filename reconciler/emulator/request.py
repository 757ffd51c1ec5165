"""What a submit asks for, and whether the backend would take it. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple, assert_never

from reconciler.emulator.answers import Answer, backend, missing_field
from reconciler.emulator.timeline import DEFAULT_STEPS
from reconciler.text import safe
from reconciler.trainer import Parameter, Trainer

TOLD_CHARACTERS = 500
MOST_STEPS = 10**9
"""Beyond this a training would not end in any time that a clock can show."""


class Wanted(NamedTuple):
    """A submit as it was understood: the dataset's URL (None: not a text) and the other fields."""

    dataset: str | None
    parameters: Mapping[str, Any]

    def steps(self, trainer: Trainer) -> int:
        """How many steps would be trained."""
        steps = self.parameters.get("steps")
        if isinstance(steps, int) and not isinstance(steps, bool) and steps > 0:
            return min(steps, MOST_STEPS)
        known = trainer.parameter("steps")
        return known.default if known is not None and isinstance(known.default, int) else DEFAULT_STEPS

    def told_dataset(self) -> str:
        """The dataset for the ledger: without query, user name and inline data, of bounded length."""
        return safe(self.dataset or "", "log", limit=TOLD_CHARACTERS)

    def told_parameters(self) -> dict[str, Any]:
        """The scalar fields for the ledger, of bounded length."""
        return {k[:100]: safe(v, "log", limit=TOLD_CHARACTERS) if isinstance(v, str) else v for k, v in list(self.parameters.items())[:50] if _scalar(v)}


def understood(trainer: Trainer, body: bytes) -> Wanted | None:
    """The body as JSON object, or None when it is none."""
    try:
        value = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    dataset = value.pop(trainer.dataset_field, "")
    return Wanted(dataset if isinstance(dataset, str) else None, value)


def objection(trainer: Trainer, wanted: Wanted | None, content_type: str) -> Answer | None:
    """The backend's 400, or None for a request that it would take. Fields it does not know pass."""
    if wanted is None or wanted.dataset is None or content_type.partition(";")[0].strip().lower() != "application/json":
        return backend(400)
    if not wanted.dataset:
        return missing_field(trainer.dataset_field)
    if wanted.dataset[:5].lower() != "data:" and not wanted.dataset.lower().startswith(("http://", "https://")):
        return backend(400)
    good = all(p.name not in wanted.parameters or _fits(p, wanted.parameters[p.name]) for p in trainer.parameters)
    return None if good else backend(400)


def _fits(parameter: Parameter, value: Any) -> bool:
    match parameter.type:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool) and _within(parameter, value)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool) and _within(parameter, value)
        case _:
            assert_never(parameter.type)


def _within(parameter: Parameter, value: float) -> bool:
    low, high = parameter.minimum, parameter.maximum
    above, below = parameter.exclusive_minimum, parameter.exclusive_maximum
    inside = (low is None or value >= low) and (high is None or value <= high)
    return inside and (above is None or value > above) and (below is None or value < below)


def _scalar(value: Any) -> bool:
    return isinstance(value, (str, bool)) or (isinstance(value, (int, float)) and abs(value) < 2**63 and math.isfinite(value))


def _refuse(constant: str) -> float:
    raise ValueError(constant)
