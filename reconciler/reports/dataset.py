"""`dataset check`: what each data set holds and what of it would fail, for people and as a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from reconciler.diagnostics import Diagnostic, has_errors
from reconciler.plan.document import diagnostic_document
from reconciler.reports.diagnostics_text import diagnostics_text
from reconciler.reports.document import FORMAT_VERSION
from reconciler.reports.layout import join_lines, paragraph
from reconciler.reports.style import Style
from reconciler.text import format_size, plural

MOST_NAMES = 5


class CheckedDataset(NamedTuple):
    """One data set in one place. `opened` false: it is remote and was not to be fetched. `decoded`: every image was painted."""

    models: tuple[str, ...]
    location: str
    is_local: bool
    images: int
    captions: int
    files: int
    size_bytes: int
    formats: tuple[tuple[str, int], ...]
    decoded: bool
    opened: bool
    sha256: str | None = None


def dataset_document(rows: Sequence[CheckedDataset], diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    """The document of `dataset check -json`."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": "datasets",
        "valid": not has_errors(tuple(diagnostics)),
        "datasets": [{**row._asdict(), "models": list(row.models), "formats": dict(row.formats)} for row in rows],
        "diagnostics": [diagnostic_document(d) for d in diagnostics],
    }


def dataset_text(rows: Sequence[CheckedDataset], diagnostics: Sequence[Diagnostic], style: Style) -> str:
    """Two lines for each data set, then the problems with their places, then the counts."""
    lines: list[str] = []
    for row in rows:
        names = ", ".join(style.foreign(name) for name in row.models[:MOST_NAMES])
        more = f" and {len(row.models) - MOST_NAMES:,} more" if len(row.models) > MOST_NAMES else ""
        lines.append(f"{names}{more}: {style.foreign(row.location, limit=300)}")
        lines += paragraph(_held(row), style, first="    ")
    problems = diagnostics_text(diagnostics, style).rstrip("\n")
    lines += ["", *problems.split("\n")] if problems else []
    opened = sum(row.opened for row in rows)
    left = len(rows) - opened
    told = f"Data sets: {opened:,} opened" + (f", {left:,} not opened (-fetch opens remote ones)" if left else "")
    if any(row.opened and row.images and not row.decoded for row in rows):
        lines += ["", *paragraph("Images were measured, not decoded; pip install 'lora-reconciler[images]' decodes every one.", style)]
    return join_lines([*lines, "", f"{told}."])


def _held(row: CheckedDataset) -> str:
    if not row.opened:
        return "remote; not opened"
    formats = ", ".join(f"{count:,} {name}" for name, count in row.formats)
    parts = [plural(row.images, "image") + (f" ({formats})" if formats else ""), plural(row.captions, "caption"), format_size(row.size_bytes)]
    parts += ["every image decoded"] if row.decoded and row.images else []
    parts += [f"sha256 {row.sha256}"] if row.sha256 else []
    return ", ".join(parts)
