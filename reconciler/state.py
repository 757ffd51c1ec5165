"""The state as a value, and the fold: what a journal's facts amount to.

`fold` is the only place that knows what a fact changes. The store keeps its result in rows, `plan` makes it in
memory when there are no rows: both get the same state.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, TypeVar, assert_never

from reconciler.errors import StateProblem
from reconciler.fact import FORMAT_VERSION, Fact, Kind
from reconciler.job import DOUBTFUL, SENT_TRANSITIONS, Artifact, Attempt, Binding, Job, Pause, Phase, Sent, next_phase

K = TypeVar("K")
V = TypeVar("V")

BindingKey = tuple[str, str]
"""(environment, name)."""


@dataclass(frozen=True, slots=True)
class State:
    """An immutable snapshot of everything known. Readers must not change its mappings."""

    lineage: str
    serial: int = 0
    """How many facts it was folded from."""
    attempts: Mapping[str, Attempt] = field(default_factory=dict)
    jobs: Mapping[str, Job] = field(default_factory=dict)
    bindings: Mapping[BindingKey, Binding] = field(default_factory=dict)
    pause: Pause | None = None
    notes: tuple[str, ...] = ()
    """What a reader should be told: that it was folded from the journal, or that its history forked."""

    @property
    def doubts(self) -> list[Attempt]:
        """Attempts that may have been charged although no id is known, oldest first."""
        return sorted((a for a in self.attempts.values() if a.status in DOUBTFUL), key=lambda a: (a.sent_at, a.id))

    @property
    def world(self) -> str | None:
        """Where its money was spent (`live`, `loopback`, `emulated`), or None while nothing was bought."""
        for entity in (self.attempts, self.jobs):
            for row in entity.values():
                return row.world
        return None

    def job_of(self, environment: str, name: str) -> Job | None:
        """The job a name points to."""
        bound = self.bindings.get((environment, name))
        return None if bound is None else self.jobs.get(bound.job)


@dataclass(slots=True)
class Books:
    """The fold while it is being made. `fold` changes it; `snapshot` shows it."""

    lineage: str = ""
    serial: int = 0
    attempts: MutableMapping[str, Attempt] = field(default_factory=dict)
    jobs: MutableMapping[str, Job] = field(default_factory=dict)
    bindings: MutableMapping[BindingKey, Binding | None] = field(default_factory=dict)
    pause: Pause | None = None
    open_by_digest: MutableMapping[str, str] = field(default_factory=dict)
    """spec digest → the attempt that blocks another one, or "" when none does any more."""

    def snapshot(self, notes: tuple[str, ...] = ()) -> State:
        """What is folded so far; the mappings are copies."""
        bindings = {k: b for k, b in self.bindings.items() if b is not None}
        return State(self.lineage, self.serial, dict(self.attempts), dict(self.jobs), bindings, self.pause, notes)

    def layer(self) -> Books:
        """Books on top of these: reads fall through, writes stay above until `absorb`."""
        return Books(
            self.lineage,
            self.serial,
            ChainMap({}, self.attempts),
            ChainMap({}, self.jobs),
            ChainMap({}, self.bindings),
            self.pause,
            ChainMap({}, self.open_by_digest),
        )

    def absorb(self, layer: Books) -> None:
        """Take over what was written in a layer of these books."""
        self.lineage, self.serial, self.pause = layer.lineage, layer.serial, layer.pause
        self.attempts.update(written(layer.attempts))
        self.jobs.update(written(layer.jobs))
        self.bindings.update(written(layer.bindings))
        self.open_by_digest.update(written(layer.open_by_digest))


def written(mapping: MutableMapping[K, V]) -> MutableMapping[K, V]:
    """What was written into a mapping of a layer; everything, when it is no layer."""
    return mapping.maps[0] if isinstance(mapping, ChainMap) else mapping


def fold_all(facts: Iterable[Fact], books: Books | None = None) -> Books:
    """The books after `facts`, on top of `books`."""
    books = books or Books()
    for fact in facts:
        fold(books, fact)
    return books


def fold(books: Books, fact: Fact) -> None:
    """Apply one fact. Raises StateProblem for a fact that no version of this program could have written here."""
    data = fact.data
    try:
        match fact.kind:
            case Kind.GENESIS:
                _genesis(books, data)
            case Kind.INTENT:
                _intent(books, fact)
            case Kind.OUTCOME:
                _outcome(books, fact)
            case Kind.RESOLUTION:
                _resolution(books, fact)
            case Kind.SETTLED:
                _settled(books, fact)
            case Kind.ADOPTION:
                _adoption(books, fact)
            case Kind.BINDING:
                _binding(books, fact)
            case Kind.PAUSE:
                books.pause = Pause(str(data["reason"]), str(data["actor"]), fact.at)
            case Kind.RESUME:
                books.pause = None
            case _:
                assert_never(fact.kind)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise StateProblem(f"fact {fact.hash[:12]} ({fact.kind}) in the journal is not complete: {type(error).__name__}") from error
    books.serial += 1


def _genesis(books: Books, data: Mapping[str, Any]) -> None:
    if books.lineage:
        raise StateProblem("the journal begins twice")
    if data["format"] != FORMAT_VERSION:
        raise StateProblem(f"the journal has format {data['format']!s:.20}; this program reads {FORMAT_VERSION}", hint="install a newer lora-reconciler")
    books.lineage = str(data["lineage"])


def _intent(books: Books, fact: Fact) -> None:
    data = fact.data
    consent = data.get("consent", {"jobs": (), "reason": ""})
    attempt = Attempt(
        id=str(data["attempt"]),
        environment=str(data["environment"]),
        name=str(data["name"]),
        trainer=str(data["trainer"]),
        spec_digest=str(data["spec_digest"]),
        spec=data["spec"],
        price=Decimal(data["price"]),
        sent_at=fact.at,
        endpoint=str(data["endpoint"]),
        world=str(data["world"]),
        body=str(data["body"]),
        body_sha256=str(data["body_sha256"]),
        actor=str(data["actor"]),
        commit=str(data["commit"]),
        run_url=str(data["run_url"]),
        key=str(data["key"]),
        consents=tuple(consent["jobs"]),
        consent_reason=str(consent["reason"]),
    )
    if attempt.id in books.attempts:
        raise StateProblem(f"attempt {attempt.id} begins twice in the journal")
    _supersede(books, attempt.consents, superseded=True)
    if first := books.open_by_digest.get(attempt.spec_digest):
        attempt = replace(attempt, duplicate_of=first)
    _keep_attempt(books, attempt)


def _keep_attempt(books: Books, attempt: Attempt) -> None:
    books.attempts[attempt.id] = attempt
    held = books.open_by_digest.get(attempt.spec_digest)
    if attempt.blocks:
        books.open_by_digest[attempt.spec_digest] = attempt.id
    elif held == attempt.id:
        books.open_by_digest[attempt.spec_digest] = ""


def _end(attempt: Attempt, status: Sent) -> None:
    if status not in SENT_TRANSITIONS[attempt.status]:
        raise StateProblem(f"attempt {attempt.id} is {attempt.status} and cannot become {status}")


def _outcome(books: Books, fact: Fact) -> None:
    data = fact.data
    attempt = books.attempts[data["attempt"]]
    status = Sent(data["verdict"])
    if attempt.status is Sent.IN_DOUBT and status in (Sent.IN_DOUBT, Sent.NOT_SENT, Sent.REJECTED):
        return  # a fork's recovery was faster; only an id adds to what is known
    if attempt.status is Sent.ACCEPTED and data.get("request_id") == attempt.request_id:
        return
    _end(attempt, status)
    ended = replace(
        attempt,
        status=status,
        ended_at=fact.at,
        job=data.get("job"),
        request_id=data.get("request_id"),
        http_status=data.get("http_status"),
        evidence=str(data.get("evidence", "")),
        salvaged=data.get("salvaged"),
    )
    _keep_attempt(books, ended)
    if status is Sent.ACCEPTED:
        _job_of(books, ended, data.get("poll_url"))
    elif status is not Sent.IN_DOUBT:
        _supersede(books, ended.consents, superseded=False)


def _job_of(books: Books, attempt: Attempt, poll_url: str | None) -> None:
    assert attempt.job, "an accepted attempt has a job"
    assert attempt.request_id, "an accepted attempt has an id"
    books.jobs[attempt.job] = Job(
        id=attempt.job,
        attempt=attempt.id,
        environment=attempt.environment,
        name=attempt.name,
        trainer=attempt.trainer,
        spec_digest=attempt.spec_digest,
        spec=attempt.spec,
        price=attempt.price,
        request_id=attempt.request_id,
        submitted_at=attempt.sent_at,
        world=attempt.world,
        poll_url=poll_url,
    )


def _resolution(books: Books, fact: Fact) -> None:
    data = fact.data
    attempt = books.attempts[data["attempt"]]
    found = data.get("request_id")
    status = Sent.ACCEPTED if found else Sent.WRITTEN_OFF
    if attempt.status is Sent.ACCEPTED and found in (None, attempt.request_id):
        return
    _end(attempt, status)
    ended = replace(attempt, status=status, ended_at=fact.at, request_id=found, job=data.get("job"))
    if status is Sent.ACCEPTED and (first := books.open_by_digest.get(attempt.spec_digest)) not in (None, "", attempt.id):
        ended = replace(ended, duplicate_of=first)
    _keep_attempt(books, ended)
    if status is Sent.ACCEPTED:
        _job_of(books, ended, data.get("poll_url"))
    _supersede(books, ended.consents, superseded=status is Sent.ACCEPTED)


def _settled(books: Books, fact: Fact) -> None:
    data = fact.data
    job = books.jobs[data["job"]]
    phase = next_phase(job.phase, Phase(data["phase"]))
    if phase is job.phase and not job.phase.is_pending and job.settled_at:
        return
    files = tuple(Artifact(**a) for a in data["artifacts"])
    books.jobs[job.id] = replace(
        job, phase=phase, settled_at=fact.at, error=str(data["error"]), charged=bool(data["charged"]), artifacts=files, misses=0, first_miss_at=None
    )


def _supersede(books: Books, jobs: Iterable[str], superseded: bool) -> None:
    """Jobs that a consented attempt replaces no longer stand in its way; when it came to nothing they do again."""
    for job_id in jobs:
        job = books.jobs[job_id]
        books.jobs[job_id] = replace(job, superseded=superseded)
        if job.attempt is not None and (attempt := books.attempts.get(job.attempt)) is not None:
            _keep_attempt(books, replace(attempt, superseded=superseded))


def _adoption(books: Books, fact: Fact) -> None:
    data = fact.data
    job = Job(
        id=str(data["job"]),
        environment=str(data["environment"]),
        name=str(data["name"]),
        trainer=str(data["trainer"]),
        spec_digest=str(data["spec_digest"]),
        spec=data["spec"],
        price=Decimal(data["price"]),
        request_id=str(data["request_id"]),
        submitted_at=fact.at,
        world=str(data["world"]),
        poll_url=data.get("poll_url"),
    )
    if job.id in books.jobs:
        raise StateProblem(f"job {job.id} begins twice in the journal")
    books.jobs[job.id] = job


def _binding(books: Books, fact: Fact) -> None:
    data = fact.data
    key = (str(data["environment"]), str(data["name"]))
    job = data["job"]
    if job is not None and job not in books.jobs:
        raise StateProblem(f"the journal binds {key[1]!r} to a job that it does not know")
    books.bindings[key] = None if job is None else Binding(*key, job=str(job), since=fact.at, metadata=data["metadata"])
