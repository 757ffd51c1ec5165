"""What a merge of two copies of a project came to: what is new here, which names moved, what is in doubt, what was bought twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reconciler.job import Attempt
from reconciler.money import ZERO
from reconciler.reports.document import FORMAT_VERSION
from reconciler.reports.layout import join_lines, paragraph
from reconciler.reports.style import Style, Tone
from reconciler.state import State
from reconciler.text import format_money, plural


@dataclass(frozen=True, slots=True)
class Report:
    """`facts`: lines that this journal lacked; `loose`: facts that the other copy had not brought to its journal; `histories`: ends side by side."""

    other: str
    is_dry: bool
    facts: int
    loose: int
    histories: int
    before: State
    after: State

    @property
    def new_jobs(self) -> list[str]:
        """Jobs that this copy did not know."""
        return sorted(self.after.jobs.keys() - self.before.jobs.keys())

    @property
    def new_doubts(self) -> list[Attempt]:
        """Attempts that are in doubt now and were not known, or known to be settled, before."""
        known = {a.id for a in self.before.doubts}
        return [a for a in self.after.doubts if a.id not in known]

    @property
    def moved(self) -> list[tuple[str, str, str | None, str | None]]:
        """(environment, name, job before, job now) of every name that points elsewhere now."""
        rows = []
        for key in sorted(self.before.bindings.keys() | self.after.bindings.keys()):
            old, new = self.before.bindings.get(key), self.after.bindings.get(key)
            pair = (None if old is None else old.job, None if new is None else new.job)
            if pair[0] != pair[1]:
                rows.append((*key, *pair))
        return rows


def merge_document(report: Report) -> dict[str, Any]:
    """The merge as plain data. Every amount in USD."""
    twice = report.after.duplicates
    return {
        "format_version": FORMAT_VERSION,
        "kind": "state_merge",
        "other": report.other,
        "dry_run": report.is_dry,
        "facts_added": report.facts,
        "facts_recovered": report.loose,
        "histories": report.histories,
        "jobs_added": report.new_jobs,
        "bindings_changed": [{"environment": e, "name": n, "job_before": old, "job_after": new} for e, n, old, new in report.moved],
        "in_doubt_added": [attempt_document(a) for a in report.new_doubts],
        "duplicates": duplicates_document(twice),
        "duplicated_amount": sum((a.price for a in twice), ZERO),
    }


def duplicates_document(twice: list[Attempt]) -> list[dict[str, Any]]:
    """What was bought twice by histories that went apart, oldest first."""
    return [{**attempt_document(a), "duplicate_of": a.duplicate_of} for a in twice]


def attempt_document(attempt: Attempt) -> dict[str, Any]:
    """One attempt as plain data, without its body."""
    return {
        "attempt": attempt.id,
        "environment": attempt.environment,
        "name": attempt.name,
        "status": attempt.status,
        "sent_at": attempt.sent_at,
        "ended_at": attempt.ended_at,
        "amount": attempt.price,
        "spec_digest": attempt.spec_digest,
        "job": attempt.job,
        "request_id": attempt.request_id,
        "evidence": attempt.evidence,
    }


def merge_text(report: Report, style: Style) -> str:
    """A sentence for each thing that changed; double purchases and doubts with their amounts."""
    return join_lines([row for text, tone in _sentences(report, style) for row in (style.paint(line, tone) for line in paragraph(text, style))])


def _sentences(report: Report, style: Style) -> list[tuple[str, Tone]]:
    other = style.foreign(report.other, limit=200)
    if not report.facts and not report.loose:
        said: list[tuple[str, Tone]] = [(f"Nothing new in {other}.", "plain")]
    else:
        verb = "Would merge" if report.is_dry else "Merged"
        jobs = sorted(report.new_jobs)
        said = [(f"{verb} {plural(report.facts + report.loose, 'fact')} of {other}: {plural(len(jobs), 'new job')}.", "plain")]
    for environment, name, old, new in report.moved:
        shown = style.foreign(name if environment == "default" else f"{environment}/{name}")
        said.append((f"{shown} points to {style.foreign(new or 'nothing')} (before: {style.foreign(old or 'nothing')})", "plain"))
    for attempt in report.new_doubts:
        what = f"{attempt.name} is in doubt: attempt {attempt.id} of {attempt.sent_at}, {format_money(attempt.price)} may have been charged"
        said.append((f"{style.foreign(what)}; its own copy may still know the answer: merge it again, or reconciler resolve {attempt.id}", "bad"))
    return said + duplicate_sentences(report.after, style)


def duplicate_sentences(state: State, style: Style) -> list[tuple[str, Tone]]:
    """Every double purchase with its amount, then their sum."""
    twice = state.duplicates
    said: list[tuple[str, Tone]] = []
    for attempt in twice:
        bought = f"as {attempt.request_id}" if attempt.request_id else f"({attempt.status.replace('_', ' ')})"
        first = state.attempts[attempt.duplicate_of or ""]
        text = f"{attempt.name} was bought twice: {format_money(attempt.price)} {bought} at {attempt.sent_at}, attempt {attempt.id},"
        text += f" beside attempt {first.id} at {first.sent_at} for {first.name}"
        said.append((style.foreign(text, limit=1000), "bad"))
    if twice:
        amount = format_money(sum((a.price for a in twice), ZERO))
        said.append((f"{plural(len(twice), 'double purchase')}, {amount}: the copies bought apart. Both jobs are kept and usable.", "bad"))
    return said
