"""`version`: which program, which Python, which SQLite."""

from __future__ import annotations

import sys

from reconciler import __version__
from reconciler.commands.streams import Output


def run(output: Output, *, json: bool) -> int:
    """Print the versions."""
    import sqlite3

    python, sqlite = ".".join(map(str, sys.version_info[:3])), sqlite3.sqlite_version
    if not json:
        output.line(f"reconciler {__version__}\nPython {python}, SQLite {sqlite}, {sys.platform}")
        return 0
    from reconciler.reports.document import FORMAT_VERSION, json_text

    output.write(json_text({"format_version": FORMAT_VERSION, "version": __version__, "python": python, "sqlite": sqlite, "platform": sys.platform}))
    return 0
