"""What becomes of a fact when another runner has appended to a shared journal before it: pure.

An intent, a binding, a consent or a take-over was decided by somebody who did not know what is known now: it has to be
decided again. How something ended is true on any head, and so is a pause.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconciler.fact import Draft, Kind
from reconciler.job import Phase, next_phase
from reconciler.state import Books

_ANYWHERE = frozenset({Kind.OUTCOME, Kind.SETTLED, Kind.PAUSE, Kind.RESUME})


def holds_anywhere(drafts: Iterable[Draft]) -> bool:
    """Whether these facts are true whatever else was appended before them."""
    return all(draft.kind in _ANYWHERE for draft in drafts)


def still_news(drafts: Sequence[Draft], books: Books) -> list[Draft]:
    """The facts without those that another runner has written down already: the end of a job is known once."""
    return [draft for draft in drafts if draft.kind is not Kind.SETTLED or _is_news(draft, books)]


def _is_news(draft: Draft, books: Books) -> bool:
    job = books.jobs.get(str(draft.data["job"]))
    return job is None or job.settled_at is None or next_phase(job.phase, Phase(draft.data["phase"])) is not job.phase
