"""How problems of input are shown."""

from __future__ import annotations

import pytest

from reconciler.diagnostics import Diagnostic, Place
from reconciler.reports.diagnostics_text import diagnostics_text
from reconciler.reports.layout import display_width
from reconciler.reports.style import Style


def problem(source: str | None, column: int, **rest) -> Diagnostic:
    return Diagnostic("error", "E201", "unknown field", place=Place("models/a.yaml", 7, column), source_line=source, **rest)


def caret_of(text: str) -> tuple[str, int]:
    """The source line as shown, and the display column of the caret in it."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.strip() == "^")
    gutter = len("  7 | ")
    return lines[at - 1][gutter:], len(lines[at]) - 1 - gutter


def test_a_problem_has_place_code_message_line_caret_and_advice():
    text = diagnostics_text([problem("    step: 1500", 5, detail="did you mean `steps`?")], Style.plain())
    assert text == ("models/a.yaml:7:5: error[E201]: unknown field\n  7 |     step: 1500\n          ^\n    did you mean `steps`?\n\n1 error.\n")


@pytest.mark.parametrize(
    ("source", "column", "under"),
    [
        ("步骤: 1500", 5, "1500"),  # wide characters take two columns
        ("\t\tsteps: x", 10, "x"),
        ("e\u0301te\u0301: x", 8, "x"),  # combining marks take none
        ("a\u202eb: x", 6, "x"),  # made visible, which takes more
        ("x" * 300 + " HERE " + "y" * 300, 302, "HERE"),
        ("界" * 300 + " HERE " + "界" * 300, 302, "HERE"),
        ("x" * 3000 + " HERE", 3002, "HERE"),
        ("url: https://user:secret@h/p?sig=secret HERE", 41, "HERE"),
    ],
)
@pytest.mark.parametrize("style", [Style.plain(80), Style(width=100, unicode=False)], ids=["unicode", "ascii"])
def test_the_caret_stands_under_the_column(source, column, under, style):
    text = diagnostics_text([problem(source, column)], style)
    line, caret = caret_of(text)
    shown = ""
    for char in line:
        if display_width(shown) >= caret:
            break
        shown += char
    assert line[len(shown) :].startswith(under)
    assert "secret" not in text
    assert all(display_width(each) < style.width for each in text.splitlines())


@pytest.mark.parametrize("column", [0, 1, 9, 12, 25, 10_000])
def test_a_column_within_a_secret_shows_none_of_it(column):
    text = diagnostics_text([problem("u: https://user:hunter2@h/p?token=hunter2&x=hunter2", column)], Style.plain())
    assert "hunter2" not in text
    assert "^" in text


def test_the_rest_is_counted_and_errors_go_first():
    many = [Diagnostic("warning", "W1", f"odd {i}", place=Place("a.yaml", i)) for i in range(1, 40)]
    text = diagnostics_text([*many, Diagnostic("error", "E1", "bad", place=Place("z.yaml", 1))], Style.plain(), most=25)
    assert text.count("warning[W1]") == 24
    assert "error[E1]: bad" in text
    assert text.endswith("1 error, 39 warnings; 15 problems more not shown, -json has all.\n")


def test_equal_problems_are_one_and_none_is_no_text():
    assert diagnostics_text([problem("a", 1), problem("a", 1)], Style.plain()).count("E201") == 1
    assert diagnostics_text([], Style.plain()) == ""


def test_a_manifest_cannot_speak_to_the_runner():
    text = diagnostics_text([problem("::error::boo", 1, detail="::warning::x\n##[group]y")], Style.plain(40))
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in text.splitlines())
