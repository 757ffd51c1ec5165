"""Parser events into marked nodes: every value knows its file, line and column. Limits are kept while building.

One builder for both parsers, so there is one meaning of a document. Aliases share nodes; how large they would be when
written out is counted, never done.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NoReturn

from ruamel.yaml.events import AliasEvent, DocumentStartEvent, MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent, SequenceStartEvent

from reconciler.diagnostics import Place
from reconciler.manifest.front import HIDDEN, ZERO_WIDTH
from reconciler.manifest.node import Map, Node, Scalar, Seq
from reconciler.manifest.scalars import MAY_RESOLVE, POISON, Odd, resolve
from reconciler.manifest.source import MAX_PROBLEMS_PER_FILE, Problems, Source, shown

MAX_DEPTH = 64
MAX_NODES = 2_000_000
"""After aliases are written out."""
MAX_WRITTEN = 450_000
"""Values that a file may really hold, some 30,000 models: so many are read and judged within two seconds."""
MAX_ANCHORS = 100_000
MAX_SCALAR = 64 * 1024
MAX_KEY = 1024
TEMPLATES = ("template braces are not YAML", "Manifests have no templates: use `variables` and `${var.NAME}` in quotes.")

_HIDDEN = re.compile(f"[{HIDDEN}]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_ZERO_WIDTH = re.compile(f"[{ZERO_WIDTH}]")


class Halt(Exception):
    """A limit was passed: the rest of the file is not worth reading. Its problem was added."""


class _Frame:
    __slots__ = ("anchor", "key", "merges", "node", "poisoned", "size")

    def __init__(self, node: Map | Seq, anchor: str | None, *, poisoned: bool) -> None:
        self.poisoned = poisoned
        self.node = node
        self.anchor = anchor
        self.key: Scalar | None = None
        self.merges: list[tuple[Scalar, Node]] | None = None
        self.size = 1


class Builder:
    """Builds the tree of one document from events. Problems that leave the rest readable are collected."""

    def __init__(self, source: Source, problems: Problems, *, restore: tuple[str, str] | None = None) -> None:
        self.source = source
        self.problems = problems
        self.root: Node | None = None
        self.documents = 0
        self._restore = restore
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Node, int] | None] = {}
        self._nodes = 0
        self._merged = 0
        self._check_width = not source.text.isascii() and bool(_ZERO_WIDTH.search(source.text))
        self._careful = self._check_width or restore is not None
        self._dispatch = {
            ScalarEvent: self._scalar,
            MappingStartEvent: self._open_map,
            SequenceStartEvent: self._open_seq,
            MappingEndEvent: self._close,
            SequenceEndEvent: self._close,
            AliasEvent: self._alias,
            DocumentStartEvent: self._document,
        }

    def feed(self, events: Iterable[Any]) -> None:
        """Take all events, once. Raises Halt, or whatever the parser raises."""
        dispatch, self._dispatch = self._dispatch, {}  # methods of ours: kept, they would hold the tree in a circle
        if self._careful:
            dispatch[ScalarEvent] = self._special
        for event in events:
            handle = dispatch.get(type(event))
            if handle is not None:
                handle(event)

    def _fault(self, code: str, summary: str, detail: str, event: Any) -> None:
        mark = event.start_mark
        self.problems.add(code, summary, detail, place=Place(self.source.path, mark.line + 1, mark.column + 1), source=self.source)

    def _document(self, event: Any) -> None:
        self.documents += 1
        if event.version or event.tags:
            self._fault("E020", "YAML directives are not allowed", "Remove the line that begins with %.", event)
            raise Halt
        if self.documents > 1:
            self._fault("E021", "a second document begins here; a file holds one", "Split the file, or remove the `---`.", event)
            raise Halt

    def _tagged(self, event: Any) -> None:
        self._fault("E019", f"the tag {shown(event.tag)} is not allowed", "Tags are refused, even harmless ones: write the value plainly, or quote it.", event)

    def _scalar(self, event: Any) -> None:
        """The many: a plain scalar in a mapping. Does what `_special` and `_add` do, without their questions."""
        text: str = event.value
        if event.style or event.anchor is not None or event.ctag is not None or len(text) > MAX_KEY or not self._stack:
            self._special(event)
            return
        mark = event.start_mark
        node = Scalar(self.source, mark.line, mark.column, resolve(text) if text[:1] in MAY_RESOLVE else text, text, True)
        frame = self._stack[-1]
        key = frame.key
        if type(frame.node) is not Map or self._nodes >= MAX_WRITTEN or frame.size >= MAX_NODES:
            self._add(node, 1)
        elif key is None:
            frame.size += 1
            self._nodes += 1
            frame.key = node if node.value is text and text and not text.isspace() else self._key(node)
        else:
            frame.size += 1
            self._nodes += 1
            frame.key = None
            entries = frame.node.entries
            if key.text in entries or key.text == "<<" or key.value is POISON:
                self._put(frame, key, node)
            else:
                entries[key.text] = (key, node)

    def _special(self, event: Any) -> None:
        """A scalar that is quoted, long, tagged, anchored, or stands in a file that needs a closer look."""
        text, style, mark = event.value, event.style, event.start_mark
        if self._restore is not None:
            text = text.replace(*self._restore)
        if style == '"' and not text.isascii():
            text = _PAIR.sub(_joined, text)  # two escapes for one character, as JSON writes them
        plain, before = not style, self.problems.errors
        if event.ctag is not None:
            self._tagged(event)
        if len(text) > MAX_SCALAR and text[:5].lower() != "data:":
            self._fault("E026", f"a value of {len(text):,} characters; the limit is {MAX_SCALAR:,}", "", event)
        if (style == '"' and _HIDDEN.search(text)) or (self._check_width and style not in ("'", '"') and _ZERO_WIDTH.search(text)):
            self._hidden(text, style, event)
        value = POISON if self.problems.errors > before else resolve(text) if plain else text
        node = Scalar(self.source, mark.line, mark.column, value, text, plain)
        if event.anchor is not None:
            self._remember(event, (node, 1))
        self._add(node, 1)

    def _hidden(self, text: str, style: str | None, event: Any) -> None:
        found = (_HIDDEN if style == '"' else _ZERO_WIDTH).search(text)
        assert found is not None, "called after a match"
        detail = "It cannot be seen by a reviewer." + ("" if style == '"' else " If it is meant, put the text in quotes.")
        self._fault("E006", f"the value holds U+{ord(found.group()):04X}, which is not allowed", detail, event)

    def _open_map(self, event: Any) -> None:
        mark = event.start_mark
        self._open(Map(self.source, mark.line, mark.column), event)

    def _open_seq(self, event: Any) -> None:
        mark = event.start_mark
        self._open(Seq(self.source, mark.line, mark.column), event)

    def _open(self, node: Map | Seq, event: Any) -> None:
        if event.ctag is not None:
            self._tagged(event)
        if len(self._stack) >= MAX_DEPTH:
            self._fault("E016", f"nested deeper than {MAX_DEPTH} levels", "", event)
            raise Halt
        if event.anchor is not None:
            self._remember(event, None)
        self._stack.append(_Frame(node, event.anchor, poisoned=event.ctag is not None))

    def _remember(self, event: Any, known: tuple[Node, int] | None) -> None:
        if len(self._anchors) >= MAX_ANCHORS:
            self._fault("E017", f"more than {MAX_ANCHORS:,} anchors in one file", "", event)
            raise Halt
        self._anchors[event.anchor] = known

    def _close(self, _event: Any) -> None:
        frame = self._stack.pop()
        if frame.poisoned:
            self._add(Scalar(self.source, frame.node.line, frame.node.column, POISON, "", True), frame.size)
            return
        if frame.merges:
            self._merge(frame)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (frame.node, frame.size)
        self._add(frame.node, frame.size)

    def _alias(self, event: Any) -> None:
        name = event.anchor
        if name not in self._anchors:
            self._fault("E022", f"the alias {shown('*' + name)} has no anchor before it", f"Define it first with `&{shown(name)[1:-1]}`.", event)
            mark = event.start_mark
            self._add(Scalar(self.source, mark.line, mark.column, POISON, "", True), 1)
            return
        known = self._anchors[name]
        if known is None:
            self._fault("E022", f"the anchor {shown('&' + name)} holds itself", "An alias cannot stand inside its own anchor.", event)
            raise Halt
        self._add(*known, event)

    def _add(self, node: Node, size: int, event: Any = None) -> None:
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        parent = frame.node
        frame.size += size
        self._nodes += 1
        if frame.size > MAX_NODES or self._nodes > MAX_WRITTEN:
            self._too_many(node if event is None else event, frame.size)
        if type(parent) is Seq:
            parent.items.append(node)
        elif frame.key is None:
            frame.key = self._key(node)
        else:
            key, frame.key = frame.key, None
            self._put(frame, key, node)

    def _too_many(self, at: Any, size: int) -> NoReturn:
        mark = getattr(at, "start_mark", at)
        place = Place(self.source.path, mark.line + 1, mark.column + 1)
        if size > MAX_NODES:
            self.problems.add("E017", f"more than {MAX_NODES:,} values after aliases are written out", "", place=place, source=self.source)
        else:
            self.problems.add(
                "E017", f"more than {MAX_WRITTEN:,} values in one file", "Split it: where a model is written has no meaning.", place=place, source=self.source
            )
        raise Halt

    def _key(self, node: Node) -> Scalar:
        """The key, poisoned after its problem was added: it and its value are dropped."""
        if type(node) is not Scalar:
            self._bad_collection(node)
        elif node.value is POISON:
            return node
        elif type(node.value) is not str:
            self._unquoted(node)
        elif len(node.text) > MAX_KEY:
            self.problems.add("E024", f"a key of {len(node.text):,} characters; the limit is {MAX_KEY:,}", "", place=node.place, source=self.source)
        elif not node.text.strip():
            self.problems.add("E024", "a key is empty", "", place=node.place, source=self.source)
        else:
            return node
        return Scalar(node.source, node.line, node.column, POISON, "", False)

    def _bad_collection(self, node: Node) -> None:
        line = self.source.line(node.line + 1) or ""
        if type(node) is Map and "{{" in line[max(node.column - 1, 0) : node.column + 2]:
            self.problems.add("E014", *TEMPLATES, place=node.place, source=self.source)
            self._stack[-1].poisoned = True
            return
        self.problems.add(
            "E024",
            "a key must be plain text, not a list or a mapping",
            "A value that begins with `{` or `[` needs quotes.",
            place=node.place,
            source=self.source,
        )

    def _unquoted(self, node: Scalar) -> None:
        if not node.text:
            self.problems.add("E024", "a key is empty", "", place=node.place, source=self.source)
            return
        kind = "a number" if isinstance(node.value, (int, float, Odd)) and not isinstance(node.value, bool) else "not text"
        self.problems.add(
            "E025", f"YAML reads the key {shown(node.text)} as {kind}", f'Quote it: "{shown(node.text)[1:-1]}":', place=node.place, source=self.source
        )

    def _put(self, frame: _Frame, key: Scalar, node: Node) -> None:
        entries = frame.node.entries  # type: ignore[union-attr]
        if key.value is POISON:
            return
        if key.text == "<<" and key.plain:
            if frame.merges:
                self._duplicate(key, frame.merges[0][0])
            else:
                frame.merges = [(key, node)]
        elif key.text in entries:
            self._duplicate(key, entries[key.text][0])
        else:
            entries[key.text] = (key, node)

    def _duplicate(self, key: Scalar, first: Scalar) -> None:
        if len(self.problems.found) >= MAX_PROBLEMS_PER_FILE:
            raise Halt
        self.problems.add(
            "E018",
            f"the key {shown(key.text)} is written twice",
            f"The first one is at {shown(first.place)[1:-1]}. Remove one of them.",
            place=key.place,
            source=self.source,
        )

    def _merge(self, frame: _Frame) -> None:
        assert frame.merges, "called with merges"
        key, node = frame.merges[0]
        sources = node.items if type(node) is Seq else [node]
        entries = frame.node.entries  # type: ignore[union-attr]
        for source in sources:
            if type(source) is not Map:
                self.problems.add(
                    "E023", "`<<` needs a mapping or a list of mappings", "Refer to one with an alias: `<<: *name`.", place=key.place, source=self.source
                )
                return
            self._merged += len(source.entries)
            if self._merged > MAX_NODES:
                self.problems.add("E017", f"more than {MAX_NODES:,} values after `<<` is written out", "", place=key.place, source=self.source)
                raise Halt
            for name, entry in source.entries.items():
                entries.setdefault(name, entry)


def _joined(pair: re.Match[str]) -> str:
    return pair.group().encode("utf-16-le", "surrogatepass").decode("utf-16-le")
