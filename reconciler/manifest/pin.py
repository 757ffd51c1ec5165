"""`pin`: sha256 and image count into the data sets of a manifest, line by line; comments, quotes and order of everything else stay.

What the file means is compared before and after: an edit that would change anything but these values is not made. So a
data set that comes from defaults, from an anchor or through `<<` is left to people, because others share it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from reconciler.errors import Invalid
from reconciler.manifest import keys
from reconciler.manifest.edit import chunks_of, meaning_of, read_tree
from reconciler.manifest.fields import plain
from reconciler.manifest.node import Map, Node, Scalar

INDENT = 2
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'")
_VALUE = re.compile(r"^(?P<head>[ ]*(?:- )?(?:dataset|\"dataset\"|'dataset')[ ]*:)[ ]+(?P<rest>\S.*)$")


class Pin(NamedTuple):
    """What is written down of one data set; None is left as it is."""

    sha256: str | None = None
    images: int | None = None

    @property
    def lines(self) -> dict[str, str]:
        """Key → value as it is written. A digest that YAML would take for a number is quoted."""
        found = {}
        if self.sha256 is not None:
            found["sha256"] = self.sha256 if re.search(r"[a-df]", self.sha256) else f'"{self.sha256}"'
        if self.images is not None:
            found["images"] = str(self.images)
        return found

    @property
    def meaning(self) -> dict[str, Any]:
        """Key → value as it is read."""
        return {key: value for key, value in self._asdict().items() if value is not None}


def pin_text(text: str, path: str, pins: Mapping[str, Pin], *, local: Collection[str] = ()) -> tuple[str, tuple[str, ...]]:
    """`text` with what `pins` say of its models, and the names of those that could not be written. Raises Invalid when it cannot be read.

    `local` names the models whose data have no URL: one word of theirs is a path.
    """
    left = []
    for name in sorted(pins):
        changed = _pinned(text, path, name, pins[name], "path" if name in local else "url")
        if changed is None:
            left.append(name)
        else:
            text = changed
    return text, tuple(left)


def _pinned(text: str, path: str, name: str, pin: Pin, word: str) -> str | None:
    tree = read_tree(text, path)
    before = plain(tree)
    models = tree.get("models")
    entry = models.entries.get(name) if isinstance(models, Map) else None
    own = entry[1].entries.get("dataset") if entry is not None and isinstance(entry[1], Map) else None
    if own is None:
        return None
    lines = text.split("\n")
    node = own[1]
    edited = _in_map(lines, node, pin) if isinstance(node, Map) else _in_place_of(lines, own[0], node, pin, word)
    if edited is None:
        return None
    changed = "\n".join(edited)
    try:
        after = meaning_of(plain(read_tree(changed, path)))
    except Invalid:
        return None
    return changed if after == meaning_of(_wanted(before, name, pin, word)) else None


def _wanted(before: Any, name: str, pin: Pin, word: str) -> Any:
    """What the file is to mean: nothing of it shared, so that no other place changes along."""
    model = before["models"][name]
    dataset = model["dataset"]
    described = dataset if isinstance(dataset, dict) else {word: dataset}
    return {**before, "models": {**before["models"], name: {**model, "dataset": {**described, **pin.meaning}}}}


def _in_place_of(lines: Sequence[str], key: Scalar, node: Node, pin: Pin, word: str) -> list[str] | None:
    """A data set in one word, a URL or a path, becomes a mapping: in a block by lines, in `{ }` in its place."""
    row = node.line
    line, ending = _without_return(lines[row])
    match = _VALUE.match(line)
    if match is not None and key.line == row and line[: key.column].strip() == "":
        inner = " " * (key.column + INDENT)
        fresh = [f"{match['head']}{ending}", f"{inner}{word}: {match['rest']}{ending}", *(f"{inner}{k}: {v}{ending}" for k, v in pin.lines.items())]
        return [*lines[:row], *fresh, *lines[row + 1 :]]
    end = _end_of(line, node)
    if end is None:
        return None
    values = ", ".join(f"{k}: {v}" for k, v in pin.lines.items())
    value = line[node.column : end]
    quoted = value if value[:1] in "\"'" else f'"{value}"'
    return [*lines[:row], f"{line[: node.column]}{{{word}: {quoted}, {values}}}{line[end:]}{ending}", *lines[row + 1 :]]


def _in_map(lines: list[str], node: Map, pin: Pin) -> list[str] | None:
    """Each key in its order: where it stands already its value changes, else it is put behind the one that comes before it."""
    edited: list[str] | None = list(lines)
    # from the last key to the first, so that places that were found stay where they are
    for key, value in sorted(pin.lines.items(), key=lambda item: _behind(node, item[0]), reverse=True):
        if edited is None:
            return None
        edited = _replaced(edited, node.entries[key][1], value) if key in node.entries else _inserted(edited, lines, node, key, value)
    return edited


def _behind(node: Map, key: str) -> tuple[int, int, int]:
    """Where a key is, or belongs: behind the last of those that come before it in canonical order."""
    order = list(keys.DATASET)
    if key in node.entries:
        value = node.entries[key][1]
        return value.line, value.column, 0
    before = [node.entries[k][1] for k in order[: order.index(key)] if k in node.entries]
    return (*max(((n.line, n.column) for n in before), default=(node.line, node.column)), order.index(key))


def _replaced(lines: list[str], node: Node, value: str) -> list[str] | None:
    line, ending = _without_return(lines[node.line])
    end = _end_of(line, node)
    return None if end is None else [*lines[: node.line], f"{line[: node.column]}{value}{line[end:]}{ending}", *lines[node.line + 1 :]]


def _inserted(lines: list[str], original: list[str], node: Map, key: str, value: str) -> list[str] | None:
    order = list(keys.DATASET)
    known = [k for k in order[: order.index(key)] if k in node.entries]
    if not known:
        return None
    last = max(known, key=lambda k: (node.entries[k][1].line, node.entries[k][1].column))
    named, entry = node.entries[last]
    line, ending = _without_return(lines[entry.line])
    if chunks_of(original, node.line, len(original), node):
        return [*lines[: entry.line + 1], f"{' ' * named.column}{key}: {value}{ending}", *lines[entry.line + 1 :]]
    end = _end_of(line, entry)
    return None if end is None else [*lines[: entry.line], f"{line[:end]}, {key}: {value}{line[end:]}{ending}", *lines[entry.line + 1 :]]


def _without_return(line: str) -> tuple[str, str]:
    return (line[:-1], "\r") if line.endswith("\r") else (line, "")


def _end_of(line: str, node: Node) -> int | None:
    """Where a value of one line ends in it; None where that is not known."""
    if not isinstance(node, Scalar):
        return None
    if node.plain:
        return node.column + len(node.text) if line.startswith(node.text, node.column) and node.text else None
    match = _QUOTED.match(line, node.column)
    return match.end() if match else None
