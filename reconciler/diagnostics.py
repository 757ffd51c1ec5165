"""Problems of input as values with a place. They are collected, sorted by place, and printed by `reports`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]


class Place(NamedTuple):
    """Where something stands: path as the user would write it; line and column count from 1, in code points."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem: a stable code, one sentence, what to do about it, where, and the source line if there is one."""

    severity: Severity
    code: str
    summary: str
    detail: str = ""
    place: Place | None = None
    end_line: int | None = None
    source_line: str | None = None

    @property
    def sort_key(self) -> tuple[str, int, int, str, str]:
        """By file, line, column; problems without a place come first."""
        place = self.place or Place("", 0, 0)
        return (place.file, place.line, place.column, self.code, self.summary)


def in_order(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """Each problem once, by place."""
    return sorted(set(diagnostics), key=lambda d: d.sort_key)


def has_errors(diagnostics: list[Diagnostic] | tuple[Diagnostic, ...]) -> bool:
    """Whether anything in here forbids going on."""
    return any(d.severity == "error" for d in diagnostics)
