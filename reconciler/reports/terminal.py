"""A plan for people in a terminal: bad news and money first, every row with its word, its reason, its cost and its place.

Colours and signs repeat what a word says. What is printed while something runs is `lines.py` and `live.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from reconciler.money import ZERO
from reconciler.plan.action import ORDER, Action
from reconciler.plan.change import Change, Plan
from reconciler.reports.cost_block import LABEL, cost_lines
from reconciler.reports.layout import GAP, LEAST_TEXT, display_width, join_lines, pad, pad_left, paragraph, wrap
from reconciler.reports.places import plan_places, row_place, short_place
from reconciler.reports.reasons import cost_text, counts_text, reason_text
from reconciler.reports.style import Style, Tone, tone_of
from reconciler.text import format_money, format_time, plural, short_digest
from reconciler.trainer import DEFAULT_ENDPOINT

MOST_FREE_ROWS = 200
"""Rows of one free action; more become one row with their count."""
MOST_DOUBTS = 10
"""Doubts whose commands are spelled out."""
MOST_NOTICES = 25
"""Warnings, and refusals of one plan, that are printed; the rest is counted."""
PLACE_FITS = 100
"""From this width on the place stands in the row."""


def plan_text(plan: Plan, style: Style, *, last_refresh: str | None = None, now: str) -> str:
    """The whole plan, also when it is refused; the refusal comes last. `last_refresh` and `now` are UTC, ISO 8601."""
    changes = sorted((c for c in plan.changes if not c.is_unchanged), key=lambda c: (ORDER[c.action], c.name))
    short = plan_places(plan)
    lines = [style.own(_header(plan, style, last_refresh, now)), ""]
    if changes:
        lines += [*_row_lines(changes, short, style), "", *cost_lines(plan, style)]
    for block in (_warnings(plan, short, style), _avoid(changes, style), _decide(changes, style)):
        lines += ["", *block] if block else []
    lines += ["", f"Plan: {counts_text(plan.counts)}"] if changes else [*([""] if lines[-1] else []), *_no_changes(plan)]
    lines.append(f"Plan digest {short_digest(plan.plan_digest)}, spend digest {short_digest(plan.spend_digest)}")
    return join_lines([*lines, *_refusals(plan, short, style)])


def _header(plan: Plan, style: Style, last_refresh: str | None, now: str) -> str:
    declared = sum(count for action, count in plan.counts.items() if action is not Action.FORGET)
    parts = [f"Environment {style.foreign(plan.environment)}", plural(declared, "model")]
    parts.append(f"state serial {plan.serial}" + (f", last refresh {format_time(last_refresh, today=now)}" if last_refresh else ""))
    if plan.endpoint and plan.endpoint != DEFAULT_ENDPOINT:
        parts.append(f"endpoint {style.foreign(plan.endpoint)}")
    if not plan.complete:
        parts.append("a selection, not the whole catalog")
    return " · ".join(parts)


def _row_lines(changes: Sequence[Change], short: Mapping[str, str], style: Style) -> list[str]:
    counts: dict[Action, int] = {}
    for change in changes:
        counts[change.action] = counts.get(change.action, 0) + 1
    folded = {a for a, n in counts.items() if n > MOST_FREE_ROWS and not a.is_paid and a not in (Action.IN_DOUBT, Action.HELD)}
    rows = []
    for action, count in counts.items():
        if action in folded:
            rows.append(_Row(action, plural(count, "model"), "too many to list; all rows are in -json and -report json", format_money(ZERO), ""))
            continue
        rows.extend(_row(c, short, style) for c in changes if c.action is action)
    return _Rows(rows, style).lines()


def _row(change: Change, short: Mapping[str, str], style: Style) -> _Row:
    reason = style.own(reason_text(change, style.foreign))
    return _Row(change.action, style.foreign(change.name), reason, cost_text(change), style.foreign(short_place(row_place(change), short)))


class _Row:
    """The cells of one change, clean and in the output's alphabet."""

    __slots__ = ("action", "cost", "name", "place", "reason")

    def __init__(self, action: Action, name: str, reason: str, cost: str, place: str) -> None:
        self.action, self.name, self.reason, self.cost, self.place = action, name, reason, cost, place


