"""The state as a value, and the fold: what a journal's facts amount to.

`fold` is the only place that knows what a fact changes. The store keeps its result in rows, `plan` makes it in
memory when there are no rows: both get the same state.

Histories that went apart are folded in one order that their set alone decides. So a fact may meet what its writer did not
know; what it then changes depends on what is known better, not on who was first, and what follows from several
attempts of a spec (who is superseded, who is a duplicate) is derived anew whenever one of them changes.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import sha256
from typing import Any, TypeVar, assert_never

from reconciler.errors import StateProblem
from reconciler.fact import FORMAT_VERSION, Fact, Kind
from reconciler.job import DOUBTFUL, Artifact, Attempt, Binding, Job, Pause, Phase, Sent, adds, job_of_attempt, next_phase
from reconciler.money import ZERO

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
    unsettled: tuple[Attempt, ...] | None = field(default=None, compare=False)
    """The attempts in doubt and the duplicates, where whoever made this state has picked them already."""

    @property
    def doubts(self) -> list[Attempt]:
        """Attempts that may have been charged although no id is known, oldest first."""
        return sorted((a for a in self._unsettled if a.status in DOUBTFUL), key=lambda a: (a.sent_at, a.id))

    @property
    def duplicates(self) -> list[Attempt]:
        """Attempts for a spec that another history had bought, or may have bought, already; oldest first."""
        return sorted((a for a in self._unsettled if a.duplicate_of is not None), key=lambda a: (a.sent_at, a.id))

    @property
    def _unsettled(self) -> Iterable[Attempt]:
        return self.attempts.values() if self.unsettled is None else self.unsettled

    @property
    def world(self) -> str | None:
        """Where its money was spent (`live`, `loopback`, `emulated`), or None while nothing was bought."""
        for entity in (self.jobs, self.attempts):
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
    attempts_of: MutableMapping[str, tuple[str, ...]] = field(default_factory=dict)
    """spec digest → its attempts, oldest first."""
    consents_to: MutableMapping[str, tuple[str, ...]] = field(default_factory=dict)
    """job → the attempts that somebody agreed to make although the job was bought."""

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
            ChainMap({}, self.attempts_of),
            ChainMap({}, self.consents_to),
        )

    def index(self, attempt: Attempt) -> None:
        """Remember the place of a new attempt among those of its spec; to be called in their order."""
        self.attempts[attempt.id] = attempt
        self.attempts_of[attempt.spec_digest] = (*self.attempts_of.get(attempt.spec_digest, ()), attempt.id)
        for job in attempt.consents:
            self.consents_to[job] = (*self.consents_to.get(job, ()), attempt.id)

    def absorb(self, layer: Books) -> None:
        """Take over what was written in a layer of these books."""
        self.lineage, self.serial, self.pause = layer.lineage, layer.serial, layer.pause
        self.attempts.update(written(layer.attempts))
        self.jobs.update(written(layer.jobs))
        self.bindings.update(written(layer.bindings))
        self.attempts_of.update(written(layer.attempts_of))
        self.consents_to.update(written(layer.consents_to))


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
    known = books.attempts.get(attempt.id)
    if known is None:
        books.index(attempt)
        _follow(books, attempt)
    elif (known.spec_digest, known.sent_at, known.body_sha256) != (attempt.spec_digest, attempt.sent_at, attempt.body_sha256):
        raise StateProblem(f"attempt {attempt.id} begins twice in the journal")


def _keep(books: Books, attempt: Attempt) -> None:
    """Write a changed attempt and everything that follows from it."""
    books.attempts[attempt.id] = attempt
    _follow(books, attempt)


def _follow(books: Books, attempt: Attempt) -> None:
    """A job is superseded while an attempt that was agreed to in its place is open or accepted. Of several open ones the first counts."""
    digests = {attempt.spec_digest}
    for job_id in attempt.consents:
        job = books.jobs[job_id]
        rivals = (books.attempts[a].status for a in books.consents_to[job_id])
        superseded = any(status in DOUBTFUL or status is Sent.ACCEPTED for status in rivals)
        books.jobs[job_id] = replace(job, superseded=superseded)
        if job.attempt is not None:
            owner = books.attempts[job.attempt]
            books.attempts[owner.id] = replace(owner, superseded=superseded)
            digests.add(owner.spec_digest)
    for digest in digests:
        _mark_duplicates(books, books.attempts_of[digest])


def _mark_duplicates(books: Books, attempts: Iterable[str]) -> None:
    first: str | None = None
    for attempt in (books.attempts[each] for each in attempts):
        duplicate_of = first if attempt.is_open else None
        if attempt.is_open and first is None:
            first = attempt.id
        if attempt.duplicate_of != duplicate_of:
            books.attempts[attempt.id] = replace(attempt, duplicate_of=duplicate_of)


def _outcome(books: Books, fact: Fact) -> None:
    data = fact.data
    attempt, status = books.attempts[data["attempt"]], Sent(data["verdict"])
    if status is Sent.ACCEPTED:
        _accepted(books, fact, attempt)
        return
    read = data.get("salvaged")
    if read is not None and attempt.salvaged is None:
        # whoever wrote it off did not know that an id could be read
        before = Sent.SENDING if attempt.status in (Sent.IN_DOUBT, Sent.WRITTEN_OFF) else attempt.status
        attempt = replace(attempt, status=before, salvaged=read)
    if adds(attempt.status, status):
        attempt = replace(attempt, status=status, ended_at=fact.at, http_status=data.get("http_status"), evidence=str(data.get("evidence", "")))
    if attempt != books.attempts[attempt.id]:
        _keep(books, attempt)


def _accepted(books: Books, fact: Fact, attempt: Attempt) -> None:
    """An id is known: it was paid for, whatever was believed before. Another id of the same attempt is a job of its own that cost nothing more."""
    data, job = fact.data, _job_of(attempt, fact)
    if attempt.status is not Sent.ACCEPTED:
        books.jobs[job.id] = job
        ended = replace(attempt, status=Sent.ACCEPTED, ended_at=fact.at, job=job.id, request_id=job.request_id)
        evidence, http_status = str(data.get("evidence", attempt.evidence)), data.get("http_status", attempt.http_status)
        _keep(books, replace(ended, evidence=evidence, http_status=http_status))
    elif job.request_id != attempt.request_id:
        _second_id(books, attempt, job)


def _second_id(books: Books, attempt: Attempt, job: Job) -> None:
    """The least id keeps the attempt's job, so that the others are called alike whatever was merged in which order."""
    first = books.jobs[job.id]
    if job.request_id < first.request_id:
        books.jobs[job.id] = replace(job, superseded=first.superseded)
        books.attempts[attempt.id] = replace(attempt, request_id=job.request_id)
        job = first
    other = _other_job(job.id, job.request_id)
    books.jobs.setdefault(other, replace(job, id=other, attempt=None, price=ZERO))


