"""Which files are manifests: patterns under the project folder, walked without following links to folders, in a fixed order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from reconciler.diagnostics import Place
from reconciler.manifest.source import Problems, shown
from reconciler.project import PROJECT_FILE
from reconciler.text import safe

DEFAULTS_FILE = "_defaults.yaml"
MAX_FILES = 100_000
MAX_ENTRIES = 1_000_000
MAX_FOLDER_DEPTH = 64


class _TooMany(Exception):
    pass


def find_manifests(root: Path, patterns: Sequence[str], problems: Problems) -> list[str]:
    """Paths relative to `root`, with `/`, sorted. A pattern without a match is a warning; what cannot be a manifest is an error."""
    found: dict[str, str] = {}
    too_many = False
    regexes = [(pattern, _regex(pattern), _fixed(pattern)) for pattern in patterns]
    try:
        for pattern, regex, start in regexes:
            matches = [path for path, kind in _walk(root, start, problems) if regex.fullmatch(path) and _usable(path, kind, problems)]
            if not matches:
                problems.add("W001", f"the pattern {shown(pattern)} matches no file", "See `manifests` in reconciler.yaml.", place=Place(PROJECT_FILE))
            for path in matches:
                found.setdefault(os.path.realpath(root / path), path)
    except _TooMany:
        found = {}
        too_many = True
    if too_many or len(found) > MAX_FILES:
        problems.add(
            "E004",
            f"more than {MAX_FILES:,} manifests (or {MAX_ENTRIES:,} files to look through)",
            "Narrow `manifests` in reconciler.yaml.",
            place=Place(PROJECT_FILE),
        )
    return sorted(found.values())


def _usable(path: str, kind: str, problems: Problems) -> bool:
    name = path.rsplit("/", 1)[-1]
    if path == PROJECT_FILE or name == DEFAULTS_FILE:
        return False
    if not path.isprintable() or (not path.isascii() and any("\ud800" <= c <= "\udfff" for c in path)):
        problems.add(
            "E009",
            f"the file name {shown(path)} holds characters that cannot be shown",
            "Rename it.",
            place=Place(safe(path)),
        )
        return False
    if kind == "folder":
        problems.add("E003", "this is a folder, but its name is that of a manifest", "Rename it.", place=Place(path))
        return False
    return True


def _walk(root: Path, start: str, problems: Problems) -> Iterator[tuple[str, str]]:
    """Everything below `start`: (path, kind), kind being `folder` or `file`."""
    seen = 0
    pending = [start]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(root / folder) as listing:
                entries = sorted(listing, key=lambda e: e.name)
        except FileNotFoundError:
            continue
        except OSError as error:
            if (root / folder).is_dir():
                problems.add("E001", f"the folder cannot be read: {error.strerror}", place=Place(safe(folder or ".")))
            continue
        seen += len(entries)
        if seen > MAX_ENTRIES or folder.count("/") > MAX_FOLDER_DEPTH:
            raise _TooMany
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                pending.append(path)
                yield path, "folder"
            elif entry.is_symlink() and _leads_to_folder(entry):
                problems.add("W002", "this link to a folder is not followed", "List the folder itself under `manifests`.", place=Place(safe(path)))
            else:
                yield path, "file"


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False


def _fixed(pattern: str) -> str:
    """The folder that a pattern begins with, before any wildcard."""
    parts = []
    for part in pattern.split("/")[:-1]:
        if re.search(r"[*?\[]", part):
            break
        parts.append(part)
    return "/".join(p for p in parts if p not in ("", "."))


def _regex(pattern: str) -> re.Pattern[str]:
    """`**` any folders, `*` and `?` within a name, `[…]` a class. A leading dot must be written."""
    parts = [p for p in pattern.split("/") if p not in ("", ".")]
    out = []
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            out.append(r"(?:(?!\.)[^/]+/)*" + (r"(?!\.)[^/]+" if last else ""))
            continue
        out.append(_part(part) + ("" if last else "/"))
    return re.compile("".join(out), re.DOTALL)


def _part(part: str) -> str:
    out = r"(?!\.)" if part[:1] in ("*", "?", "[") else ""
    index = 0
    while index < len(part):
        char = part[index]
        index += 1
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif char == "[" and (end := part.find("]", index + 1)) > 0:
            inner = part[index:end].replace("\\", r"\\").replace("[", r"\[")
            out += f"[^{inner[1:]}/]" if inner.startswith("!") else f"[{inner}]"
            index = end + 1
        else:
            out += re.escape(char)
    return out
