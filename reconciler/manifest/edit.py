"""`fmt`: one spelling of a manifest. Comments, quotes and anchors stay; key order and numbers become canonical.

Works on lines, guided by the marked tree: a round trip through a YAML emitter loses a comment when its key moves. What a
file means is compared before and after; an edit that would change it is not made.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from reconciler.canonical import canonical_number
from reconciler.diagnostics import Diagnostic, Place
from reconciler.errors import Invalid
from reconciler.manifest import keys
from reconciler.manifest.fields import plain
from reconciler.manifest.front import decode
from reconciler.manifest.node import Map, Node, Scalar, Seq
from reconciler.manifest.parse import parse_map
from reconciler.manifest.scalars import Odd
from reconciler.manifest.source import Problems
from reconciler.project import PROJECT_FILE

_FLOW = re.compile(r"(?:&\S+[ ]+)?\{")
MODEL_ORDER = (
    "<<",
    "description",
    "trainer",
    "dataset",
    "steps",
    "learning_rate",
    "",
    "matrix",
    "max_combinations",
    "winner",
    "generation",
    "labels",
    "trigger",
    "environments",
    "lifecycle",
)
"""The empty name stands for parameters of other trainers."""


def format_text(text: str, path: str) -> str:
    """`text` in canonical form; formatting it again changes nothing. Raises Invalid when it cannot be read."""
    tree = read_tree(text, path)
    meaning = meaning_of(plain(tree))
    current = text.removeprefix("\ufeff").replace("\r\n", "\n")
    project = path.rsplit("/", 1)[-1] == PROJECT_FILE
    edits = (_without_blank_ends, *(() if project else (_with_plain_numbers,)), _in_project_order if project else _in_manifest_order)
    for edit in edits:
        changed = edit(current, read_tree(current, path))
        if changed != current and _means(changed, path) == meaning:
            current = changed
    return current


def read_tree(text: str, path: str) -> Map:
    """What the file at `path` holds. Raises Invalid when it cannot be read."""
    problems = Problems()
    source = decode(path, text.encode("utf-8", "surrogatepass"), problems)
    tree = parse_map(source, problems) if source is not None else None
    errors = [d for d in problems.found if d.severity == "error"]
    if tree is None or errors:
        raise Invalid(errors or [Diagnostic("error", "E000", "the file cannot be parsed", place=Place(path))])
    return tree


def _means(text: str, path: str) -> Any:
    try:
        return meaning_of(plain(read_tree(text, path)))
    except Invalid:
        return None


def meaning_of(value: Any) -> Any:
    """Plain data in which equal values are equal: 1500.0 is 1500, true is not 1."""
    if isinstance(value, dict):
        return {name: meaning_of(item) for name, item in value.items()}
    if isinstance(value, list):
        return [meaning_of(item) for item in value]
    return ("flag", value) if isinstance(value, bool) else value


def _without_blank_ends(text: str, _tree: Map) -> str:
    lines = [line.rstrip(" \t") for line in text.split("\n")]
    return "\n".join(lines).rstrip("\n") + "\n"


def _with_plain_numbers(text: str, tree: Map) -> str:
    """Numbers of models and defaults in canonical spelling: `3.0E-05` → `3e-05`, `1500.0` → `1500`."""
    lines = text.split("\n")
    found: dict[tuple[int, int], Scalar] = {}
    for block in ("models", "defaults"):
        node = tree.get(block)
        for scalar in _scalars(node) if node is not None else ():
            if scalar.plain and isinstance(scalar.value, (int, float)) and not isinstance(scalar.value, (bool, Odd)):
                found[scalar.line, scalar.column] = scalar
    for (row, column), scalar in sorted(found.items(), reverse=True):
        line = lines[row]
        if line.startswith(scalar.text, column):
            lines[row] = line[:column] + _spelled(scalar.value) + line[column + len(scalar.text) :]
    return "\n".join(lines)


def _spelled(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return canonical_number(value)


def _scalars(node: Node) -> Iterator[Scalar]:
    pending, seen = [node], set[int]()
    while pending:
        current = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if type(current) is Scalar:
            yield current
        elif type(current) is Seq:
            pending.extend(current.items)
        elif type(current) is Map:
            pending.extend(value for _, value in current.entries.values())


def _in_project_order(text: str, tree: Map) -> str:
    lines = text.removesuffix("\n").split("\n")
    return "\n".join(_ordered(lines, 0, len(lines), tree, _project_kind, "project")) + "\n"


def _in_manifest_order(text: str, tree: Map) -> str:
    lines = text.removesuffix("\n").split("\n")
    return "\n".join(_ordered(lines, 0, len(lines), tree, _manifest_kind, "manifest")) + "\n"


_ORDERS: dict[str, tuple[str, ...]] = {
    "project": tuple(keys.PROJECT),
    "manifest": tuple(keys.MANIFEST),
    "model": MODEL_ORDER,
    "dataset": ("<<", *keys.DATASET),
    "lifecycle": ("<<", *keys.LIFECYCLE),
}


def _project_kind(_kind: str, _key: str) -> str:
    return ""


def _manifest_kind(kind: str, key: str) -> str:
    """What the value under `key` is, in something of `kind`."""
    match kind, key:
        case "manifest", "models":
            return "models"
        case ("models", _) | ("manifest", "defaults"):
            return "model"
        case "model", ("dataset" | "lifecycle"):
            return key
        case _:
            return ""


def _ordered(lines: Sequence[str], start: int, end: int, node: Node, kind_of: Any, kind: str) -> list[str]:
    """Lines `start` to `end`, in which the block mapping `node` stands, with its keys in order."""
    chunks = chunks_of(lines, start, end, node) if type(node) is Map and kind else []
    if not chunks:
        return list(lines[start:end])
    assert type(node) is Map, "only mappings have chunks"
    order = _ORDERS.get(kind)
    parts = []
    for index, (key, first, last) in enumerate(chunks):
        entry = node.entries.get(key)
        inner = kind_of(kind, key)
        own = entry is not None and inner and first <= entry[1].line < last
        body = _ordered(lines, first, last, entry[1], kind_of, inner) if own and entry is not None else list(lines[first:last])
        parts.append((_rank(order, key), index, body))
    if order is not None:
        parts.sort(key=lambda part: part[:2])
    tail = [line for _, _, body in parts for line in body]
    return [*lines[start : chunks[0][1]], *tail]


def _rank(order: tuple[str, ...] | None, key: str) -> int:
    if order is None:
        return 0
    if key in order:
        return order.index(key)
    return order.index("") if "" in order else len(order)


def chunks_of(lines: Sequence[str], start: int, end: int, node: Map) -> list[tuple[str, int, int]]:
    """(key, first line, line after the last) of each key of a block mapping; [] where it is not written one key in a line.

    Comments right above a key go with it, but what stands above the first key of a file stays on top.
    """
    own = sorted((key.line, key.column, name) for name, (key, _) in node.entries.items() if start <= key.line < end and key.source is node.source)
    if not own or _FLOW.match(lines[node.line], node.column):
        return []
    column = own[0][1]
    rows = [(row, name) for row, at, name in own if at == column]
    merge = re.compile(rf" {{{column}}}<<[ ]*:")
    rows += [(row, "<<") for row in range(start, end) if merge.match(lines[row])]
    rows.sort()
    if any(lines[row][:column].strip() for row, _ in rows) or len({row for row, _ in rows}) != len(rows):
        return []
    firsts = [_lead(lines, rows[0][0], start + 1) if column else rows[0][0]]
    firsts += [_lead(lines, row, before + 1) for (before, _), (row, _) in itertools.pairwise(rows)]
    return [(name, first, after) for (_, name), first, after in zip(rows, firsts, [*firsts[1:], end], strict=True)]


def _lead(lines: Sequence[str], row: int, floor: int) -> int:
    """The first of the comment lines right above `row` that are indented like it."""
    indent = len(lines[row]) - len(lines[row].lstrip(" "))
    while row > floor and lines[row - 1].startswith(" " * indent + "#"):
        row -= 1
    return row
