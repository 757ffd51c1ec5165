"""Rows against journal: everything that the journal decides must be in the rows, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reconciler.errors import StateProblem
from reconciler.job import SEEN, Job, Phase
from reconciler.state import State
from reconciler.store.rows import DAMAGED
from reconciler.text import safe

_UNSEEN: Mapping[str, Any] = {"phase": Phase.QUEUED, "polls": 0, "misses": 0}


def compare(folded: State, rows: State) -> None:
    """Raise StateProblem for the first difference between what the journal folds to and what the rows say."""
    _equal("attempt", folded.attempts, rows.attempts)
    _equal("job", {k: _decided(j) for k, j in folded.jobs.items()}, {k: _decided(j) for k, j in rows.jobs.items()})
    _equal("binding", folded.bindings, rows.bindings)
    if folded.pause != rows.pause:
        raise StateProblem("the state's pause is not what the journal folds to", hint=DAMAGED)
    if (folded.lineage, folded.serial) != (rows.lineage, rows.serial):
        raise StateProblem(f"the state stands for {rows.serial} facts, the journal holds {folded.serial}", hint=DAMAGED)


def _equal(kind: str, folded: Mapping[Any, Any], rows: Mapping[Any, Any]) -> None:
    if folded == rows:
        return
    for key in sorted(folded.keys() | rows.keys()):
        if folded.get(key) != rows.get(key):
            how = "is not in the state" if key not in rows else "is not in the journal" if key not in folded else "is not what the journal folds to"
            name = key if isinstance(key, str) else "/".join(key)
            raise StateProblem(f"{kind} {safe(name, limit=200)} {how}", hint=DAMAGED)


def _decided(job: Job) -> Job:
    """The job without what may be looked up again: how often and how it answered, and the signatures of its URLs."""
    files = tuple(replace(a, url=a.url.partition("?")[0]) for a in job.artifacts)
    seen: dict[str, Any] = {name: _UNSEEN.get(name) for name in SEEN if name != "phase" or job.phase.is_pending}
    return replace(job, artifacts=files, **seen)
