"""Text in columns: display widths, wrapping under a column, tables. Moves text to other lines, never drops a character of it.

Knows nothing of plans or money, and nothing of colours but that they take no room.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
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
    if len(text) <= width and text.isascii() and not text.startswith(" "):
        return [text]
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
        if (last := _TO_LAST_BREAK.match(word, 0, end)) is not None and last.end() * 2 > end:
            end = last.end()
        pieces.append(word[:end])
        word = word[end:]
    return [*pieces, word]


_TO_LAST_BREAK = re.compile(r".*[/,;:@?&=._-]", re.DOTALL)


def _fitting(word: str, width: int) -> int:
    if word.isascii():
        return min(len(word), max(width, 1))
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
    return [line for lines in table_rows(columns, list(zip(*rows, strict=True)) or [()] * len(columns), style, indent=indent) for line in lines]


def table_rows(columns: Sequence[Column], cells: Sequence[Sequence[Cell]], style: Style, *, indent: int = 0) -> Iterator[list[str]]:
    """As `table`, from the cells of each column: the lines of the titles, where there are any, then those of each row."""
    titles = [style.own(c.title) for c in columns]
    widths = [max(display_width(title), _widest(list(map(_text, column)))) for title, column in zip(titles, cells, strict=True)]
    _give_way(columns, widths, style.columns - indent)
    if any(titles):
        yield [_title_line(columns, widths, titles, style, indent)]
    for first in range(0, len(cells[0]), _ROWS_TOGETHER):
        yield from _row_lines(columns, widths, [column[first : first + _ROWS_TOGETHER] for column in cells], style, indent)


_ROWS_TOGETHER = 1000


def _row_lines(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[Sequence[Cell]], style: Style, indent: int) -> Iterator[list[str]]:
    margin, gap = " " * indent, " " * GAP
    narrow = next((i for i, column in enumerate(columns) if column.wraps), None)
    padded = [[] if i == narrow else _padded(*each, style) for i, each in enumerate(zip(columns, widths, cells, strict=True))]
    if narrow is None:
        yield from ([(margin + gap.join(parts)).rstrip(" ")] for parts in zip(*padded, strict=True))
        return
    count = len(cells[narrow])
    below = margin + "".join(" " * (width + GAP) for width in widths[:narrow])
    before = [margin + gap.join((*parts, "")) for parts in _across(padded[:narrow], count)]
    behind = ["".join(gap + part for part in parts) for parts in _across(padded[narrow + 1 :], count)]
    for start, cell, end in zip(before, cells[narrow], behind, strict=True):
        first, *rest = _wrapped(columns[narrow], widths[narrow], cell, style)
        yield [(start + first + end).rstrip(" "), *((below + piece).rstrip(" ") for piece in rest)]


def _wrapped(column: Column, width: int, cell: Cell, style: Style) -> list[str]:
    if isinstance(cell, str):
        return _padded(column, width, wrap(cell, width), style)
    return _padded(column, width, [(piece, cell[1]) for piece in wrap(cell[0], width)], style)


def _title_line(columns: Sequence[Column], widths: Sequence[int], titles: Sequence[str], style: Style, indent: int) -> str:
    parts = [_padded(column, width, [(title, "faint")], style)[0] for column, width, title in zip(columns, widths, titles, strict=True)]
    return (" " * indent + (" " * GAP).join(parts)).rstrip(" ")


def _across(columns: Sequence[Sequence[str]], count: int) -> Iterable[tuple[str, ...]]:
    return zip(*columns, strict=True) if columns else repeat((), count)


def _widest(texts: Sequence[str]) -> int:
    return max(map(len if "".join(texts).isascii() else display_width, texts), default=0)


def _padded(column: Column, width: int, cells: Sequence[Cell], style: Style) -> list[str]:
    pad_cell = str.ljust if column.align == "left" else str.rjust
    return [pad_cell(cell, width) if isinstance(cell, str) and cell.isascii() else _padded_cell(column, width, cell, style) for cell in cells]


def _padded_cell(column: Column, width: int, cell: Cell, style: Style) -> str:
    text, painted = (cell, cell) if isinstance(cell, str) else (cell[0], style.paint(*cell))
    fill = " " * (width - display_width(text))
    return painted + fill if column.align == "left" else fill + painted


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]


def _give_way(columns: Sequence[Column], widths: list[int], room: int) -> None:
    used = sum(widths) + GAP * (len(widths) - 1)
    for i, column in enumerate(columns):
        if column.wraps and used > room:
            widths[i] = max(LEAST_TEXT, widths[i] - (used - room))
