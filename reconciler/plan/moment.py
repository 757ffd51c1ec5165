"""Moments and months: UTC as text, the calendar month of a moment in a time zone. The clock itself is elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Month(NamedTuple):
    """A calendar month in some time zone: its name (`2026-11`), and the UTC moments at which it begins and the next one does."""

    name: str
    begin: str
    end: str

    def holds(self, at: str) -> bool:
        """Whether the UTC moment `at` lies in it."""
        return self.begin <= at < self.end


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one UTC moment to another; never negative, 0 for text that is no moment."""
    try:
        return max(0.0, (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds())
    except (TypeError, ValueError):
        return 0.0


def month_of(at: str, timezone: str) -> Month:
    """The month of the UTC moment `at`, as the calendar of `timezone` (an IANA name) has it. Raises ValueError for no such zone."""
    zone = zone_of(timezone)
    local = datetime.fromisoformat(at).astimezone(zone)
    begin = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    after = begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
    return Month(f"{begin.year:04}-{begin.month:02}", _utc(begin), _utc(after))


def zone_of(timezone: str) -> tzinfo:
    """The time zone of that IANA name. Raises ValueError where this machine knows none of that name."""
    if timezone in ("UTC", "Etc/UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(timezone)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(f"no such time zone: {timezone[:60]}") from error


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
