"""Foreign text in Markdown: bare where it is plain prose, else as a code span. Rows of tables."""

from __future__ import annotations

import re

from reconciler.diagnostics import Place
from reconciler.text import safe

# nothing in here can open a link, a mention, an emoji, a reference, a list, a heading or markup
_PROSE = re.compile(
    r"(?!.*(?:www\.|[A-Za-z]:[A-Za-z0-9/]|[Gg][Hh]-[0-9]|--))"
    r"[A-Za-z0-9(\"](?:[A-Za-z0-9 ,;:.$%()\"→…=/-]|(?<=[A-Za-z0-9])_(?=[A-Za-z0-9]))*"
)


def markdown_text(value: object, *, limit: int = 500) -> str:
    """`value` inside a line or a cell. It is inert wherever it stands but at the beginning of a line."""
    text = safe(value, "terminal", limit=limit)
    return text if _PROSE.fullmatch(text) else safe(value, "markdown", limit=limit)


def markdown_code(value: object, *, limit: int = 200) -> str:
    """`value` as a code span: names, paths, commands."""
    return safe(value, "markdown", limit=limit)


def markdown_place(place: Place | None) -> str:
    """`` `models/posters.yaml:9` ``, or nothing."""
    return "" if place is None else markdown_code(f"{place.file}:{place.line}", limit=300)


def row(*cells: str) -> str:
    """One row of a table, with a newline."""
    return f"| {' | '.join(cells)} |\n"