class _Rows:
    """The columns that all rows of a plan share. A name too long for its column gets a line of its own."""

    def __init__(self, rows: Sequence[_Row], style: Style) -> None:
        self.rows, self.style = rows, style
        self.signs = {row.action: style.own(row.action.sign) for row in rows}
        self.sign = max(map(len, self.signs.values()))
        self.place = max(display_width(r.place) for r in rows) if style.width >= PLACE_FITS else 0
        if self.place > style.columns // 3:
            self.place = 0
        self.word = max(len(r.action.word) for r in rows)
        self.cost = max(len(r.cost) for r in rows)
        longest = style.columns // 4
        self.name = max((w for w in (display_width(r.name) for r in rows) if w <= longest), default=0)
        fixed = 2 + self.sign + 1 + self.name + GAP + self.word + GAP + GAP + self.cost + (GAP + self.place if self.place else 0)
        self.reason = max(LEAST_TEXT, style.columns - fixed)

    def lines(self) -> list[str]:
        """All rows."""
        return [line for row in self.rows for line in self._lines_of(row)]

    def _lines_of(self, row: _Row) -> list[str]:
        tone = tone_of(row.action)
        sign = self.style.paint(pad(self.signs[row.action], self.sign), tone)
        lines, name = [], row.name
        if display_width(name) > self.name:
            lines.append(f"  {sign} {name}")
            sign, name = " " * self.sign, ""
        first, *more = wrap(row.reason, self.reason)
        word = self.style.paint(row.action.word, tone) + " " * (self.word - len(row.action.word))
        cost = pad_left(row.cost, self.cost)
        line = f"  {sign} {pad(name, self.name)}  {word}  {pad(first, self.reason)}  {cost}"
        lines.append(f"{line}  {self.style.paint(row.place, 'faint')}" if self.place and row.place else line)
        under = " " * (2 + self.sign + 1 + self.name + GAP + self.word + GAP)
        lines += [under + text for text in more]
        if row.place and not self.place:
            lines += [under + self.style.paint(text, "faint") for text in wrap(row.place, self.reason)]
        return lines


def _warnings(plan: Plan, short: Mapping[str, str], style: Style) -> list[str]:
    lines: list[str] = []
    kinds: tuple[tuple[str, Tone, str], ...] = (("Error", "bad", "error"), ("Warn", "warn", "warning"))
    for label, tone, severity in kinds:
        found = [d for d in plan.diagnostics if d.severity == severity]
        rows = [(style.foreign(d.summary + (f": {d.detail}" if d.detail else "")), style.foreign(short_place(d.place, short))) for d in found[:MOST_NOTICES]]
        if len(found) > MOST_NOTICES:
            rows.append((f"{len(found) - MOST_NOTICES:,} more {severity}s; -json has all", ""))
        lines += _labelled(label, tone, rows, style)
    return lines


def _labelled(label: str, tone: Tone, rows: Iterable[tuple[str, str]], style: Style) -> list[str]:
    """Texts behind a label, each with its place: in the line where it fits, else below."""
    lines: list[str] = []
    for text, place in rows:
        beside = style.width >= PLACE_FITS and 0 < display_width(place) <= style.columns // 3
        room = max(LEAST_TEXT, style.columns - LABEL - (display_width(place) + GAP if beside else 0))
        first, *more = wrap(text, room)
        head = style.paint(label, tone) + " " * (LABEL - len(label)) if not lines else " " * LABEL
        lines.append(head + (f"{pad(first, room)}  {style.paint(place, 'faint')}" if beside else first))
        lines += [" " * LABEL + line for line in more]
        if place and not beside:
            lines.append(" " * LABEL + style.paint(place, "faint"))
    return lines


def _avoid(changes: Sequence[Change], style: Style) -> list[str]:
    """How not to pay for a retrain, once for all of them."""
    paths = sorted({f.path for c in changes if c.action is Action.RETRAIN for f in c.fields})
    if not paths:
        return []
    ignored = f": [{', '.join(style.foreign(p) for p in paths[:5])}]" if len(paths) <= 5 else ""
    text = f"a retrain costs nothing when the line is reverted, with lifecycle.ignore_changes{ignored}, or with a job that exists (reconciler adopt)"
    return paragraph(style.own(text), style, first=pad("Avoid", LABEL))


def _decide(changes: Sequence[Change], style: Style) -> list[str]:
    """The commands that end a doubt; each stays on one line, whatever the width, so that it can be copied."""
    doubts = [c for c in changes if c.action is Action.IN_DOUBT]
    commands = []
    for change in doubts[:MOST_DOUBTS]:
        name = style.foreign(change.name)
        commands += [f"reconciler resolve {name} -request-id ID -reason TEXT", f"reconciler resolve {name} -not-submitted -reason TEXT"]
    if len(doubts) > MOST_DOUBTS:
        commands.append(f"{len(doubts) - MOST_DOUBTS:,} more: reconciler status")
    return [pad("Decide" if i == 0 else "", LABEL) + command for i, command in enumerate(commands)]


def _no_changes(plan: Plan) -> list[str]:
    count = plan.counts[Action.UNCHANGED]
    return [f"No changes. {plural(count, 'model')} {'is' if count == 1 else 'are'} as declared."]


def _refusals(plan: Plan, short: Mapping[str, str], style: Style) -> list[str]:
    rows: list[tuple[str, str]] = []
    for refusal in plan.refusals[:MOST_NOTICES]:
        said = refusal.message if refusal.message.startswith(refusal.limit) else f"{refusal.limit}: {refusal.message}"
        rows.append((style.foreign(said), style.foreign(short_place(refusal.place, short))))
        rows += [(style.foreign(f"lifted by {refusal.lift}"), "")] if refusal.lift else []
    if len(plan.refusals) > MOST_NOTICES:
        rows.append((f"{len(plan.refusals) - MOST_NOTICES:,} more refusals; -json has all", ""))
    lines = _labelled("Refused", "bad", rows, style)
    return ["", *lines, " " * LABEL + "Nothing of this plan is bought."] if lines else []
