"""Where a command writes: stdout and stderr that survive being closed, full, or not UTF-8.

A result that nobody reads any more never stops what is being recorded: writes to a closed pipe vanish, other
failures are remembered and reported at the end.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO

WIDTH_WITHOUT_TERMINAL = 100
NARROWEST, WIDEST = 40, 240


class Output:
    """One text stream. Writing never raises; `trouble` says why something could not be written (a closed pipe is none)."""

    def __init__(self, stream: TextIO | None, environment: Mapping[str, str]) -> None:
        self._stream = stream
        self._environment = environment
        self.trouble = ""

    @property
    def is_terminal(self) -> bool:
        """Whether a person sees it directly."""
        try:
            return self._stream is not None and self._stream.isatty()
        except (OSError, ValueError):
            return False

    @property
    def is_utf8(self) -> bool:
        """Whether it can show our signs; if not, they are written in ASCII."""
        return (getattr(self._stream, "encoding", None) or "ascii").lower().replace("-", "").replace("_", "") == "utf8"

    @property
    def width(self) -> int:
        """Columns: `COLUMNS`, else the terminal's, else 100; never so few that nothing fits."""
        columns = self._environment.get("COLUMNS", "")
        if columns.isascii() and columns.isdigit() and 0 < len(columns) < 7 and int(columns):
            return min(max(int(columns), NARROWEST), WIDEST)
        if not self.is_terminal or self._stream is None:
            return WIDTH_WITHOUT_TERMINAL
        try:
            found = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            found = WIDTH_WITHOUT_TERMINAL
        return min(max(found or WIDTH_WITHOUT_TERMINAL, NARROWEST), WIDEST)

    @property
    def is_open(self) -> bool:
        """Whether anybody can still read what is written."""
        return self._stream is not None

    @property
    def raw(self) -> TextIO | None:
        """The stream itself, for a display that moves the cursor; None when there is none."""
        return self._stream

    def write(self, text: str) -> None:
        """Write `text` as it is; it must have passed `text.safe` where it is foreign."""
        if self._stream is None:
            return
        try:
            self._stream.write(self._encodable(text))
        except (OSError, ValueError) as error:
            self._give_up(error)

    def line(self, text: str = "") -> None:
        """Write `text` and a line break; no line of it is a command to a CI runner."""
        if "##" in text or "::" in text:
            from reconciler.text import inert_line

            text = "\n".join(map(inert_line, text.split("\n")))
        self.write(text + "\n")

    def _encodable(self, text: str) -> str:
        """`text` as this stream can carry it; a lone surrogate, which no encoding carries, is escaped."""
        if self.is_utf8:
            return text.encode("utf-8", "backslashreplace").decode("utf-8")
        from reconciler.text import ascii_only

        return ascii_only(text)

    def flush(self) -> None:
        """Bring everything out; afterwards the interpreter's own flush has nothing left to fail on."""
        if self._stream is None:
            return
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        stream, self._stream = self._stream, None
        if not isinstance(error, BrokenPipeError | ValueError):
            self.trouble = getattr(error, "strerror", None) or type(error).__name__
        try:
            # What is still buffered would fail once more when the interpreter ends.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno() if stream is not None else 1)
            os.close(nowhere)
        except (OSError, ValueError):
            return
