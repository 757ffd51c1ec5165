"""`-report FORMAT=PATH` and `-out`: files that are replaced whole."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from reconciler.commands.context import Context
from reconciler.errors import Usage
from reconciler.plan.change import Plan
from reconciler.text import nearest, safe

FORMATS = ("json",)


def check_reports(reports: Sequence[tuple[str, str]]) -> None:
    """Raise Usage for a format that does not exist, before anything is done."""
    for form, _ in reports:
        if form not in FORMATS:
            near = nearest(form, list(FORMATS), most=1)
            raise Usage(
                f"-report {safe(form, limit=80)}=…: there is no such format", hint=f"did you mean {near[0]}?" if near else f"one of {', '.join(FORMATS)}"
            )


def write_reports(context: Context, plan: Plan, reports: Sequence[tuple[str, str]]) -> int:
    """Write a plan's reports. 1 when one could not be written (said on stderr), else 0."""
    from reconciler.plan.document import plan_document
    from reconciler.reports.document import json_text

    return write_texts(context, json_text(plan_document(plan)), reports) if reports else 0


def write_texts(context: Context, text: str, reports: Sequence[tuple[str, str]]) -> int:
    """Write `text` wherever `reports` want it. 1 when one could not be written (said on stderr), else 0."""
    code = 0
    for _, path in reports:
        if path == "-":
            context.out.write(text)
            continue
        try:
            write_file(context.root / path, text)
        except Usage as error:
            context.err.line(f"Error: {error.message}")
            code = 1
    return code


def write_file(path: Path, text: str) -> None:
    """Write `text` beside `path` and put it in its place by renaming. Raises Usage when that cannot be done."""
    import tempfile

    temporary = None
    try:
        if path.exists() and not path.is_file():  # a pipe or a device cannot be replaced; it is written to
            path.write_text(text, encoding="utf-8", newline="\n")
            return
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except (OSError, ValueError) as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise Usage(f"{safe(path, limit=300)} cannot be written: {getattr(error, 'strerror', None) or error}") from None


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
