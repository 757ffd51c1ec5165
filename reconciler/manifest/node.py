"""What a file holds, as values that know where they stand: single values, lists, mappings. What they mean is not known here."""

from __future__ import annotations

from reconciler.diagnostics import Place
from reconciler.manifest.scalars import Value
from reconciler.manifest.source import Source


class Node:
    """Something in a file; line and column count from 0 here, `place` from 1."""

    __slots__ = ("column", "line", "source")

    source: Source
    line: int
    column: int

    @property
    def place(self) -> Place:
        """Where it stands, for people."""
        return Place(self.source.path, self.line + 1, self.column + 1)


class Scalar(Node):
    """A single value. `text` is as written (without quotes); `plain` is true where no quotes stood."""

    __slots__ = ("plain", "text", "value")

    def __init__(self, source: Source, line: int, column: int, value: Value, text: str, plain: bool) -> None:
        self.source = source
        self.line = line
        self.column = column
        self.value = value
        self.text = text
        self.plain = plain


class Seq(Node):
    """A list."""

    __slots__ = ("items",)

    def __init__(self, source: Source, line: int, column: int) -> None:
        self.source = source
        self.line = line
        self.column = column
        self.items: list[Node] = []


class Map(Node):
    """A mapping: key → (the key's node, the value's node), in the order of the file."""

    __slots__ = ("entries",)

    def __init__(self, source: Source, line: int, column: int) -> None:
        self.source = source
        self.line = line
        self.column = column
        self.entries: dict[str, tuple[Scalar, Node]] = {}

    def get(self, key: str) -> Node | None:
        """The value under `key`, or None."""
        entry = self.entries.get(key)
        return entry[1] if entry else None
