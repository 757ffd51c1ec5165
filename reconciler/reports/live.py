"""The progress display on a terminal: finished events scroll above, below them what is still running, gone at the end.

The only file that knows rich, and the only one of this room that writes. What runs is learned from the events alone, so
the display can be thrown away at any moment without a loss; whatever goes wrong in it is swallowed and ends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from reconciler.event import Event
from reconciler.reports.expected import seconds_between
from reconciler.reports.layout import fit_start, pad
from reconciler.reports.lines import NAME_WIDTH, event_line
from reconciler.reports.style import Style
from reconciler.reports.summary import money_of
from reconciler.text import format_duration, inert_line, plural

if TYPE_CHECKING:
    from rich.live import Live as RichLive
    from rich.text import Text

REDRAWS_PER_SECOND = 4
SPARE_LINES = 4
"""Lines of the screen that the block leaves to what scrolls above it."""
MOST_JOBS = 30


@dataclass(slots=True)
class _Running:
    """One job that is watched. `since` is the instant (UTC) from which its elapsed time is counted."""

    name: str
    phase: str
    since: str
    elapsed: float = 0.0
    expected: float | None = None


class Live:
    """The display. Safe to close twice; after `close` it shows events as plain lines."""

    def __init__(self, console_file: TextIO, style: Style, *, name_width: int = NAME_WIDTH) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._file = console_file
        self._style = style
        self._name_width = name_width
        self._console = Console(
            file=console_file,
            force_terminal=True,
            color_system="standard" if style.color else None,
            no_color=not style.color,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=True,
        )
        self._running: dict[str, _Running] = {}
        self._counts = {"succeeded": 0, "failed": 0, "lost": 0}
        self._money = ""
        self._now = ""
        self._drawn_at = -1.0
        self._live: RichLive | None = RichLive(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
        self._live.start()

    def show(self, event: Event) -> None:
        """Print the event above the block, but for polls, which move the block."""
        self._learn(event)
        if event.type != "poll" or event.data.get("trouble") or event.data.get("error"):
            text = event_line(event, self._style, name_width=self._name_width)
            if text:
                self._print(text)
                return
        self._redraw()

    def tick(self, now: str) -> None:
        """Time went on; `now` is UTC, ISO 8601. Draws at most 4 times a second, in the size that the screen has now."""
        self._now = max(self._now, now)
        self._redraw()

    def close(self) -> None:
        """Take the block away."""
        live, self._live = self._live, None
        if live is None:
            return
        try:
            live.update("", refresh=True)
            live.stop()
        except (OSError, ValueError):
            return

    def _learn(self, event: Event) -> None:
        data = event.data
        self._now = max(self._now, event.at)
        name = event.name or ""
        match event.type:
            case "purchase_accepted":
                self._money = f"{money_of(data, 'spent')} of {money_of(data, 'due')} bought" if "due" in data and "spent" in data else self._money
                self._running[str(data.get("job") or name)] = _Running(name, "queued", event.at)
            case "poll" if name:
                self._poll(event, name)
            case "job_settled":
                self._running.pop(str(data.get("job") or name), None)
                phase = str(data.get("phase"))
                if phase in self._counts:
                    self._counts[phase] += 1
            case _:
                pass

    def _poll(self, event: Event, name: str) -> None:
        data = event.data
        elapsed, expected = data.get("elapsed_seconds"), data.get("expected_seconds")
        self._running[str(data.get("job") or name)] = _Running(
            name,
            str(data.get("phase") or "queued"),
            event.at,
            float(elapsed) if isinstance(elapsed, int | float) else 0.0,
            float(expected) if isinstance(expected, int | float) else None,
        )

    def _print(self, text: str) -> None:
        try:
            if self._live is None:
                self._file.write(text + "\n")
                return
            from rich.text import Text

            self._console.print(Text.from_ansi(text), soft_wrap=True)
        except (OSError, ValueError):
            self._live = None
        self._redraw()

    def _redraw(self) -> None:
        clock = self._console.get_time()
        if self._live is None or 0 <= clock - self._drawn_at < 1 / REDRAWS_PER_SECOND:
            return
        self._drawn_at = clock
        try:
            self._live.update(self._block(), refresh=True)
        except (OSError, ValueError):
            self._live = None

    def _block(self) -> Text:
        from rich.text import Text

        size = self._console.size
        return Text("\n".join(self.block_lines(size.height, size.width)), no_wrap=True, overflow="crop")

    def block_lines(self, height: int, width: int) -> list[str]:
        """The block for a screen of that size: running jobs by age, the rest as counts, one line about money."""
        room = min(MOST_JOBS, max(0, height - SPARE_LINES))
        jobs = sorted(self._running.values(), key=lambda job: (-self._elapsed(job), job.name))
        shown = [self._job_line(job) for job in jobs[:room]]
        lines = [*shown, *self._totals(jobs, len(jobs) - len(shown))]
        return [inert_line(fit_start(line, max(10, width - 1), self._style.own("…"))) for line in lines[: max(1, height - 1)]]

    def _job_line(self, job: _Running) -> str:
        elapsed = self._elapsed(job)
        line = f"  {pad(self._style.foreign(job.name, limit=200), self._name_width)}  {pad(self._style.foreign(job.phase, limit=40), 9)}  {format_duration(elapsed)}"
        if job.expected is None:
            return line
        left = job.expected - elapsed
        return f"{line}, about {format_duration(left)} more" if left > 0 else f"{line}, expected {format_duration(-left)} ago"

    def _totals(self, jobs: list[_Running], hidden: int) -> list[str]:
        ended = [f"{count:,} {phase}" for phase, count in self._counts.items() if count]
        parts = [f"{plural(len(jobs), 'job')} training" if jobs else "", f"{hidden:,} of them not shown" if hidden else "", *ended, self._money]
        text = ", ".join(part for part in parts if part)
        return [f"  {text}"] if text else []

    def _elapsed(self, job: _Running) -> float:
        return job.elapsed + max(0.0, seconds_between(job.since, self._now) or 0.0)
