"""The progress display on a terminal."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time

import pytest

from reconciler.event import Event
from reconciler.reports.layout import display_width
from reconciler.reports.live import Live
from reconciler.reports.style import Style

AT = "2026-11-22T07:46:00Z"
LATER = "2026-11-22T07:47:00Z"


def poll(name: str, at: str = AT, **data) -> Event:
    return Event("poll", at, "", name, data={"job": f"j-{name}", "phase": "running", "elapsed_seconds": 60.0, "expected_seconds": 300.0} | data)


@pytest.fixture
def screen():
    return io.StringIO()


@pytest.fixture
def live(screen):
    display = Live(screen, Style.plain(80))
    yield display
    display.close()


def test_running_jobs_stand_by_age_with_phase_elapsed_and_expected_end(live):
    live.show(poll("young", elapsed_seconds=10.0))
    live.show(poll("old", elapsed_seconds=600.0))
    live.tick(LATER)
    first, second, money = live.block_lines(24, 80)
    assert first.split(None, 1) == ["old", "running    11 min, expected 6 min ago"]
    assert second.split(None, 1) == ["young", "running    70 s, about 3 min more"]
    assert money.strip() == "2 jobs training"


def test_the_block_never_fills_the_screen_and_counts_the_rest(live):
    for number in range(100):
        live.show(poll(f"n{number:03}"))
    for height in (1, 2, 5, 24, 200):
        lines = live.block_lines(height, 80)
        assert len(lines) <= max(1, height - 1)
    lines = live.block_lines(24, 80)
    assert len(lines) == 21
    assert "100 jobs training, 80 of them not shown" in lines[-1]


def test_lines_are_cut_to_the_screen_and_hostile_names_stay_in_their_row(live):
    live.show(poll("x" * 300))
    live.show(poll("\x1b[2J::error::\n界" * 30))
    for line in live.block_lines(24, 40):
        assert display_width(line) < 40
        assert line.isprintable()


def test_money_and_ends_are_counted(live):
    data = {"job": "j-1", "request_id": "r-1", "price": "8.00", "count": 1, "of": 3, "spent": "8.00", "due": "24.00"}
    live.show(Event("purchase_accepted", AT, "", "a", data=data))
    live.show(Event("purchase_accepted", AT, "", "b", data=data | {"job": "j-2", "spent": "16.00"}))
    live.show(Event("job_settled", AT, "", "a", data={"job": "j-1", "phase": "failed", "error": "zip"}))
    assert live.block_lines(24, 80)[-1].strip() == "1 job training, 1 failed, $16.00 of $24.00 bought"


def test_events_scroll_above_and_the_block_is_gone_at_the_end(live, screen):
    live.show(poll("a"))
    live.show(Event("job_settled", AT, "", "a", data={"job": "j-a", "phase": "succeeded"}))
    live.close()
    live.close()
    text = screen.getvalue()
    assert "settled    succeeded" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1
    live.show(Event("job_settled", AT, "", "b", data={"job": "j-b", "phase": "succeeded"}))
    assert screen.getvalue().endswith("07:46:00Z b               settled    succeeded; reconciler artifacts pull b\n")


def test_it_draws_at_most_four_times_a_second(live, screen):
    begun = time.monotonic()
    for _ in range(300):
        live.tick(AT)
        live.show(poll("a"))
    assert screen.getvalue().count("running") <= 4 * (time.monotonic() - begun) + 1


def test_a_closed_terminal_stops_nothing(screen):
    display = Live(screen, Style.plain(80))
    screen.close()
    display.show(poll("a"))
    display.show(Event("job_settled", AT, "", "a", data={"job": "j-a", "phase": "succeeded"}))
    display.tick(LATER)
    display.close()


def test_colours_come_only_from_the_style():
    painted, bare = io.StringIO(), io.StringIO()
    for screen, color in ((painted, True), (bare, False)):
        display = Live(screen, Style(width=80, color=color))
        display.show(Event("job_settled", AT, "", "a", data={"job": "j-a", "phase": "failed"}))
        display.close()
    assert "\x1b[31m" in painted.getvalue()
    assert "\x1b[31m" not in bare.getvalue()


def test_rich_is_loaded_by_the_display_alone():
    code = "import sys, reconciler.reports.live as live; assert 'rich' not in sys.modules; assert live.Live"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
