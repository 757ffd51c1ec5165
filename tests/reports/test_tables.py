"""Tables of many rows come out as one row after the other would, and harmless texts as if each went through the door alone."""

from __future__ import annotations

import random

import pytest

from reconciler.reports.layout import GAP, LEAST_TEXT, Cell, Column, display_width, table, wrap
from reconciler.reports.style import Style, Tone
from reconciler.text import safe, safe_all

ALPHABET = ["a", "bc-", "/d", "e.f", " ", "  ", "ü", "日本", "e\u0301", ",", "x" * 30]
TONES: list[Tone] = ["plain", "bad", "faint"]


def plainly(columns: list[Column], rows: list[list[Cell]], style: Style, *, indent: int) -> list[str]:
    """What a table is: cells side by side in the width of the widest, the column that wraps below itself."""

    def text_of(cell: Cell) -> str:
        return cell if isinstance(cell, str) else cell[0]

    widths = [max([display_width(c.title), *(display_width(text_of(row[i])) for row in rows)]) for i, c in enumerate(columns)]
    used = sum(widths) + GAP * (len(widths) - 1)
    for i, column in enumerate(columns):
        if column.wraps and used > style.columns - indent:
            widths[i] = max(LEAST_TEXT, widths[i] - (used - style.columns + indent))
    lines = []
    head: list[list[Cell]] = [[(c.title, "faint") for c in columns]] if any(c.title for c in columns) else []
    for row in [*head, *rows]:
        cells = [wrap(text_of(cell), width) if column.wraps else [text_of(cell)] for cell, width, column in zip(row, widths, columns, strict=True)]
        for level in range(max(map(len, cells))):
            parts = []
            for cell, pieces, width, column in zip(row, cells, widths, columns, strict=True):
                piece = pieces[level] if level < len(pieces) else ""
                fill, painted = " " * (width - display_width(piece)), style.paint(piece, "plain" if isinstance(cell, str) else cell[1])
                parts.append(painted + fill if column.align == "left" else fill + painted)
            lines.append((" " * indent + (" " * GAP).join(parts)).rstrip(" "))
    return lines


@pytest.mark.parametrize("seed", range(60))
def test_a_table_is_its_rows_one_by_one(seed: int) -> None:
    chance = random.Random(seed)
    wrapping = chance.choice([None, 0, 1, 2])
    columns = [Column(chance.choice(["", "title"]), chance.choice(["left", "right"]), wraps=i == wrapping) for i in range(3)]

    def cell() -> Cell:
        text = "".join(chance.choices(ALPHABET, k=chance.randrange(12)))
        return text if chance.random() < 0.5 else (text, chance.choice(TONES))

    rows = [[cell() for _ in columns] for _ in range(chance.choice([0, 1, 5, 20]))]
    style = Style(width=chance.choice([40, 60, 200]), color=chance.random() < 0.5)
    assert table(columns, rows, style, indent=2) == plainly(columns, rows, style, indent=2)


@pytest.mark.parametrize("seed", range(20))
def test_many_texts_are_as_safe_as_each(seed: int) -> None:
    chance = random.Random(seed)
    harmful = ["https://u:p@h/x?sig=1#a=b", "\x1b[31m", "data:a/b;base64,AAAA", "\u202e", "k=v", "x@steps=1", "y" * 700, "https://h/x#frag", "a,b"]
    texts = [f"plain-{i}" if chance.random() < 0.97 else chance.choice(harmful) for i in range(300)]
    assert list(safe_all(texts)) == [safe(text) for text in texts]
    assert list(safe_all(texts, limit=5)) == [safe(text, limit=5) for text in texts]
