"""`fmt`: manifests and the project file in one spelling. How a text is spelled is `manifest/edit`; which files, and how they are replaced, is here.

Everything is read and formatted before anything is written: one file that cannot be read, and none is touched.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import NamedTuple

from reconciler.commands.context import Context, open_project
from reconciler.commands.problems import show_problems
from reconciler.commands.style import style
from reconciler.diagnostics import in_order
from reconciler.errors import Invalid, ReconcilerError, Usage
from reconciler.project import PROJECT_FILE
from reconciler.reports.style import Tone
from reconciler.text import safe

NOT_IN_ORDER = 3
UNTOUCHED = "nothing was changed"
STDIN = "-"
STDIN_NAME = "stdin.yaml"
MOST_BYTES = 10 * 1024 * 1024
ENDINGS = (".yaml", ".yml")
LONGEST_LINE = 100_000
_TONES: dict[str, Tone] = {"+": "good", "-": "bad"}


class File(NamedTuple):
    """One file: its path as the user would write it, what it holds, and how that is spelled in order."""

    path: str
    raw: bytes
    text: str

    @property
    def is_in_order(self) -> bool:
        """Whether nothing would be changed."""
        return self.raw == self.text.encode("utf-8")


def run(context: Context, *, paths: Sequence[str], check: bool, diff: bool) -> int:
    """Format. With `check` nothing is written and the code is 3 when something is not in order. Raises Invalid, Usage."""
    if STDIN in paths:
        return _filter(context, paths, check=check, diff=diff)
    found = [file for file in _formatted(context.root, _paths(context, paths)) if not file.is_in_order]
    for file in found:
        context.out.line(style(context).foreign(file.path))
        if diff:
            context.out.write(_difference(context, file))
    if check:
        return NOT_IN_ORDER if found else 0
    for file in found:
        replace_file(context.root, file)
    return 0


def _filter(context: Context, paths: Sequence[str], *, check: bool, diff: bool) -> int:
    """`-`: from stdin to stdout, for editors."""
    if len(paths) != 1:
        raise Usage("fmt - formats stdin alone; it takes no other path")
    raw = sys.stdin.buffer.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise Usage(f"stdin holds more than {MOST_BYTES:,} bytes")
    file = File(STDIN_NAME, raw, _text(STDIN_NAME, raw))
    if diff:
        context.out.write(_difference(context, file))
    elif not check:
        context.out.write(file.text)
    return NOT_IN_ORDER if check and not file.is_in_order else 0


def _paths(context: Context, paths: Sequence[str]) -> list[str]:
    """What is to be formatted, sorted: files as named, the YAML files of folders, or all of the project. Raises Usage, Invalid."""
    if not paths:
        project = open_project(context)
        return sorted({PROJECT_FILE, *_with_defaults(context, _manifests(context, project.manifests))})
    found: set[str] = set()
    for path in paths:
        inside = _inside(context.root, path)
        if (context.root / inside).is_dir():
            prefix = "" if inside == "." else f"{_literal(inside)}/"
            manifests = _manifests(context, [f"{prefix}**/*{ending}" for ending in ENDINGS])
            found.update(_with_defaults(context, manifests))
            if inside == "." and (context.root / PROJECT_FILE).exists():
                found.add(PROJECT_FILE)
        else:
            found.add(inside)
    return sorted(found)


def _literal(folder: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in folder)


def _inside(root: Path, path: str) -> str:
    """`path` relative to the project folder. Raises Usage when it leads out or is not there."""
    shown = safe(path, limit=200)
    try:
        whole = Path(os.path.normpath(root / path))
        exists = whole.exists()
    except ValueError:
        raise Usage(f"{shown}: not a path") from None
    if not whole.is_relative_to(root):
        raise Usage(f"{shown} is not in the project folder", hint="-chdir=DIR works in another one")
    if not exists:
        raise Usage(f"{shown}: there is no such file or folder")
    return whole.relative_to(root).as_posix()


def _manifests(context: Context, patterns: Sequence[str]) -> list[str]:
    from reconciler.manifest.files import find_manifests
    from reconciler.manifest.source import Problems

    problems = Problems()
    found = find_manifests(context.root, patterns, problems)
    if problems.errors:
        raise Invalid(in_order(problems.found), UNTOUCHED)
    show_problems(context, [d for d in in_order(problems.found) if d.code != "W001"])
    return found


def _with_defaults(context: Context, manifests: Iterable[str]) -> set[str]:
    """`manifests`, and the `_defaults.yaml` of their folders."""
    from reconciler.manifest.files import DEFAULTS_FILE

    found = set(manifests)
    folders = {parent.as_posix() for path in found for parent in Path(path).parents}
    return found | {path for folder in folders if (context.root / (path := (Path(folder) / DEFAULTS_FILE).as_posix())).is_file()}


def _formatted(root: Path, paths: Iterable[str]) -> list[File]:
    """Every file with its new text. Raises Invalid with the problems of all."""
    from reconciler.manifest.front import read_bytes
    from reconciler.manifest.source import Problems

    problems = Problems()
    found = []
    for path in paths:
        if (raw := read_bytes(root, path, problems)) is None:
            continue
        try:
            found.append(File(path, raw, _text(path, raw)))
        except Invalid as problem:
            problems.extend(problem.diagnostics)
    if problems.found:
        raise Invalid(in_order(problems.found), UNTOUCHED)
    return found


def _text(path: str, raw: bytes) -> str:
    from reconciler.manifest.edit import format_text
    from reconciler.manifest.front import decode
    from reconciler.manifest.source import Problems

    problems = Problems()
    source = decode(path, raw, problems)
    if source is None or problems.errors:
        raise Invalid(in_order(problems.found), UNTOUCHED)
    try:
        return format_text(raw.decode("utf-8"), path)
    except Invalid as problem:
        raise Invalid(problem.diagnostics, UNTOUCHED) from None


def _difference(context: Context, file: File) -> str:
    look = style(context)
    before, after = file.raw.decode("utf-8").split("\n"), file.text.split("\n")
    lines = unified_diff(before, after, f"a/{file.path}", f"b/{file.path}", lineterm="")
    return "".join(look.paint(look.foreign(line, limit=LONGEST_LINE), _TONES.get(line[:1], "plain")) + "\n" for line in lines)


def replace_file(root: Path, file: File) -> None:
    """Put the new text in the file's place, whole, with the file's own permissions; never over what somebody wrote meanwhile."""
    import tempfile

    real = Path(os.path.realpath(root / file.path))
    shown = safe(file.path, limit=200)
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{real.name[:100]}.", dir=real.parent)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(file.text.encode("utf-8"))
        Path(temporary).chmod(stat.S_IMODE(real.stat().st_mode))
        if real.read_bytes() != file.raw:
            raise ReconcilerError(f"{shown} was changed meanwhile and was left alone", hint="run it again")
        Path(temporary).replace(real)
        temporary = None
    except OSError as error:
        raise ReconcilerError(f"{shown} cannot be written: {error.strerror}") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
