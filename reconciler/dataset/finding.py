"""What a look into a data set found: values, worst first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]
MOST_NAMES = 5


class Finding(NamedTuple):
    """One thing that would fail (an error) or may be meant otherwise (a warning). `names`: of which entries, all of them."""

    severity: Severity
    code: str
    text: str
    names: tuple[str, ...] = ()


def about(severity: Severity, code: str, text: str, names: Iterable[str]) -> list[Finding]:
    """One finding about all of `names`, or none when there are none."""
    found = tuple(names)
    return [Finding(severity, code, text, found)] if found else []


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors first, then by code."""
    return tuple(sorted(findings, key=lambda finding: (finding.severity != "error", finding.code, finding.text)))


class Unopened(Exception):
    """A data set that cannot be read at all, or is too dangerous to be read on."""

    def __init__(self, code: str, text: str, names: Iterable[str] = ()) -> None:
        self.finding = Finding("error", code, text, tuple(names))
        super().__init__(text)
