"""Text in columns: display widths, wrapping under a column, tables. Moves text to other lines, never drops a character of it.

Knows nothing of plans or money, and nothing of colours but that they take no room.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from reconciler.reports.style import Style, Tone
from reconciler.text import inert_line

GAP = 2
"""Blanks between columns."""
LEAST_TEXT = 16
"""A wrapped column is never narrower."""


def char_width(char: str) -> int:
    """Columns that one character takes: 2 for wide ones, 0 for combining marks."""
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def display_width(text: str) -> int:
    """Columns that a text without control characters takes."""
    return len(text) if text.isascii() else sum(map(char_width, text))


def pad(text: str, width: int) -> str:
    """`text` with blanks behind it, up to `width` columns."""
    return text + " " * max(0, width - display_width(text))


def pad_left(text: str, width: int) -> str:
    """`text` with blanks before it, up to `width` columns."""
    return " " * max(0, width - display_width(text)) + text


def wrap(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns, broken at blanks; only a word that is longer is broken, behind its punctuation if it can be."""
    lines: list[str] = []
    line, used = "", 0
    for word in text.split(" "):
        needed = display_width(word)
        if line and used + 1 + needed <= width:
            line, used = f"{line} {word}", used + 1 + needed
            continue
        if line:
            lines.append(line)
        *full, line = _broken(word, width)
        lines.extend(full)
        used = display_width(line)
    return [*lines, line]


def _broken(word: str, width: int) -> list[str]:
    """A word in pieces that fit; the last may be short."""
    pieces: list[str] = []
    while display_width(word) > width:
        end = _fitting(word, width)
        breaks = [m.end() for m in re.finditer(r"[/,;:@?&=._-]", word[:end])]
        if breaks and breaks[-1] * 2 > end:
            end = breaks[-1]
        pieces.append(word[:end])
        word = word[end:]
    return [*pieces, word]


def _fitting(word: str, width: int) -> int:
    used = 0
    for index, char in enumerate(word):
        used += char_width(char)
        if used > width:
            return max(index, 1)
    return len(word)


def fit_start(text: str, width: int, dots: str) -> str:
    """The beginning of `text` that fits, with dots for the rest. For quotations only: a fact is wrapped, not cut."""
    if display_width(text) <= width:
        return text
    return text[: _fitting(text, max(1, width - len(dots)))] + dots


def fit_end(text: str, width: int, dots: str) -> str:
    """The end of `text` that fits, with dots for what stood before. For quotations only."""
    if display_width(text) <= width:
        return text
    backwards = text[::-1]
    return dots + backwards[: _fitting(backwards, max(1, width - len(dots)))][::-1]


def paragraph(text: str, style: Style, *, first: str = "", rest: str | None = None, tone: Tone = "plain") -> list[str]:
    """`text` wrapped to the style's columns, behind `first` and, on the lines below, `rest` (as many blanks by default)."""
    below = " " * display_width(first) if rest is None else rest
    room = max(style.columns - display_width(first), LEAST_TEXT)
    lines = wrap(text, room)
    return [(first if i == 0 else below) + style.paint(line, tone) for i, line in enumerate(lines)]


def join_lines(lines: Iterable[str]) -> str:
    """Lines as the text of an output: no blanks at their ends, none that a CI runner takes for a command; ends in a newline."""
    return "".join(f"{inert_line(line.rstrip(' '))}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. Only a column that `wraps` gives way; the others are as wide as their widest cell."""

    title: str = ""
    align: Literal["left", "right"] = "left"
    wraps: bool = False


Cell = str | tuple[str, Tone]


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], style: Style, *, indent: int = 0) -> list[str]:
    """Rows as lines. Cells are clean text (`Style.foreign`); titles are printed when a column has one. At most one column wraps."""
    titled = any(c.title for c in columns)
    plain = [[_text(cell) for cell in row] for row in rows]
    titles = [style.own(c.title) for c in columns]
    widths = [max([display_width(title), *(display_width(row[i]) for row in plain)], default=0) for i, title in enumerate(titles)]
    _give_way(columns, widths, style.columns - indent)
    lines = _row_lines(columns, widths, [(t, "faint") for t in titles], style, indent) if titled else []
    for row in rows:
        lines.extend(_row_lines(columns, widths, row, style, indent))
    return lines


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]


def _give_way(columns: Sequence[Column], widths: list[int], room: int) -> None:
    used = sum(widths) + GAP * (len(widths) - 1)
    for i, column in enumerate(columns):
        if column.wraps and used > room:
            widths[i] = max(LEAST_TEXT, widths[i] - (used - room))


def _row_lines(columns: Sequence[Column], widths: Sequence[int], row: Sequence[Cell], style: Style, indent: int) -> list[str]:
    cells = [wrap(_text(cell), width) if column.wraps else [_text(cell)] for cell, width, column in zip(row, widths, columns, strict=True)]
    tones: list[Tone] = ["plain" if isinstance(cell, str) else cell[1] for cell in row]
    lines = []
    for level in range(max(len(cell) for cell in cells)):
        parts = []
        for cell, width, column, tone in zip(cells, widths, columns, tones, strict=True):
            text = cell[level] if level < len(cell) else ""
            fill = " " * max(0, width - display_width(text))
            painted = style.paint(text, tone)
            parts.append(painted + fill if column.align == "left" else fill + painted)
        lines.append((" " * indent + (" " * GAP).join(parts)).rstrip(" "))
    return lines
