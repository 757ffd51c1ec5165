"""The command line: names, flags, environment, exit codes. What a command does is in `commands/`.

- `spelling`: words as people type them → one canonical spelling, or the nearest flag
- `flag`: a flag and its help; the values that flags take
- `command`: a command: its flags, its help page
- `table`: all commands by name, each with the file that declares it
- `run`: one command line from words to exit code
- `door`: whatever went wrong → text or JSON, and the exit code
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line of this process and end it."""
    _open_standard_files()
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
