"""The YAML front end: one verdict of two parsers, no exception ever, work that grows with the file and no faster."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifest import parse as parse_module
from reconciler.manifest.catalog import read_file
from reconciler.manifest.fields import plain
from reconciler.manifest.front import decode
from reconciler.manifest.node import Node
from reconciler.manifest.parse import parse
from reconciler.manifest.scalars import Odd, resolve
from reconciler.manifest.source import Problems, Source
from reconciler.manifest.tree import Builder


def tree_of(text: str) -> tuple[Node | None, list[str]]:
    problems = Problems()
    return parse(Source("x.yaml", text), problems), [d.code for d in problems.found]


def pure_of(text: str) -> tuple[Any, list[str]]:
    problems = Problems()
    builder = Builder(Source("x.yaml", text), problems)
    builder.feed(parse_module._pure_events(text))
    return plain(builder.root) if builder.root else None, [d.code for d in problems.found]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("NULL", None), ("true", True), ("False", False), ("yes", "yes"), ("on", "on"), ("1500", 1500), ("+5", 5), ("-0", 0),
        ("1500.0", 1500.0), ("3e-5", 3e-5), (".5", 0.5), ("1.", 1.0), ("2024-01-01", "2024-01-01"), ("12:30:45", "12:30:45"), ("1_500", "1_500"), ("1,500", "1,500"),
        ("-", "-"), (".", "."), ("...", "..."), ("1e", "1e"), ("0x", "0x"), ("nan", "nan"), ("9223372036854775807", 2**63 - 1), ("1.2.3", "1.2.3"), ("٣", "٣"),
    ],
)  # fmt: skip
def test_a_plain_scalar_means_what_yaml_1_2_says(text: str, value: object) -> None:
    found = resolve(text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    "text", ["017", "-017", "0o17", "0x1F", ".inf", "-.INF", ".nan", "1e400", "9223372036854775808", "1" * 41, "0." + "1" * 41, "1" * 5000]
)
def test_a_number_that_could_be_misread_is_neither_number_nor_text(text: str) -> None:
    assert isinstance(resolve(text), Odd)


YAML_TEXT = st.text(alphabet=st.sampled_from(list("ab1.:-?,[]{}#&*!|>'\"%@` \n\n  ~/\\$_=é😀\t")), max_size=60)


@settings(max_examples=400, deadline=None)
@given(YAML_TEXT)
def test_nothing_that_is_written_raises(text: str) -> None:
    found = read_file("x.yaml", text.encode())
    assert found.tree is not None or any(d.severity == "error" for d in found.problems)
    for problem in found.problems:
        assert problem.place is not None
        assert problem.place.line <= text.count("\n") + 1


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_no_bytes_raise(raw: bytes) -> None:
    found = read_file("x.yaml", raw)
    assert found.tree is not None or any(d.severity == "error" for d in found.problems)


@settings(max_examples=300, deadline=None)
@given(YAML_TEXT)
def test_the_stand_in_for_colons_means_the_same_as_the_pure_parser(text: str) -> None:
    text = "a: {u: https://x, " + text.replace("#", "") + "}\n"
    problems = Problems()
    builder = Builder(Source("x.yaml", text), problems, restore=(parse_module._STAND_IN, ":"))
    try:
        builder.feed(parse_module._c_events(parse_module._COLON.sub(parse_module._STAND_IN, text)))
        fast = plain(builder.root) if builder.root else None
        slow, codes = pure_of(text)
    except Exception:
        return
    if not codes and not problems.found:
        assert fast == slow


@pytest.mark.parametrize("text", ["{url: https://x.example.com/a.zip?b=1}\n", "[a:b, 12:30, x:/y]\n", "a: {b: c:d}\n"])
def test_a_colon_inside_a_word_is_no_mapping(text: str) -> None:
    root, codes = tree_of(text)
    assert codes == []
    assert root is not None
    assert plain(root) == pure_of(text)[0]


def test_the_pure_parser_decides_where_the_c_parser_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_text: str) -> Any:
        raise RecursionError

    monkeypatch.setattr(parse_module, "_c_events", refuse)
    root, codes = tree_of("a: [1, b]\n")
    assert codes == []
    assert root is not None
    assert plain(root) == {"a": [1, "b"]}


@pytest.mark.parametrize("error", [RecursionError, ValueError, AssertionError, TypeError, NotImplementedError, OverflowError, MemoryError])
def test_whatever_a_parser_raises_is_the_inputs_fault(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def refuse(_text: str) -> Any:
        raise error("secret detail")

    monkeypatch.setattr(parse_module, "_c_events", refuse)
    monkeypatch.setattr(parse_module, "_pure_events", refuse)
    problems = Problems()
    assert parse(Source("x.yaml", "a: 1\n"), problems) is None
    assert [d.code for d in problems.found] == ["E000"]
    assert "secret detail" not in repr(problems.found)


def test_places_count_code_points() -> None:
    problems = Problems()
    assert decode("x.yaml", "a: 1\n😀é: \u202e\n".encode(), problems) is None
    assert [(d.place.line, d.place.column) for d in problems.found if d.place] == [(2, 5)]


def test_both_places_of_a_duplicate_are_named() -> None:
    found = read_file("x.yaml", b"a: 1\nb: 2\n\na: 3\n")
    assert [(d.place, d.detail) for d in found.problems if d.place] == [(found.problems[0].place, "The first one is at x.yaml:1:1. Remove one of them.")]
    assert found.problems[0].place is not None
    assert found.problems[0].place.line == 4


def events_of(count: int, shape: str) -> int:
    """How many events are handled for a hostile file: bounded by limits, not by the file's size."""
    handled = 0
    original = parse_module._c_events

    def counted(text: str) -> Any:
        nonlocal handled
        for event in original(text):
            handled += 1
            yield event

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parse_module, "_c_events", counted)
        read_file("x.yaml", (shape * count).encode())
    return handled


