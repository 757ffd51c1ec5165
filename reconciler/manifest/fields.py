"""Reading typed values out of marked nodes: each door returns the value, or None after its problem was added.

Strict: a number is never taken from text, text never from a number. Variables are filled in on the way. What a value
is for is known by the caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from reconciler.diagnostics import Place
from reconciler.manifest.keys import NAME_PATTERN, Table
from reconciler.manifest.node import Map, Node, Scalar, Seq
from reconciler.manifest.scalars import MAX_INTEGER, POISON, Odd, Value, number_in_text
from reconciler.manifest.source import Problems, shown
from reconciler.money import Money, parse_money
from reconciler.text import nearest

_NAME = re.compile(NAME_PATTERN)
_NAMES_FOR_YES = {"yes": True, "on": True, "y": True, "no": False, "off": False, "n": False}


class NoValue(Exception):
    """A variable without a value: the model that needs it cannot be read. Its problem was added, or did not matter."""


class Fields:
    """Reads values. `fill` gives a string with its variables filled in; the value may be of another type."""

    def __init__(self, problems: Problems, fill: Callable[[Scalar], Value] | None = None) -> None:
        self.problems = problems
        self._fill = fill

    def fault(self, code: str, node: Node, summary: str, detail: str = "") -> None:
        """Add a problem at `node`, unless something was wrong there already."""
        if type(node) is Scalar and node.value is POISON:
            return
        self.problems.add(code, summary, detail, place=node.place, source=node.source)

    def value(self, node: Node) -> Value | Node:
        """The scalar's value with variables filled in, or the node itself when it is a list or a mapping."""
        if type(node) is not Scalar:
            return node
        value = node.value
        if type(value) is str and "${" in value and self._fill is not None:
            return self._fill(node)
        return value

    def wrong(self, node: Node, what: str, wanted: str, detail: str = "") -> None:
        """Add `what must be wanted, not …`."""
        self.fault("E102", node, f"{shown(what)} must be {wanted}, not {kind_of(node)}", detail)

    def odd(self, node: Node, what: str, odd: Odd) -> None:
        """Add the problem of a number that cannot be used."""
        self.fault("E103", node, f"{shown(what)}: {shown(odd.text)} is not usable", f"{odd.why[:1].upper()}{odd.why[1:]}.")

    def text(self, node: Node, what: str, *, limit: int = 4096, empty: bool = False) -> str | None:
        """Text, as text was written."""
        value = self.value(node)
        if type(value) is str:
            if not value.strip() and not empty:
                self.fault("E105", node, f"{shown(what)} must not be empty")
                return None
            if len(value) > limit:
                self.fault("E026", node, f"{shown(what)} has {len(value):,} characters; the limit is {limit:,}")
                return None
            return value
        hint = f'Quote it: "{shown(node.text)[1:-1]}".' if type(node) is Scalar and node.value is not None else ""
        self.wrong(node, what, "text", hint)
        return None

    def integer(self, node: Node, what: str, *, minimum: int | None = None, maximum: int = MAX_INTEGER) -> int | None:
        """A whole number. `1500.0` is one; text that looks like one is not."""
        value = self._number(node, what, "a whole number")
        if value is None:
            return None
        if isinstance(value, float):
            if not value.is_integer() or abs(value) > 2**53:
                self.fault("E103", node, f"{shown(what)} must be a whole number, not {shown(_text_of(node, value))}", "Nothing is rounded here.")
                return None
            value = int(value)
        if (minimum is not None and value < minimum) or value > maximum:
            least = "" if minimum is None else f"at least {minimum:,}"
            self.fault(
                "E104",
                node,
                f"{shown(what)} must be {least or f'at most {maximum:,}'}{f' and at most {maximum:,}' if least and maximum < MAX_INTEGER else ''}, not {value:,}",
            )
            return None
        return value

    def number(self, node: Node, what: str) -> float | None:
        """A finite number as float."""
        value = self._number(node, what, "a number")
        return None if value is None else float(value)

    def _number(self, node: Node, what: str, wanted: str) -> int | float | None:
        value = self.value(node)
        if type(value) is int or type(value) is float:
            return value
        if isinstance(value, Odd):
            self.odd(node, what, value)
        elif type(value) is str:
            meant = number_in_text(value)
            self.fault(
                "E102", node, f"{shown(what)} must be {wanted}, not the text {shown(value)}", f"Write {meant}, without quotes or separators." if meant else ""
            )
        else:
            self.wrong(node, what, wanted)
        return None

    def flag(self, node: Node, what: str) -> bool | None:
        """True or false."""
        value = self.value(node)
        if type(value) is bool:
            return value
        meant = _NAMES_FOR_YES.get(value.lower()) if type(value) is str else None
        hint = "" if meant is None else f"In YAML 1.2 {shown(value)} is text. Write {'true' if meant else 'false'}."
        self.wrong(node, what, "true or false", hint)
        return None

    def choice(self, node: Node, what: str, allowed: Iterable[str]) -> str | None:
        """One of a few words."""
        words = list(allowed)
        value = self.value(node)
        if type(value) is str and value in words:
            return value
        if type(value) is str:
            self.fault("E105", node, f"{shown(what)} cannot be {shown(value)}", f"{perhaps(value, words, self.problems)}Allowed: {', '.join(words)}.")
        else:
            self.wrong(node, what, "one of " + ", ".join(words))
        return None

    def money(self, node: Node, what: str) -> Money | None:
        """An amount in USD, written as text or number."""
        value = self.value(node)
        if type(value) in (str, int, float):
            try:
                return parse_money(node.text if type(node) is Scalar and node.value is value else str(value))
            except ValueError as error:
                self.fault("E105", node, f"{shown(what)} is not usable: {error}", 'Write it like "8.00".')
                return None
        if isinstance(value, Odd):
            self.odd(node, what, value)
        else:
            self.wrong(node, what, 'an amount like "8.00"')
        return None

    def name(self, node: Node, what: str) -> str | None:
        """A name by the rule for names."""
        value = self.text(node, what)
        return value if value is None or self.check_name(node, value, what) else None

    def check_name(self, node: Node, value: str, what: str) -> bool:
        """Whether `value` may be a name; adds the problem when not."""
        if _NAME.fullmatch(value):
            return True
        better = re.sub(r"[^a-z0-9._-]+", "-", value.casefold()).strip("-._")[:63]
        hint = f"Perhaps {better}. " if _NAME.fullmatch(better) else ""
        self.fault("E106", node, f"{shown(value)} cannot be {what}", f"{hint}Names have 1 to 63 of a-z 0-9 . _ - and begin with a letter or digit.")
        return False

    def mapping(self, node: Node, what: str) -> Map | None:
        """A mapping. Nothing after the colon is not an empty one."""
        if type(node) is Map:
            return node
        self.wrong(node, what, "a mapping")
        return None

    def items(self, node: Node, what: str) -> list[Node] | None:
        """A list's items."""
        if type(node) is Seq:
            return node.items
        self.wrong(node, what, "a list", "Begin each item with `- `." if type(node) is Scalar else "")
        return None

    def texts(self, node: Node, what: str) -> list[str] | None:
        """A list of text. None when anything in it is wrong."""
        items = self.items(node, what)
        if items is None:
            return None
        found = [self.text(item, what) for item in items]
        return [t for t in found if t is not None] if None not in found else None

    def table(self, node: Node, what: str, table: Table, *, known: Iterable[str] = ()) -> Map | None:
        """A mapping with the keys of `table` only, its required ones present. Unknown keys are added and ignored."""
        found = self.mapping(node, what)
        if found is None:
            return None
        self.unknown(found, what, table, known)
        for name, key in table.items():
            if key.required and name not in found.entries:
                self.fault("E101", found, f"{shown(name)} is missing in {what}")
        return found

    def unknown(self, found: Map, what: str, table: Mapping[str, object], known: Iterable[str] = ()) -> None:
        """Adds every key that nobody knows, with the nearest name."""
        if found.entries.keys() <= table.keys():
            return
        names = [*table, *known]
        for name, (key, _) in found.entries.items():
            if name not in names:
                self.fault("E100", key, f"unknown key {shown(name)} in {what}", f"{perhaps(name, names, self.problems)}Allowed: {', '.join(sorted(names))}.")


