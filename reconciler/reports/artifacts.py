"""`artifacts verify`: what became of the saved files, for people and as a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reconciler.reports.document import FORMAT_VERSION
from reconciler.reports.layout import Cell, Column, join_lines, paragraph, table
from reconciler.reports.style import Style, Tone
from reconciler.text import format_size, plural

_TONES: dict[str, Tone] = {"ok": "good"}
_SHOWN_METADATA = ("modelspec.title", "modelspec.architecture", "modelspec.trigger_phrase", "modelspec.resolution", "ss_base_model_version")
"""What tools and people look for first in the header of a LoRA."""


class CheckedFile(NamedTuple):
    """One saved file: where it is, what it should be, and what it was found to be (`ok missing changed unreadable`)."""

    path: str
    role: str
    size_bytes: int
    sha256: str
    verdict: str
    detail: str
    metadata: Mapping[str, str]


class CheckedJob(NamedTuple):
    """The saved files of one job, and what else lies in its folder."""

    job: str
    name: str
    files: tuple[CheckedFile, ...]
    strangers: tuple[str, ...] = ()


def verify_document(rows: Sequence[CheckedJob], not_here: Sequence[str]) -> dict[str, Any]:
    """The document of `artifacts verify -json`. `not_here`: succeeded jobs without a saved file."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": "artifacts",
        "valid": all(file.verdict == "ok" for row in rows for file in row.files),
        "jobs": [{"job": row.job, "name": row.name, "files": [_file(f) for f in row.files], "strangers": list(row.strangers)} for row in rows],
        "not_here": list(not_here),
    }


def _file(file: CheckedFile) -> dict[str, Any]:
    return {**file._asdict(), "metadata": dict(sorted(file.metadata.items()))}


def verify_text(rows: Sequence[CheckedJob], not_here: Sequence[str], style: Style) -> str:
    """One row per file, what its header says of it below, then the counts."""
    files = [(row, file) for row in rows for file in row.files]
    cells: list[list[Cell]] = [
        [style.foreign(row.name), (file.verdict, _TONES.get(file.verdict, "bad")), format_size(file.size_bytes), style.foreign(file.path)]
        for row, file in files
    ]
    columns = (Column("name"), Column("found"), Column("size", "right"), Column("file", wraps=True))
    lines: list[str] = []
    shown = table(columns, cells, style) if cells else []
    lines += shown[: len(shown) - len(cells)]
    for (_, file), line in zip(files, shown[len(shown) - len(cells) :], strict=True):
        lines.append(line)
        lines += _details(file, style)
    for row in rows:
        lines += [f"      {style.foreign(path)} was not saved by `artifacts pull`" for path in row.strangers]
    return join_lines([*lines, *([""] if lines else []), *_counts([file for _, file in files], not_here, style)])


def _details(file: CheckedFile, style: Style) -> list[str]:
    lines = paragraph(style.foreign(file.detail), style, first=" " * 6) if file.detail else []
    told = [f"{key.partition('.')[2] or key}: {file.metadata[key]}" for key in _SHOWN_METADATA if file.metadata.get(key)]
    return lines + (paragraph(style.foreign("; ".join(told)), style, first=" " * 6) if told else [])


def _counts(files: Sequence[CheckedFile], not_here: Sequence[str], style: Style) -> list[str]:
    found = [f"{sum(f.verdict == verdict for f in files):,} {verdict}" for verdict in ("ok", "missing", "changed", "unreadable")]
    counts = ", ".join(count for count in found if not count.startswith("0 ")) or "nothing saved"
    lines = [f"Artifacts: {counts}."]
    if not_here:
        lines += paragraph(f"{plural(len(not_here), 'succeeded job')} without a saved file.", style)
    bad = [f for f in files if f.verdict != "ok"]
    if bad or not_here:
        lines.append(
            "Next: "
            + ("move what has changed away, then reconciler artifacts pull" if any(f.verdict == "changed" for f in bad) else "reconciler artifacts pull")
        )
    return lines
