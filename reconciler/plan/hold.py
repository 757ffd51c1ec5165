"""What keeps a purchase from being made: a failure, a suspension, a protection. Each says how it is lifted."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.job import Binding, Job, Phase
from reconciler.model import Model
from reconciler.money import Money
from reconciler.plan.action import Reason
from reconciler.text import format_money, safe


class Hold(NamedTuple):
    """Why nothing is bought, and what to do about it. `job` is the one that failed."""

    reason: Reason
    note: str
    job: str | None = None
    is_lifted_by_update: bool = False
    """The manifest lifts it, but a plan that lifts a protection does not use that at once."""


def failure(model: Model, job: Job, tries: int) -> Hold | None:
    """The last job of the spec ended badly after `tries` purchases. None where the lifecycle buys another one by itself."""
    retries = model.lifecycle.on_failure == "retry"
    if retries and tries < model.lifecycle.max_attempts:
        return None
    error = f": {safe(job.error)}" if job.error else ""
    again = f"to buy again: generation: {model.spec.generation + 1}, or -replace={model.name}"
    if retries:
        return Hold(Reason.MAX_ATTEMPTS, f"{tries} of {model.lifecycle.max_attempts} attempts ended badly{error}; {again}", job.id)
    if job.phase is Phase.LOST:
        return Hold(Reason.LOST, f"last job was lost{error}; {again}", job.id)
    return Hold(Reason.LAST_FAILED, f"last job failed{error}; {again}", job.id)


def suspension(model: Model, price: Money | None) -> Hold | None:
    """`lifecycle.suspend`: nothing is bought for it."""
    if not model.lifecycle.suspend:
        return None
    return Hold(Reason.SUSPENDED, f"suspended by lifecycle.suspend{_would(price)}")


def protection(model: Model, binding: Binding, price: Money | None) -> Hold | None:
    """`lifecycle.prevent_retrain`, declared now or applied once: what the name points to is not replaced by a purchase."""
    if not binding.prevent_retrain and model.lifecycle.prevent_retrain is not True:
        return None
    if model.lifecycle.prevent_retrain is False:
        note = f"this apply lifts the protection; what else changed is bought by the next one{_would(price)}; at once: -allow-retrain={model.name}"
        return Hold(Reason.PROTECTED, note, is_lifted_by_update=True)
    return Hold(Reason.PROTECTED, f"protected by lifecycle.prevent_retrain{_would(price)}; to retrain it: -allow-retrain={model.name}")


def _would(price: Money | None) -> str:
    return f", would cost {format_money(price)}" if price else ""
