"""Where events go: NDJSON on stdout, a file beside it, a live display on a terminal, else one line each on stderr.

Nothing in here may stop the recording of what was bought: an output that breaks is said once at the end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TextIO

from reconciler.commands.context import Context
from reconciler.commands.outfile import open_lines
from reconciler.commands.style import error_style
from reconciler.event import Event
from reconciler.reports.events import event_json
from reconciler.reports.lines import event_line

if TYPE_CHECKING:
    from reconciler.reports.live import Live


class Teller:
    """Shows events. Make it with `telling`."""

    def __init__(self, context: Context, *, as_json: bool, into: TextIO | None, live: Live | None, name_width: int, all_polls: bool) -> None:
        self._context = context
        self._as_json = as_json
        self._into = into
        self._live = live
        self._style = error_style(context)
        self._name_width = name_width
        self._all_polls = all_polls
        self._last_trouble = ""
        self.trouble = ""

    def tell(self, event: Event) -> None:
        """Show one event."""
        if event.data.get("tick"):
            if self._live is not None:
                self._live.tick(event.at)
            return
        line = event_json(event) + "\n" if self._as_json or self._into is not None else ""
        if self._into is not None and not self.trouble:
            try:
                self._into.write(line)
                self._into.flush()
            except OSError as error:
                self.trouble = f"-json-into: {error.strerror}"
        if self._as_json:
            self._context.out.write(line)
            self._context.out.flush()
        elif self._live is not None:
            self._live.show(event)
        elif self._is_news(event) and (text := event_line(event, self._style, name_width=self._name_width)):
            self._context.err.line(text)
            self._context.err.flush()

    def _is_news(self, event: Event) -> bool:
        """A log of hours keeps what moved: a poll that changed nothing is not said again, nor the same trouble of every job."""
        if event.type != "poll" or self._all_polls:
            return True
        trouble = str(event.data.get("trouble") or "")
        is_new = bool(trouble) and trouble != self._last_trouble
        self._last_trouble = trouble
        return is_new or bool(event.data.get("changed"))

    def tell_all(self, events: Iterable[Event]) -> None:
        """Show events as they come."""
        for event in events:
            self.tell(event)


@contextlib.contextmanager
def telling(context: Context, *, as_json: bool, json_into: str | None = None, name_width: int = 14, all_polls: bool = False) -> Iterator[Teller]:
    """A teller for one command. `all_polls`: lines also for polls that changed nothing. Raises Usage when the file of `-json-into` cannot be written."""
    with contextlib.ExitStack() as stack:
        into: TextIO | None = None
        if json_into is not None:
            into = stack.enter_context(open_lines(context.root / json_into))
        live: Live | None = None
        if not as_json and context.err.is_terminal and context.settings.prompts.value and context.environment.get("TERM", "") != "dumb":
            from reconciler.reports.live import Live

            raw = context.err.raw
            assert raw is not None, "a terminal is a stream"
            live = Live(raw, error_style(context))
            stack.callback(live.close)
        yield Teller(context, as_json=as_json, into=into, live=live, name_width=name_width, all_polls=all_polls)
