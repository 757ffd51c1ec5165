"""What the flags of plan, apply and refresh amount to, as values. What they mean is said once, in their help texts."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.money import Money


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """`plan`. Environment, endpoint and variables are settings; see `Context.settings`."""

    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    selectors: tuple[tuple[str, str], ...] = ()
    """(label key, label value)."""
    replaces: tuple[str, ...] = ()
    reports: tuple[tuple[str, str], ...] = ()
    """(format, path); the path `-` is stdout."""
    json: bool = False
    compact_warnings: bool = False
    emulate: bool = False
    endpoint: str | None = None
    """As the flag said it; `Context.settings.endpoint` is what holds."""
    out: str | None = None
    detailed_exitcode: bool = False


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """`apply`. `wait_seconds`: None = poll once and return, infinity = a bare `-wait`."""

    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    selectors: tuple[tuple[str, str], ...] = ()
    replaces: tuple[str, ...] = ()
    reports: tuple[tuple[str, str], ...] = ()
    json: bool = False
    json_into: str | None = None
    """Events are also written to this file, one JSON document a line."""
    compact_warnings: bool = False
    emulate: bool = False
    endpoint: str | None = None
    plan_file: str | None = None
    auto_approve: bool = False
    max_cost: Money | None = None
    plan_digest: str | None = None
    expect_spend: str | None = None
    allow_retrain: tuple[str, ...] = ()
    allow_forget: int | None = None
    wait_seconds: float | None = None
    parallelism: int = 4
    poll_parallelism: int | None = None
    canary: int | None = None
    lock_timeout_seconds: float = 0.0
    input: bool = True
    """False: never ask, as with `CI` set."""


@dataclass(frozen=True, slots=True)
class RefreshOptions:
    """`refresh`. No names = every pending job."""

    names: tuple[str, ...] = ()
    wait_seconds: float | None = None
    detailed_exitcode: bool = False
    reports: tuple[tuple[str, str], ...] = ()
    json: bool = False
    emulate: bool = False
    endpoint: str | None = None
    lock_timeout_seconds: float = 0.0
    poll_parallelism: int | None = None
