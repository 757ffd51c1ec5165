"""Trainers as records: where a job is submitted, what its body is called, which parameters it has.

A trainer is data, not a plugin: the vendor's family differs only in these values. Facts about the built-in one
come from the vendor's page of the FLUX.2 Trainer API; the defaults are upstream's, because the vendor states none.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from reconciler.money import Price

DEFAULT_ENDPOINT = "https://gateway.pixazo.ai"
SECONDS_PER_STEP = 1.27
"""Upstream's measured training time of one step, seconds (5090.8 s for 4000 steps)."""

Scalar = int | float | str | bool


@dataclass(frozen=True, slots=True)
class Parameter:
    """One training parameter: its type, the default that is always sent, and its hard bounds."""

    name: str
    type: Literal["integer", "number", "string", "boolean"]
    default: Scalar | None
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    usual: tuple[float, float] | None = None
    """Outside this range a manifest gets a warning, not an error."""


@dataclass(frozen=True, slots=True)
class Trainer:
    """One trainer of the API. `result_path` is None where only the common status queue exists."""

    id: str
    api: str
    submit_path: str
    result_path: str | None
    dataset_field: str
    parameters: tuple[Parameter, ...]
    seconds_per_step: float = SECONDS_PER_STEP

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of that name, or None."""
        return next((p for p in self.parameters if p.name == name), None)

    @property
    def submit_url_path(self) -> str:
        """Path of the submit request below the endpoint."""
        return f"/{self.api}{self.submit_path}"

    @property
    def result_url_path(self) -> str | None:
        """Path of the result request below the endpoint, or None."""
        return None if self.result_path is None else f"/{self.api}{self.result_path}"


STEPS = Parameter("steps", "integer", 1000, minimum=1, maximum=1_000_000, usual=(100, 10_000))
LEARNING_RATE = Parameter("learning_rate", "number", 5e-5, exclusive_minimum=0, maximum=1, usual=(1e-6, 1e-2))

PIXAZO_FLUX2_PRO = Trainer(
    id="pixazo-flux2-pro",
    api="flux-2-pro-text-to-image-trainer-712",
    submit_path="/v1/flux-2-pro-text-to-image-trainer-request",
    result_path="/v1/flux-2-pro-text-to-image-trainer-request-result",
    dataset_field="image_data_url",
    parameters=(STEPS, LEARNING_RATE),
)

BUILT_IN = {PIXAZO_FLUX2_PRO.id: PIXAZO_FLUX2_PRO}
DEFAULT_TRAINER = PIXAZO_FLUX2_PRO.id
LIST_PRICES = (Price(trainer=PIXAZO_FLUX2_PRO.id, since="2026-01-01", per_run=Decimal("8.00")),)
"""The vendor's page: "All Resolution $8". A label, not a quote; `prices:` in the project file overrides it."""
