"""Diagnostics for people: place, code, message, the source line and a caret under the very column."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.diagnostics import Diagnostic, in_order
from reconciler.reports.layout import display_width, fit_end, fit_start, join_lines, paragraph
from reconciler.reports.style import Style, Tone
from reconciler.text import plural, redact

TAB = "    "
"""A tab of the source line as it is shown, so that the caret stands where the eye looks for it."""
AROUND = 400
"""Code points on either side of the column that are looked at."""


def diagnostics_text(diagnostics: Sequence[Diagnostic], style: Style, *, most: int = 25, compact_warnings: bool = False) -> str:
    """All problems by place, each once; after `most` of them a count of the rest, warnings first to go. Empty when there is none.

    Compact warnings have neither source line nor detail.
    """
    problems = in_order(list(diagnostics))
    if not problems:
        return ""
    errors = [d for d in problems if d.severity == "error"]
    shown = in_order([*errors, *(d for d in problems if d.severity != "error")][:most])
    lines: list[str] = []
    for problem in shown:
        lines += _lines(problem, style)[:1] if compact_warnings and problem.severity != "error" else [*_lines(problem, style), ""]
    return join_lines([*lines, _summary(len(errors), len(problems) - len(errors), hidden=len(problems) - len(shown))])


def _summary(errors: int, warnings: int, *, hidden: int) -> str:
    counts = [plural(n, noun) for n, noun in ((errors, "error"), (warnings, "warning")) if n]
    more = f"; {plural(hidden, 'problem')} more not shown, -json has all" if hidden else ""
    return f"{', '.join(counts)}{more}."


def _lines(problem: Diagnostic, style: Style) -> list[str]:
    tone: Tone = "bad" if problem.severity == "error" else "warn"
    where = "" if problem.place is None else f"{style.foreign(problem.place, limit=1000)}: "
    word = style.paint(f"{problem.severity}[{style.foreign(problem.code)}]", tone)
    lines = [f"{where}{word}: {style.foreign(problem.summary, limit=2000)}"]
    if problem.place is not None and problem.source_line is not None:
        lines += _source_lines(problem.source_line, problem.place.line, problem.place.column, style, tone)
    for part in problem.detail.splitlines():
        lines += paragraph(style.foreign(part, limit=2000), style, first=TAB)
    return lines


def _source_lines(source: str, line: int, column: int, style: Style, tone: Tone) -> list[str]:
    """The source line, cut around the column where it is too long, and the caret below."""
    gutter = f"  {line} | "
    text, position = _without_secrets(source.rstrip("\r\n"), max(0, column - 1))
    before, after = _around(text, position, style, max(20, style.columns - len(gutter)))
    return [style.paint(gutter, "faint") + before + after, " " * (len(gutter) + display_width(before)) + style.paint("^", tone)]


def _without_secrets(source: str, position: int) -> tuple[str, int]:
    """The redacted line, and where in it the position is now: at the end of what both sides of a redaction share."""
    shown = redact(source)
    if shown == source:
        return source, min(position, len(source))
    head = redact(source[:position])
    return shown, next((i for i, (a, b) in enumerate(zip(head, shown, strict=False)) if a != b), min(len(head), len(shown)))


def _around(text: str, position: int, style: Style, room: int) -> tuple[str, str]:
    before = _shown(text[max(0, position - AROUND) : position], style)
    after = _shown(text[position : position + AROUND], style)
    more = len(text) > position + AROUND
    if position <= AROUND and not more and display_width(before) + display_width(after) <= room:
        return before, after
    dots = style.own("…")
    left = fit_end(before, room * 2 // 3, dots)
    if position > AROUND and left == before:
        left = dots + before
    return left, fit_start(after + (dots if more else ""), room - display_width(left), dots)


def _shown(text: str, style: Style) -> str:
    return style.foreign(text.replace("\t", TAB), limit=AROUND * 8)