def perhaps(word: str, known: Iterable[str], problems: Problems) -> str:
    """The nearest of `known` as a sentence with a blank behind it; empty where there is none, or where enough were looked for."""
    if problems.hints_left <= 0:
        return ""
    names = sorted(known)
    problems.hints_left -= 1 + len(names) // 1000
    return nearest_of(word, names)


def nearest_of(word: str, known: list[str]) -> str:
    """The nearest of `known` as a sentence with a blank behind it, or nothing."""
    folded = {k.casefold().replace("-", "_"): k for k in reversed(known)}
    same = folded.get(word.casefold().replace("-", "_").replace(" ", "_"))
    found = [same] if same else nearest(word, known, most=1)
    return f"Did you mean {found[0]}? " if found else ""


def kind_of(node: Node) -> str:
    """What a node is, in words for messages."""
    if type(node) is Map:
        return "a mapping"
    if type(node) is Seq:
        return "a list"
    assert type(node) is Scalar, "there are three kinds of nodes"
    if node.value is None:
        return "nothing (null)"
    if isinstance(node.value, bool):
        return f"the boolean {node.text}"
    if isinstance(node.value, str):
        return f"the text {shown(node.value)}"
    return f"the number {shown(node.text)}"


def _text_of(node: Node, value: object) -> str:
    return node.text if type(node) is Scalar and node.value is value else str(value)


def plain(node: Node) -> object:
    """A node as plain data; numbers that cannot be used stay text."""
    if type(node) is Map:
        return {name: plain(value) for name, (_, value) in node.entries.items()}
    if type(node) is Seq:
        return [plain(item) for item in node.items]
    assert type(node) is Scalar, "there are three kinds of nodes"
    return node.value.text if isinstance(node.value, Odd) else node.value


def marked(value: object, place_of: Node) -> Node:
    """Plain data as nodes that all stand where `place_of` stands: for values that did not come from a file."""
    source, line, column = place_of.source, place_of.line, place_of.column
    if isinstance(value, Mapping):
        found = Map(source, line, column)
        for name, item in value.items():
            found.entries[str(name)] = (Scalar(source, line, column, str(name), str(name), plain=True), marked(item, place_of))
        return found
    if isinstance(value, (list, tuple)):
        seq = Seq(source, line, column)
        seq.items = [marked(item, place_of) for item in value]
        return seq
    if isinstance(value, Decimal):
        value = str(value)
    assert value is None or isinstance(value, (bool, int, float, str)), "plain data only"
    return Scalar(source, line, column, value, str(value), plain=not isinstance(value, str))


def first_place(*places: Place | None) -> Place | None:
    """The first place that is known."""
    return next((p for p in places if p is not None), None)


class Marked(dict[str, object]):
    """Plain data that still knows its node, so that values of the project file can be merged into models with their places."""

    __slots__ = ("node",)

    def __init__(self, node: Map) -> None:
        data = plain(node)
        assert isinstance(data, dict), "a mapping is read as a dict"
        super().__init__(data)
        self.node = node
