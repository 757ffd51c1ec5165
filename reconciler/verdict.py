"""What came of one submit, and what one poll showed. Values; the knowledge of answers is in `pixazo/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reconciler.job import Artifact, Phase


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job exists. `poll_url` is set when the answer named one on the endpoint's own origin."""

    request_id: str
    http_status: int
    poll_url: str | None = None
    phase: Phase = Phase.QUEUED
    error: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """Definitely refused, nothing charged.

    `stops_run`: all further purchases would be refused too. `retry_after_seconds`: a limit that passes; None = no retry.
    """

    http_status: int
    message: str
    stops_run: bool = False
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """Nothing complete left us. `retry` is false where another try cannot help (certificates, bad settings)."""

    message: str
    retry: bool = True
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class InDoubt:
    """May have been charged. `evidence` says how far it got; `salvaged` is an id that could be read in the bytes."""

    evidence: str
    http_status: int | None = None
    salvaged: str | None = None


Verdict = Accepted | Rejected | NotSent | InDoubt


@dataclass(frozen=True, slots=True)
class Observation:
    """What one poll round showed of one job. `phase` None = no news.

    `missing`: the API does not know the id (404, 410 or a word of that kind in every style that was tried).
    `empty`: a success word without any artifact. `stop`: polling is refused for all jobs (why), e.g. a bad key.
    """

    phase: Phase | None = None
    error: str = ""
    artifacts: tuple[Artifact, ...] = ()
    charged: bool = True
    missing: bool = False
    empty: bool = False
    style: Literal["g1", "g2"] | None = None
    retry_after_seconds: float | None = None
    warnings: tuple[str, ...] = ()
    trouble: str = ""
    """Why there is no news: an HTTP error, HTML, a broken body, a timeout."""
    stop: str = ""
