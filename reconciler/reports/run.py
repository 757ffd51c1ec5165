"""What a report knows beside the plan: when, at which commit, in which CI run, how it ended. All of it comes in; nothing is looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.diagnostics import Diagnostic, in_order
from reconciler.plan.change import Plan


@dataclass(frozen=True, slots=True)
class Run:
    """One run of plan, apply or validate. `at` is UTC, ISO 8601; `result` is the data of a `change_summary` after an apply.

    `diagnostics` are those of the manifests; the plan's own come on top. `path` is where a report goes: a badge looks at its end.
    """

    at: str = ""
    commit: str = ""
    run_url: str = ""
    exit_code: int = 0
    failure_reason: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()
    result: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""
    key: str = ""
    """Lineage and environment, where they are known although there is no plan: by them a comment is found again."""

    def problems(self, plan: Plan | None) -> list[Diagnostic]:
        """All diagnostics of this run, each once, by place."""
        return in_order([*self.diagnostics, *(plan.diagnostics if plan is not None else ())])

    def reason(self, plan: Plan | None) -> str:
        """The failure reason; of a refused plan it is the refusal's kind."""
        if self.failure_reason or plan is None or not plan.refusals:
            return self.failure_reason
        return plan.refusals[0].kind
