"""`PixazoApi`: the trainer API as the engine sees it. Joins the parts of this room and removes the key from every text that leaves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from reconciler.job import Artifact, Job
from reconciler.pixazo.endpoint import World, parse_endpoint
from reconciler.pixazo.key import Key
from reconciler.pixazo.limiter import Limiter
from reconciler.pixazo.line import Wire
from reconciler.pixazo.poll import DEADLINE_SECONDS as POLL_DEADLINE_SECONDS
from reconciler.pixazo.poll import Poller
from reconciler.pixazo.send import DEADLINE_SECONDS, send_once
from reconciler.pixazo.verdict import judge
from reconciler.ports import Capabilities
from reconciler.secret import MARK
from reconciler.trainer import Trainer
from reconciler.verdict import Accepted, InDoubt, NotSent, Observation, Rejected, Verdict

_NOTHING: Mapping[str, str] = MappingProxyType({})


class PixazoApi:
    """Implements `ports.TrainerApi`. Safe from several threads. Raises ApiProblem when made with settings that cannot work.

    `proxy_environment`: where HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE are looked up. `polls_per_second` None: no limit.
    """

    caps = Capabilities()

    def __init__(
        self,
        endpoint: str,
        key: Key,
        trainers: Mapping[str, Trainer],
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        polls_per_second: float | None = 2.0,
        proxy_environment: Mapping[str, str] = _NOTHING,
        poll_deadline_seconds: float = POLL_DEADLINE_SECONDS,
    ) -> None:
        self._endpoint = parse_endpoint(endpoint)
        self._key = key
        self._trainers = dict(trainers)
        self._deadline_seconds = deadline_seconds
        self._wire = Wire(self._endpoint, key, proxy_environment)
        self._limiter = Limiter(polls_per_second)
        self._poller = Poller(self._wire, self._endpoint, self._limiter, deadline_seconds=poll_deadline_seconds)

    @property
    def world(self) -> World:
        """`live` or `loopback`."""
        return self._endpoint.world

    @property
    def endpoint(self) -> str:
        """The endpoint as it is recorded."""
        return self._endpoint.text

    def submit(self, trainer: str, body: bytes, *, before_first_byte: Callable[[], None], stop: Callable[[], bool]) -> Verdict:
        """Send one purchase once; see `ports.TrainerApi`."""
        record = self._trainers.get(trainer)
        if record is None:
            return NotSent("this trainer is not declared; nothing was sent and nothing was charged", retry=False)
        url = self._endpoint.url(record.submit_url_path)
        exchange = send_once(self._wire, url, body, before_first_byte=before_first_byte, stop=stop, deadline_seconds=self._deadline_seconds)
        self._poller.obey(exchange)
        return self._clean_verdict(judge(exchange, self._endpoint))

    def observe(self, job: Job) -> Observation:
        """Ask once how far a job is; see `ports.TrainerApi`."""
        seen = self._poller.observe(job, self._trainers.get(job.trainer))
        redact = self._key.redact
        return replace(
            seen,
            error=redact(seen.error),
            artifacts=tuple(self._clean_artifact(a) for a in seen.artifacts),
            warnings=tuple(map(redact, seen.warnings)),
            trouble=redact(seen.trouble),
            stop=redact(seen.stop),
        )

    def close(self) -> None:
        """Close connections and threads; whoever still waits is woken."""
        self._limiter.close()
        self._wire.watchdog.close()
        self._poller.close()

    def _clean_verdict(self, verdict: Verdict) -> Verdict:
        redact = self._key.redact
        match verdict:
            case Accepted() if MARK in redact(verdict.request_id) or MARK in redact(verdict.poll_url or ""):
                return InDoubt("the answer repeats the key where the request id or the polling URL should be", verdict.http_status)
            case Accepted():
                return replace(verdict, error=redact(verdict.error), warnings=tuple(map(redact, verdict.warnings)))
            case Rejected() | NotSent():
                return replace(verdict, message=redact(verdict.message))
            case InDoubt():
                salvaged = verdict.salvaged if verdict.salvaged is None or MARK not in redact(verdict.salvaged) else None
                return replace(verdict, evidence=redact(verdict.evidence), salvaged=salvaged)

    def _clean_artifact(self, artifact: Artifact) -> Artifact:
        redact = self._key.redact
        return replace(artifact, url=redact(artifact.url), path=redact(artifact.path), file_name=redact(artifact.file_name))
