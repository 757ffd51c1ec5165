"""One file as text with its lines, and the list that problems are collected in. Nothing is printed here."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from reconciler.diagnostics import Diagnostic, Place, Severity
from reconciler.manifest.codes import CODES
from reconciler.text import safe

MAX_PROBLEMS_PER_FILE = 1000
MAX_SOURCE_LINE = 300
MAX_HINTS = 100


class Source:
    """A file's text under the name a user knows it by (relative to the project, with `/`)."""

    __slots__ = ("__dict__", "path", "secret_lines", "text")

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.secret_lines: set[int] = set()
        """Lines (from 1) that must not be repeated in any output."""

    @cached_property
    def lines(self) -> list[str]:
        """The text by lines, without their ends."""
        return self.text.split("\n")

    def line(self, number: int) -> str | None:
        """Line `number` (from 1) for a diagnostic, or None when it is missing, secret, or too long to be of use."""
        if number in self.secret_lines or not 1 <= number <= len(self.lines):
            return None
        line = self.lines[number - 1].rstrip("\r")
        return line if len(line) <= MAX_SOURCE_LINE else line[:MAX_SOURCE_LINE]

    def position(self, index: int) -> Place:
        """The place of the character at `index`."""
        return Place(self.path, self.text.count("\n", 0, index) + 1, index - (self.text.rfind("\n", 0, index) + 1) + 1)


class Problems:
    """Collects diagnostics; at most 1,000 errors and as many warnings for each file, so that a bad file of 10 MB stays readable."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []
        self.hints_left = MAX_HINTS
        """How many nearest names may still be looked for: each costs milliseconds, and a bad file can ask for a hundred thousand."""
        self.errors = 0
        """How many errors so far."""
        self.touched = 0
        """How often a problem was added, listed or not: unchanged where nothing was wrong."""
        self._seen: set[tuple[str, str, Place | None]] = set()
        self._count: dict[tuple[str, Severity], int] = {}
        """By file and severity: no number of warnings may hide an error."""

    def add(
        self,
        code: str,
        summary: str,
        detail: str = "",
        *,
        place: Place | None = None,
        source: Source | None = None,
        end_line: int | None = None,
        severity: Severity | None = None,
    ) -> None:
        """Keep one problem. Codes that begin with W are warnings."""
        assert code in CODES, code
        self.touched += 1
        kind: Severity = severity or ("warning" if code.startswith("W") else "error")
        self.errors += kind == "error"
        if (code, summary, place) in self._seen:  # a wrong default is met in every model; it is one fault
            return
        counted = (place.file if place else "", kind)
        count = self._count[counted] = self._count.get(counted, 0) + 1
        if count > MAX_PROBLEMS_PER_FILE:
            return
        if count == MAX_PROBLEMS_PER_FILE:
            code, summary, detail = "W999", f"more than {MAX_PROBLEMS_PER_FILE:,} problems in this file; the rest is not listed", ""
        self._seen.add((code, summary, place))
        if source and place and place.line in source.secret_lines and code != "E008":
            summary, detail = CODES[code].rstrip("."), "The line is not shown, because it looks like a secret."
        line = source.line(place.line) if source and place and place.column <= MAX_SOURCE_LINE else None
        self.found.append(Diagnostic(kind, code, summary, detail, place, end_line, line))

    def is_full(self, file: str) -> bool:
        """Whether errors of this file are not listed any more, so that looking for others is in vain."""
        return self._count.get((file, "error"), 0) > MAX_PROBLEMS_PER_FILE

    def extend(self, found: Iterable[Diagnostic]) -> None:
        """Take problems over that were collected elsewhere."""
        for diagnostic in found:
            self.touched += 1
            self.errors += diagnostic.severity == "error"
            self.found.append(diagnostic)


def shown(text: object) -> str:
    """Foreign text inside a message: visible, without secrets, at most 80 characters, in backquotes."""
    return f"`{safe(text, limit=80)}`"
