"""Who holds the lock, in one sentence."""

from __future__ import annotations

from reconciler.ports import Owner
from reconciler.reports.expected import seconds_between
from reconciler.reports.layout import join_lines
from reconciler.reports.style import Style
from reconciler.text import format_duration, format_time


def lock_text(owner: Owner | None, style: Style, *, now: str) -> str:
    """`owner` None: nobody. `now` is UTC, ISO 8601."""
    if owner is None:
        return "Nobody holds the lock.\n"
    held = seconds_between(owner.since, now)
    since = f"{style.foreign(format_time(owner.since, today=now))}{f', {format_duration(held)}' if held is not None else ''}"
    text = f"Held by {style.foreign(owner.actor)} on {style.foreign(owner.host)} (process {owner.pid}) since {since}: {style.foreign(owner.command)}"
    return join_lines([text])
