"""`history`: what happened to money and names, in order: who, when, at which commit, why, how much. From the journal's facts alone.

One entry per purchase, with its end as it is known now; declared or typed decisions about it are entries of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.fact import Fact, Kind
from reconciler.job import DOUBTFUL, Attempt, Sent
from reconciler.money import ZERO, Money
from reconciler.reports.document import FORMAT_VERSION, plain
from reconciler.reports.layout import Cell, Column, join_lines, table
from reconciler.reports.markdown_text import markdown_code, markdown_text, row
from reconciler.reports.style import Style, Tone
from reconciler.state import State
from reconciler.text import format_money, format_time, money_text, plural, safe, short_digest

TITLES = ("at", "environment", "name", "what", "amount", "actor", "commit", "run_url", "why", "attempt", "job", "request_id")
_BOUGHT_BINDINGS = frozenset({"train", "retrain", "adopt"})
"""Bindings that say nothing new: the purchase or the take-over stands beside them."""
_WHAT = {
    Sent.ACCEPTED: "bought",
    Sent.SENDING: "in doubt",
    Sent.IN_DOUBT: "in doubt",
    Sent.REJECTED: "rejected",
    Sent.NOT_SENT: "not sent",
    Sent.WRITTEN_OFF: "written off",
}
_TONES: dict[str, Tone] = {"in doubt": "bad", "failed": "bad", "lost": "bad", "bought": "good"}
_SAID = {"requested": "asked for with -replace", "failed_retry": "last job failed, to be tried again", "generation_bumped": "a higher generation"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `amount` is what it cost or may have cost (USD); None where money was not touched."""

    at: str
    environment: str
    name: str
    what: str
    amount: Money | None = None
    actor: str = ""
    commit: str = ""
    run_url: str = ""
    why: str = ""
    attempt: str = ""
    job: str = ""
    request_id: str = ""


def history(facts: Iterable[Fact], state: State) -> list[Entry]:
    """The entries, oldest first."""
    specs: dict[tuple[str, str], Mapping[str, Any]] = {}
    return [entry for fact in facts for entry in _entries(fact, state, specs)]


def _entries(fact: Fact, state: State, specs: dict[tuple[str, str], Mapping[str, Any]]) -> Iterator[Entry]:
    data = fact.data
    match fact.kind:
        case Kind.INTENT:
            attempt = state.attempts[str(data["attempt"])]
            yield _purchase(attempt, state, specs.get((attempt.environment, attempt.name)))
            if attempt.status in (Sent.ACCEPTED, *DOUBTFUL):
                specs[attempt.environment, attempt.name] = attempt.spec
        case Kind.RESOLUTION:
            attempt = state.attempts[str(data["attempt"])]
            what = "written off" if data["request_id"] is None else "found"
            yield Entry(
                fact.at, attempt.environment, attempt.name, what, actor=str(data["actor"]), why=str(data["reason"]), attempt=attempt.id, job=_text(data, "job")
            )
        case Kind.ADOPTION:
            job = state.jobs[str(data["job"])]
            why = str(data["note"]) or "bought elsewhere"
            yield Entry(fact.at, job.environment, job.name, "adopted", job.price, str(data["actor"]), why=why, job=job.id, request_id=job.request_id)
        case Kind.SETTLED:
            job = state.jobs[str(data["job"])]
            yield Entry(fact.at, job.environment, job.name, str(data["phase"]), why=str(data["error"]), job=job.id, request_id=job.request_id)
        case Kind.BINDING if str(data.get("reason", "")) not in _BOUGHT_BINDINGS:
            why = str(data["metadata"].get("removed") or "")
            yield Entry(fact.at, str(data["environment"]), str(data["name"]), str(data.get("reason", "")), ZERO, why=why, job=_text(data, "job"))
        case Kind.PAUSE:
            yield Entry(fact.at, "", "", "paused", actor=str(data["actor"]), why=str(data["reason"]))
        case Kind.RESUME:
            yield Entry(fact.at, "", "", "resumed", actor=str(data["actor"]))
        case _:
            return


def _text(data: Mapping[str, Any], key: str) -> str:
    return str(data.get(key) or "")