def _job_of(attempt: Attempt, fact: Fact) -> Job:
    data = fact.data
    return job_of_attempt(attempt, job_id=str(data["job"]), request_id=str(data["request_id"]), poll_url=data.get("poll_url"))


def _other_job(job_id: str, request_id: str) -> str:
    return f"{job_id}-{sha256(request_id.encode()).hexdigest()[:8]}"


def _resolution(books: Books, fact: Fact) -> None:
    data, attempt = fact.data, books.attempts[fact.data["attempt"]]
    if data.get("request_id"):
        _accepted(books, fact, attempt)
    elif adds(attempt.status, Sent.WRITTEN_OFF) and data.get("salvaged") == attempt.salvaged:
        _keep(books, replace(attempt, status=Sent.WRITTEN_OFF, ended_at=fact.at))


def _settled(books: Books, fact: Fact) -> None:
    data, job = fact.data, books.jobs[fact.data["job"]]
    request_id = data.get("request_id", job.request_id)
    if request_id != job.request_id:
        job = books.jobs[_other_job(job.id, request_id)]
    phase = next_phase(job.phase, Phase(data["phase"]))
    if phase is job.phase and not job.phase.is_pending and job.settled_at:
        return
    files = tuple(Artifact(**a) for a in data["artifacts"])
    books.jobs[job.id] = replace(
        job, phase=phase, settled_at=fact.at, error=str(data["error"]), charged=bool(data["charged"]), artifacts=files, misses=0, first_miss_at=None
    )


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
    if books.jobs.setdefault(job.id, job).request_id != job.request_id:
        raise StateProblem(f"job {job.id} begins twice in the journal")


def _binding(books: Books, fact: Fact) -> None:
    data = fact.data
    key = (str(data["environment"]), str(data["name"]))
    job = data["job"]
    if job is not None and job not in books.jobs:
        raise StateProblem(f"the journal binds {key[1]!r} to a job that it does not know")
    books.bindings[key] = None if job is None else Binding(*key, job=str(job), since=fact.at, metadata=data["metadata"])
