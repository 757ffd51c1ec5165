"""Documents written along the chapters of YAML 1.2: valid ones of the supported subset have their value, invalid ones their line."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.manifest.catalog import read_file
from reconciler.manifest.fields import plain

VALID: list[tuple[str, str, Any]] = [
    # 5 characters
    ("5.1 byte order mark", "\ufeffa: b\n", {"a": "b"}),
    ("5.2 carriage return and line feed", "a: b\r\nc:\r\n  - d\r\n", {"a": "b", "c": ["d"]}),
    ("5.3 indicators inside words", "a: b:c-d?e#f\nb: x-y\n", {"a": "b:c-d?e#f", "b": "x-y"}),
    # \0, \a, \b, \v, \f, \r, \e, \N, \L and \P are refused once decoded: see the corpus
    ("5.7 escapes that print", r'a: "\t\n\"\/\\\x41\u0042\U00000043\_"', {"a": '\t\n"/\\ABC\u00a0'}),
    # 6 structures
    ("6.1 indentation of any width", "a:\n    b:\n     - c\n     - d\n", {"a": {"b": ["c", "d"]}}),
    ("6.1 a list at its key's column", "a:\n- b\n- c\nd: e\n", {"a": ["b", "c"], "d": "e"}),
    ("6.2 a tab behind a colon", "a:\tb\n", {"a": "b"}),
    ("6.5 folding of a plain scalar", "a: b\n  c\n\n  d\n", {"a": "b c\nd"}),
    ("6.6 comments", "# one\na: b # two\n  # three\nc: d#e\n", {"a": "b", "c": "d#e"}),
    ("6.7 comments between lines of keys", "a:\n  # x\n  b: 1\n\n\n  # y\n  c: 2\n", {"a": {"b": 1, "c": 2}}),
    ("6.9 an anchor and its alias", "a: &x [1, 2]\nb: *x\n", {"a": [1, 2], "b": [1, 2]}),
    # 7 flow styles
    ("7.1 an alias of a scalar", "a: &x b\nc: *x\n", {"a": "b", "c": "b"}),
    ("7.3.1 double quotes fold", 'a: "b\n  c\n\n  d"\n', {"a": "b c\nd"}),
    ("7.3.1 an escaped line break", 'a: "b\\\n  c"\n', {"a": "bc"}),
    ("7.3.2 single quotes", "a: 'it''s'\nb: ': # not'\n", {"a": "it's", "b": ": # not"}),
    ("7.3.2 single quotes fold", "a: 'b\n  c'\n", {"a": "b c"}),
    ("7.3.3 plain scalars", "a: -1\nb: -x\nc: ?x\nd: :x\n", {"a": -1, "b": "-x", "c": "?x", "d": ":x"}),
    ("7.4.1 flow sequences", "a: [b, [c], {d: e}, ]\n", {"a": ["b", ["c"], {"d": "e"}]}),
    ("7.4.1 flow over lines", "a: [\n  b,\n  c\n]\n", {"a": ["b", "c"]}),
    ("7.4.2 flow mappings", 'a: {b: 1, "c": 2, d: , e}\n', {"a": {"b": 1, "c": 2, "d": None, "e": None}}),
    ("7.4.2 JSON", '{"a": {"b":[1,2.5,true,null,"x"]}}\n', {"a": {"b": [1, 2.5, True, None, "x"]}}),
    ("7.4.2 JSON without blanks", '{"a":"b","c":{"d":[]}}', {"a": "b", "c": {"d": []}}),
    ("7.4.2 a URL in flow", "a: {url: https://x.example/y, b: 1}\n", {"a": {"url": "https://x.example/y", "b": 1}}),
    ("7.4 empty collections", "a: []\nb: {}\n", {"a": [], "b": {}}),
    # 8 block styles
    ("8.1.2 literal", "a: |\n  b\n   c\n\n  d\n", {"a": "b\n c\n\nd\n"}),
    ("8.1.1 strip", "a: |-\n  b\n\nc: d\n", {"a": "b", "c": "d"}),
    ("8.1.1 keep", "a: |+\n  b\n\nc: d\n", {"a": "b\n\n", "c": "d"}),
    ("8.1.1 indentation indicator", "a: |2\n   b\n  c\n", {"a": " b\nc\n"}),
    ("8.1.1 indicators in either order", "a: |2-\n   b\nc: |-2\n   d\n", {"a": " b", "c": " d"}),
    ("8.1.3 folded", "a: >\n  b\n  c\n\n  d\n", {"a": "b c\nd\n"}),
    ("8.1.3 folded with more indented lines", "a: >\n  b\n    c\n  d\n", {"a": "b\n  c\nd\n"}),
    ("8.1.2 literal of signs", "a: |\n  # no comment\n  - [ {\n  'x\n", {"a": "# no comment\n- [ {\n'x\n"}),
    ("8.1 a comment behind the indicator", "a: | # c\n  b\n", {"a": "b\n"}),
    ("8.1 an empty literal", "a: |\nb: c\n", {"a": "", "b": "c"}),
    ("8.2.1 nested sequences", "a:\n- - b\n  - c\n- d\n", {"a": [["b", "c"], "d"]}),
    ("8.2.1 mappings in a sequence", "a:\n- b: 1\n  c: 2\n- d: 3\n", {"a": [{"b": 1, "c": 2}, {"d": 3}]}),
    ("8.2.1 an empty entry", "a:\n-\n- b\n", {"a": [None, "b"]}),
    ("8.2.2 quoted keys", "'a b': 1\n\"c\\x64\": 2\n", {"a b": 1, "cd": 2}),
    ("8.2.2 a value on the next line", "a:\n  b\nc:\n  'd'\n", {"a": "b", "c": "d"}),
    ("8.2.2 an explicit key", "? a\n: b\n", {"a": "b"}),
    ("8.2.2 keys with blanks and signs", "a b c: 1\nd.e-f/g: 2\n", {"a b c": 1, "d.e-f/g": 2}),
    # 9 documents
    ("9.1 explicit start", "---\na: b\n", {"a": "b"}),
    ("9.1 explicit start and end", "# c\n---\na: b\n...\n", {"a": "b"}),
    ("9.1 no line break at the end", "a: b", {"a": "b"}),
    ("9.1 a comment behind the start", "--- # c\na: b\n", {"a": "b"}),
    ("9.1 a value that looks like a marker", "a: ---b\nc: '---'\n", {"a": "---b", "c": "---"}),
    # 10 the core schema
    ("10.3 null", "a: null\nb: ~\nc:\nd: Null\ne: 'null'\n", {"a": None, "b": None, "c": None, "d": None, "e": "null"}),
    ("10.3 booleans", "a: true\nb: FALSE\nc: yes\nd: off\ne: n\n", {"a": True, "b": False, "c": "yes", "d": "off", "e": "n"}),
    ("10.3 integers", "a: 0\nb: -12\nc: +7\n", {"a": 0, "b": -12, "c": 7}),
    ("10.3 floats", "a: 1.5\nb: 1e3\nc: -2E-2\nd: .5\n", {"a": 1.5, "b": 1000.0, "c": -0.02, "d": 0.5}),
    ("10.3 what other versions read as something else", "a: 2024-01-01\nb: 1:30\nc: 1_000\nd: =\n", {"a": "2024-01-01", "b": "1:30", "c": "1_000", "d": "="}),
    ("merge keys", "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n", {"a": {"b": 1, "c": 2}, "d": {"c": 3, "b": 1}}),
    ("merge keys of a list", "a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y]}\n", {"a": {"b": 1}, "c": {"b": 2, "d": 3}, "e": {"b": 1, "d": 3}}),
]

INVALID: list[tuple[str, str, int]] = [
    ("5.1 control character", "a: b\nc: d\x07\n", 2),
    ("5.1 delete", "a: \x7f\n", 1),
    ("5.2 UTF-16", "\x00a\x00:", 1),
    ("5.3 reserved at", "a: 1\nb: @x\n", 2),
    ("5.3 reserved backtick", "a: `x`\n", 1),
    ("5.7 unknown escape", 'a: 1\nb: "\\q"\n', 2),
    ("5.7 short hexadecimal escape", 'a: "\\x4"\n', 1),
    ("5.7 escape beyond Unicode", 'a: "\\UFFFFFFFF"\n', 1),
    ("6.1 less indented than its list", "a:\n   - b\n  - c\n", 3),
    ("6.1 more indented than its siblings", "a: 1\n  b: 2\n", 2),
    ("6.1 a tab", "a:\n\tb: 1\n", 2),
    ("6.8 a directive", "%YAML 1.2\n---\na: b\n", 1),
    ("6.8 a tag directive", "%TAG ! tag:x,2000:\n---\na: b\n", 1),
    ("6.9 a tag", "a: 1\nb: !!str 2\n", 2),
    ("6.9 a local tag", "a: !x y\n", 1),
    ("6.9 a non-specific tag", "a: ! y\n", 1),
    ("6.9 two anchors", "a: &x &y b\n", 1),
    ("7.1 an alias before its anchor", "a: *x\nb: &x 1\n", 1),
    ("7.1 an alias with an anchor", "a: &x b\nc: &y *x\n", 2),
    ("7.3.1 unclosed", 'a: "b\nc: d\n', 1),
    ("7.3.2 unclosed", "a: 1\nb: 'c\n", 2),
    ("7.3.2 text behind the quote", "a: 'b' c\n", 1),
    ("7.3.3 a colon and a blank", "a: b: c\n", 1),
    ("7.3.3 a plain scalar that begins with a bracket", "a: ]\n", 1),
    ("7.3.3 a plain scalar that begins with a percent sign", "a: %x\n", 1),
    ("7.4.1 two commas", "a: [b,, c]\n", 1),
    ("7.4.1 a comma first", "a: [, b]\n", 1),
    ("7.4.2 the wrong bracket", "a: {b: 1]\n", 1),
    ("7.4 a bracket too many", "a: [b]]\n", 1),
    ("8.1.1 an indicator of zero", "a: |0\n  b\n", 1),
    ("8.1.1 two indicators", "a: |12\n  b\n", 1),
    ("8.1 text behind the indicator", "a: | b\n  c\n", 1),
    ("8.2.1 a sequence behind its key", "a: - b\n", 1),
    ("8.2.1 an entry without a blank", "a:\n- b\n-c\n", 3),
    ("8.2.2 a key twice", "a: 1\nb: 2\na: 3\n", 3),
    ("8.2.2 a key twice in other quotes", "a: 1\n'a': 3\n", 2),
    ("8.2.2 a list as a key", "? [a]\n: b\n", 1),
    ("8.2.2 a map as a key", "{a: b}: c\n", 1),
    ("8.2.2 no key", ": b\n", 1),
    ("9.1 a second document", "a: 1\n---\nb: 2\n", 2),
    ("9.1 text behind the end", "a: 1\n...\nb: 2\n", 3),
    ("9.1 a scalar and a mapping", "a\nb: 1\n", 2),
    ("merge of a scalar", "a: 1\n<<: x\n", 2),
    ("two merges", "a: &x {b: 1}\nc:\n  <<: *x\n  <<: *x\n", 4),
]


@pytest.mark.parametrize(("text", "value"), [pytest.param(text, value, id=name) for name, text, value in VALID])
def test_what_is_valid_has_its_value(text: str, value: Any) -> None:
    found = read_file("x.yaml", text.encode())
    assert [d for d in found.problems if d.severity == "error"] == []
    assert found.tree is not None
    assert repr(plain(found.tree)) == repr(value), "types too"


@pytest.mark.parametrize(("text", "line"), [pytest.param(text, line, id=name) for name, text, line in INVALID])
def test_what_is_invalid_is_refused_at_its_line(text: str, line: int) -> None:
    found = read_file("x.yaml", text.encode())
    errors = [d for d in found.problems if d.severity == "error"]
    assert errors
    assert errors[0].place is not None
    assert errors[0].place.line == line, errors