@pytest.mark.parametrize("shape", ["[", "{a: ", "- ", "? "])
def test_depth_is_refused_before_the_file_is_read(shape: str) -> None:
    assert events_of(1_000, shape) == events_of(100_000, shape) < 500


def test_an_alias_bomb_is_counted_and_never_written_out() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(9))
    handled = events_of(1, bomb)
    assert handled < 200


def test_one_wrong_line_in_thousands_is_one_problem() -> None:
    text = "version: 1\nmodels:\n" + "".join(f"  m{i}:\n    dataset: https://x.example.com/{i}.zip\n" for i in range(3000))
    found = read_file("x.yaml", (text + "  bad: 'x\n").encode())
    assert [(d.code, d.place and d.place.line) for d in found.problems] == [("E011", 6003)]


def test_problems_of_one_file_are_bounded() -> None:
    found = read_file("x.yaml", b"k: 1\n" * 5000)
    assert len(found.problems) == 1000
    assert found.problems[-1].code == "W999"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: [b, c\nd: e\n", "1:4"),
        ("a:\n  - [1, 2\n  - 3\nb: 1\n", "2:5"),
        ("a: 1\nb\nc: 2\n", "2:1"),
        ("a:\n  x: 1\n  yy\n  z: 2\n", "3:3"),
    ],
)
def test_what_is_left_open_is_shown_where_it_begins(text: str, place: str) -> None:
    [problem] = read_file("x.yaml", text.encode()).problems
    assert (problem.code, str(problem.place)) == ("E010", f"x.yaml:{place}")


def test_two_escapes_for_one_character_are_one_and_a_lone_half_is_refused() -> None:
    tree = read_file("x.yaml", rb'a: "\ud83d\udc7e"').tree
    assert tree is not None
    assert tree.get("a").value == "\U0001f47e"  # type: ignore[union-attr]
    assert [p.code for p in read_file("x.yaml", rb'a: "\ud83d x \udc7e"').problems] == ["E006"]
