"""The command line: names, flags, environment, exit codes. What a command does is in `commands/`.

- `spelling`: words as people type them → one canonical spelling, or the nearest flag
- `flag`: a flag and its help; the values that flags take
- `command`: a command: its flags, its help page
- `table`: all commands by name, each with the file that declares it
- `run`: one command line from words to exit code
- `door`: whatever went wrong → text or JSON, and the exit code
"""

from __future__ import annotations

import gc
import os
import sys

YOUNG_OBJECTS = 200_000
"""So many new containers before the collector looks for garbage: a command mostly makes what it keeps (measured: 2 × at 100,000 models)."""


def main() -> None:
    """Run the command line of this process and end it."""
    _open_standard_files()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
    try:
        from reconciler.cli.run import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _open_standard_files() -> None:
    """Put the null device where stdin, stdout or stderr is closed: else the next file opened, maybe the journal, gets its number."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
