"""Which commit wrote a line, asked of the git history that a project may lie in. Offline, bounded, and no code of the repository runs.

Only committed content is read (`cat-file`, `blame HEAD`), so neither filters nor text conversions, hooks or monitors of
the repository's configuration come into it. Whatever goes wrong means that nothing is known.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from difflib import SequenceMatcher
from pathlib import Path

from reconciler.reports.explanation import Commit, Line

SECONDS = 5.0
"""For all questions together."""
MOST_FILES = 20
MOST_LINES = 200
MOST_BYTES = 20_000_000
MOST_CHANGED_LINES = 3000
"""Between the file and its committed text; beyond that lines are not matched."""
_OPTIONS = ("--no-pager", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "blame.ignoreRevsFile=")
_HEADER = re.compile(rb"([0-9a-f]{40,64}) \d+ (\d+)(?: \d+)?")


def commits_of(root: Path, lines: Iterable[Line], environment: Mapping[str, str]) -> dict[Line, Commit]:
    """The commit of each line (from 1) that is known; {} outside of a git work tree."""
    wanted: dict[str, list[int]] = {}
    for file, line in sorted(set(lines))[:MOST_LINES]:
        wanted.setdefault(file, []).append(line)
    git = _Git(root, environment, time.monotonic() + SECONDS)
    found: dict[Line, Commit] = {}
    for file, numbers in list(wanted.items())[:MOST_FILES]:
        found.update(_of_file(git, file, numbers))
    return found


class _Git:
    """Git in one folder, until a deadline."""

    def __init__(self, root: Path, environment: Mapping[str, str], until: float) -> None:
        self.root = root
        self._until = until
        kept = {name: value for name, value in environment.items() if name in ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR")}
        offline = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
        self._environment = {**kept, **offline, "LC_ALL": "C", "GIT_CEILING_DIRECTORIES": ""}

    def ask(self, *words: str) -> bytes | None:
        """What git prints, or None."""
        left = self._until - time.monotonic()
        if left <= 0:
            return None
        try:
            done = subprocess.run(
                ["git", *_OPTIONS, *words],
                cwd=self.root,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=left,
                check=False,
            )
        except (OSError, ValueError, subprocess.SubprocessError):
            return None
        return done.stdout if done.returncode == 0 and len(done.stdout) <= MOST_BYTES else None


def _of_file(git: _Git, file: str, numbers: Sequence[int]) -> dict[Line, Commit]:
    if git.ask("rev-parse", "--verify", "--quiet", "HEAD") is None:
        return {}
    try:
        now = (git.root / file).read_bytes()
    except (OSError, ValueError):
        return {}
    blob = git.ask("cat-file", "blob", f"HEAD:./{file}")
    committed = [] if blob is None else blob.replace(b"\r\n", b"\n").split(b"\n")
    places = _same_lines(now.replace(b"\r\n", b"\n").split(b"\n"), committed, numbers)
    if places is None:
        return {}
    found = {(file, number): Commit("") for number in numbers if number not in places}
    if places:
        ranges = [word for line in sorted(set(places.values())) for word in ("-L", f"{line},{line}")]
        commits = _parsed(git.ask("blame", "--porcelain", "--no-textconv", *ranges, "HEAD", "--", os.fspath(file)) or b"")
        found |= {(file, number): commits[line] for number, line in places.items() if line in commits}
    return found


def _same_lines(now: Sequence[bytes], then: Sequence[bytes], numbers: Sequence[int]) -> dict[int, int] | None:
    """Line now → the same line then (both from 1). Lines that are new are left out; None when the texts differ too much to say."""
    first = 0
    while first < min(len(now), len(then)) and now[first] == then[first]:
        first += 1
    last = 0
    while last < min(len(now), len(then)) - first and now[-1 - last] == then[-1 - last]:
        last += 1
    inner_now, inner_then = now[first : len(now) - last], then[first : len(then) - last]
    if max(len(inner_now), len(inner_then)) > MOST_CHANGED_LINES:
        return None
    same = {n: n for n in range(1, first + 1)}
    for block in SequenceMatcher(None, inner_now, inner_then, autojunk=False).get_matching_blocks():
        same |= {first + block.a + i + 1: first + block.b + i + 1 for i in range(block.size)}
    same |= {len(now) - i: len(then) - i for i in range(last)}
    return {number: same[number] for number in numbers if number in same}


def _parsed(porcelain: bytes) -> dict[int, Commit]:
    """Line of the committed file → its commit, from `git blame --porcelain`."""
    commits: dict[bytes, dict[bytes, bytes]] = {}
    lines: dict[int, bytes] = {}
    current = b""
    for row in porcelain.split(b"\n"):
        if (header := _HEADER.fullmatch(row)) is not None:
            current = header[1]
            lines[int(header[2])] = current
            commits.setdefault(current, {})
        elif current and not row.startswith(b"\t"):
            key, _, value = row.partition(b" ")
            commits[current].setdefault(key, value)
    return {line: _commit(name, commits[name]) for line, name in lines.items()}


def _commit(name: bytes, known: Mapping[bytes, bytes]) -> Commit:
    def text(key: bytes) -> str:
        return known.get(key, b"").decode("utf-8", "replace")

    seconds = text(b"author-time")
    at = datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d") if seconds.isdigit() and len(seconds) < 12 else ""
    return Commit(name.decode("ascii"), at, text(b"author"), text(b"summary"))