def _purchase(attempt: Attempt, state: State, before: Mapping[str, Any] | None) -> Entry:
    spent = attempt.status is Sent.ACCEPTED or attempt.status in DOUBTFUL
    job = state.jobs.get(attempt.job or "")
    ending = attempt.evidence if attempt.status is not Sent.ACCEPTED else ""
    return Entry(
        attempt.sent_at,
        attempt.environment,
        attempt.name,
        _WHAT[attempt.status],
        attempt.price if spent else ZERO,
        attempt.actor,
        attempt.commit,
        attempt.run_url,
        "; ".join(part for part in (_why(attempt, before), ending) if part),
        attempt.id,
        attempt.job or "",
        job.request_id if job is not None else "",
    )


def _why(attempt: Attempt, before: Mapping[str, Any] | None) -> str:
    """What differed from the last purchase of that name; who agreed to buy the same again."""
    if attempt.consents:
        return _SAID.get(attempt.consent_reason, attempt.consent_reason.replace("_", " "))
    if before is None:
        return "first purchase of this name"
    return ", ".join(_differences(before, attempt.spec)) or "bought again"


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*before, *after} - {"parameters"}):
        if before.get(key) != after.get(key):
            yield "dataset changed" if key == "dataset" else f"{key} {before.get(key)} → {after.get(key)}"
    was, now = before.get("parameters") or {}, after.get("parameters") or {}
    for key in sorted({*was, *now}):
        if was.get(key) != now.get(key):
            yield f"{key} {was.get(key)} → {now.get(key)}"


def history_document(entries: Sequence[Entry]) -> dict[str, Any]:
    """The entries as plain data; amounts are decimal strings."""
    rows = [{title: getattr(entry, title) for title in TITLES} for entry in entries]
    return dict(plain({"format_version": FORMAT_VERSION, "currency": "USD", "entries": rows, "spent": _spent(entries), "in_doubt": _in_doubt(entries)}))


def _spent(entries: Sequence[Entry]) -> Money:
    return sum((entry.amount or ZERO for entry in entries if entry.what in ("bought", "adopted")), ZERO)


def _in_doubt(entries: Sequence[Entry]) -> Money:
    return sum((entry.amount or ZERO for entry in entries if entry.what == "in doubt"), ZERO)


def history_text(entries: Sequence[Entry], style: Style) -> str:
    """One line an entry, then the sum."""
    if not entries:
        return "Nothing has happened yet.\n"
    titles = (Column("when"), Column("name"), Column("what"), Column("amount", "right"), Column("who"), Column("commit"), Column("why", wraps=True))
    lines = table(titles, [_row(entry, style) for entry in entries], style)
    doubt = f", {format_money(_in_doubt(entries))} in doubt" if _in_doubt(entries) else ""
    return join_lines([*lines, "", f"{plural(len(entries), 'entry', 'entries')}, {format_money(_spent(entries))} spent{doubt}."])


def _row(entry: Entry, style: Style) -> list[Cell]:
    amount = "" if entry.amount is None else format_money(entry.amount)
    why = "; ".join(part for part in (entry.why, entry.run_url) if part)
    return [
        style.foreign(format_time(entry.at)),
        style.foreign(_shown_name(entry)),
        (style.foreign(entry.what), _TONES.get(entry.what, "plain")),
        f"{amount}?" if entry.what == "in doubt" else amount,
        style.foreign(entry.actor, limit=40),
        style.foreign(short_digest(entry.commit)),
        style.own(style.foreign(why, limit=1000)),
    ]


def _shown_name(entry: Entry) -> str:
    return entry.name if entry.environment in ("", "default") else f"{entry.environment}/{entry.name}"


def history_csv(entries: Sequence[Entry]) -> str:
    """All columns with a header; amounts are plain decimals, and no text can be a formula."""
    rows = [list(TITLES)]
    for entry in entries:
        values = [getattr(entry, title) for title in TITLES]
        rows.append([money_text(v) if isinstance(v, Money) else safe(v or "", "csv", limit=2000) for v in values])
    return "".join(",".join(map(_csv_cell, cells)) + "\n" for cells in rows)


def _csv_cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"') else text


def history_markdown(entries: Sequence[Entry]) -> str:
    """A table."""
    text = row("when", "name", "what", "amount", "who", "commit", "why") + "|---|---|---|--:|---|---|---|\n"
    for entry in entries:
        amount = "" if entry.amount is None else format_money(entry.amount)
        commit = markdown_code(short_digest(entry.commit)) if entry.commit else ""
        name = markdown_code(_shown_name(entry)) if entry.name else ""
        actor = markdown_code(entry.actor) if entry.actor else ""
        text += row(format_time(entry.at), name, markdown_text(entry.what), amount, actor, commit, markdown_text(entry.why) if entry.why else "")
    return text
