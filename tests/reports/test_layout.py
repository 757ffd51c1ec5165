"""Columns, wrapping and places: everything is where it should be, and nothing is lost."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.diagnostics import Place
from reconciler.reports.layout import Column, display_width, fit_end, fit_start, join_lines, pad_left, paragraph, table, wrap
from reconciler.reports.places import short_files, short_place
from reconciler.reports.style import Style
from reconciler.text import format_duration, format_size, format_time, redact, safe


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("界a", 3), ("e\u0301", 1), ("ｗ", 2), ("→±·█…", 5), ("", 0)])
def test_wide_characters_take_two_columns_and_marks_none(text, columns):
    assert display_width(text) == columns


WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp")), max_size=200)


@settings(deadline=None)
@given(WORDS, st.integers(2, 60))
def test_wrapping_loses_no_character_and_keeps_the_width(text, width):
    lines = wrap(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(display_width(line) <= width for line in lines)


def test_long_words_break_behind_punctuation_where_they_can():
    assert wrap("see https://data.example.com/otter-v3.zip now", 24) == ["see", "https://data.example.", "com/otter-v3.zip now"]
    assert wrap("x" * 10, 4) == ["xxxx", "xxxx", "xx"]


@settings(deadline=None)
@given(WORDS, st.integers(4, 40))
def test_a_quotation_fits_and_shows_that_it_was_cut(text, width):
    for cut in (fit_start(text, width, "…"), fit_end(text, width, "…")):
        assert display_width(cut) <= width
        assert cut == text or "…" in cut


def test_a_table_wraps_only_the_column_that_may():
    lines = table((Column("name"), Column("what", wraps=True), Column("cost", "right")), [["界界", "some words that wrap here", "$8.00"]], Style.plain(40))
    assert lines == ["name  what                        cost", "界界  some words that wrap here  $8.00"]
    narrow = table((Column(), Column(wraps=True), Column()), [["a" * 10, "some words that wrap here", "$8.00"]], Style.plain(40))
    assert narrow == ["aaaaaaaaaa  some words that wrap  $8.00", "            here"]


def test_colour_takes_no_room():
    rows = [[("a", "bad"), "b"], ["ccc", "d"]]
    plain, painted = (table((Column(), Column()), rows, style) for style in (Style.plain(80), Style(width=80, color=True)))
    assert painted[0] == "\x1b[31ma\x1b[0m    b"
    assert plain[0] == "a    b"


def test_lines_end_without_blanks_and_speak_to_no_runner():
    assert join_lines(["a  ", "", "  ::error::x", "a ##[group]"]) == "a\n\n  \\::error::x\na #\\#[group]\n"
    assert paragraph("a b", Style.plain(40), first="x ") == ["x a b"]
    assert pad_left("界", 4) == "  界"


def test_places_are_the_shortest_unique_end_and_hide_secrets_before_they_are_cut():
    short = short_files(["models/a/x.yaml", "models/b/x.yaml", "y.yaml", "z/y.yaml"])
    assert [short_place(Place(file, 1), short) for file in ("models/a/x.yaml", "models/b/x.yaml", "z/y.yaml", "y.yaml")] == [
        "a/x.yaml:1",
        "b/x.yaml:1",
        "z/y.yaml:1",
        "y.yaml:1",
    ]
    secret = "data:image/png;base64,aHVudGVyMg=="
    assert short_place(Place(secret, 3), short_files([secret])) == "data:…(34 bytes):3"
    assert short_place(None, short) == ""


def test_numbers_and_times_are_words():
    assert [format_size(n) for n in (0, 999, 1400, 999_400, 317_000_000, 2_000_000_000_000_000)] == ["0 B", "999 B", "1.4 kB", "999 kB", "317 MB", "2,000 TB"]
    assert [format_duration(s) for s in (42, 840, 3900, 100_000_0)] == ["42 s", "14 min", "65 min", "11 d 13 h"]
    assert format_time("2026-11-21T22:14:03Z", today="2026-11-22T00:00:00Z") == "2026-11-21 22:14 UTC"
    assert format_time("2026-11-22T07:43:03Z", today="2026-11-22T09:00:00Z") == "07:43 UTC"
    assert format_time("\x1b[2J2026-11-22T07:43") == "\\u{1B}[2J2026-11-22T07:43"


def test_marks_beyond_writing_and_at_the_beginning_become_visible():
    assert safe("e\u0301") == "e\u0301"
    assert safe("a" + "\u0301" * 5) == "a" + "\u0301" * 3 + "\\u{301}\\u{301}"
    assert safe("\u0301x") == "\\u{301}x"


@settings(deadline=None)
@given(st.text(max_size=300))
def test_safe_is_one_printable_line_whatever_comes(text):
    shown = safe(text)
    assert all(char.isprintable() or unicodedata.category(char) == "Zs" for char in shown)  # blanks of other scripts are writing
    assert len(shown) <= 541
    assert redact(redact(text)) == redact(text)


def test_redaction_is_linear():
    for text in ("a" * 200_000 + "://", "://" * 70_000, "data:" * 40_000, "?sig=" * 40_000, "data:a/b" + ";x" * 100_000, "x" * 300_000 + "?token=abc"):
        assert len(safe(text)) < 600
