"""`version`: which program, which Python, which SQLite."""

from __future__ import annotations

from reconciler import __version__
from reconciler.commands.context import Context




def run(context: Context, *, json: bool) -> int:
    """Print the versions."""
    import platform
    import sqlite3

    python, sqlite = platform.python_version(), sqlite3.sqlite_version
    if not json:
        context.out.line(f"reconciler {__version__}\nPython {python}, SQLite {sqlite}, {platform.system()} {platform.machine()}")
        return 0
    from reconciler.commands.document import FORMAT_VERSION, write_document

    write_document(context.out, {"format_version": FORMAT_VERSION, "version": __version__, "python": python, "sqlite": sqlite, "platform": platform.system().lower()})
    return 0
