"""Rows for attempts that may have been charged although no request id is known. They block their own model and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from reconciler.job import Attempt, Sent
from reconciler.model import Model, Resolution
from reconciler.money import ZERO
from reconciler.plan.action import Action, Reason
from reconciler.plan.change import Change
from reconciler.plan.known import Known
from reconciler.plan.metadata import metadata_to_bind
from reconciler.text import safe


@dataclass(frozen=True, slots=True)
class Doubts:
    """The doubts of a state as rows of one plan. Each attempt's money stands in one row only: that of `owners[attempt]`."""

    known: Known
    owners: Mapping[str, str]
    resolutions: Mapping[str, Resolution]

    def of_model(self, model: Model, previous_name: str | None) -> Change | None:
        """The row of a model that is blocked: by its own attempt, by its former name's, or by one for the same spec."""
        if not self.known.doubts:
            return None
        own = self.known.doubts_by_name.get(model.name, [])
        former = self.known.doubts_by_name.get(previous_name, []) if previous_name else []
        shared = self.known.doubts_by_digest.get(model.spec.digest, [])
        attempts = list({a.id: a for a in (*own, *former, *shared)}.values())
        if not attempts:
            return None
        binding = self.known.bindings.get(previous_name or model.name)
        metadata = metadata_to_bind(model, None if binding is None else binding.metadata)
        return replace(self._row(model.name, attempts, model), previous_name=previous_name, metadata=metadata)

    def of_undeclared(self, name: str) -> Change | None:
        """The row of a name that nobody declares any more, if something about it is in doubt."""
        attempts = self.known.doubts_by_name.get(name)
        return self._row(name, attempts, None) if attempts else None

    def _row(self, name: str, attempts: list[Attempt], model: Model | None) -> Change:
        first = attempts[0]
        owned = [a for a in attempts if self.owners.get(a.id) == name]
        resolution = next((self.resolutions[a.id] for a in attempts if a.id in self.resolutions), None)
        attempt = first if resolution is None else next(a for a in attempts if a.id == resolution.attempt)
        return Change(
            name,
            Action.IN_DOUBT,
            Reason.IN_DOUBT,
            at_risk=sum((a.price for a in owned), ZERO),
            spec_digest=attempt.spec_digest if model is None else model.spec.digest,
            attempt=attempt.id,
            place=model.place if model else None,
            note=_note(attempt, self.known.environment, name, more=len(attempts) - 1, resolution=resolution),
            model=model,
            resolution=resolution if self.owners.get(attempt.id) == name else None,
        )


def doubts_of(known: Known, models: Mapping[str, Model], resolutions: tuple[Resolution, ...]) -> Doubts:
    """Decide which row each doubt's money stands in: its own name's; for other environments the first model it blocks."""
    first_by_digest: dict[str, str] = {}
    if known.doubts:
        for name in sorted(models):
            first_by_digest.setdefault(models[name].spec.digest, name)
    owners = {a.id: owner for a in known.doubts if (owner := a.name if a.environment == known.environment else first_by_digest.get(a.spec_digest)) is not None}
    return Doubts(known, owners, {r.attempt: r for r in reversed(resolutions)})


def _note(attempt: Attempt, environment: str, name: str, *, more: int, resolution: Resolution | None) -> str:
    when = f"{attempt.sent_at[:10]} {attempt.sent_at[11:16]} UTC"
    missing = "no answer recorded yet" if attempt.status is Sent.SENDING else "no answer"
    text = f"sent {when}, {missing}; not sent again"
    if attempt.environment != environment:
        text = f"the same spec is in doubt for {attempt.name} in environment {attempt.environment}: {text}"
    elif attempt.name != name:
        text = f"the same spec is in doubt for {attempt.name}: {text}"
    if more:
        text += f"; {more} more in doubt"
    if resolution is not None:
        found = "nothing was submitted" if resolution.request_id is None else f"request {safe(resolution.request_id)}"
        text += f"; resolved by {resolution.place.file}:{resolution.place.line}: {found}"
    return text
