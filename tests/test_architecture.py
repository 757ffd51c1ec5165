"""The house is built as docs/ARCHITECTURE.md says: floors, doors, purity, sizes. Walks every import, also inside functions.

`python tests/test_architecture.py` prints the longest files and functions.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

REPO = Path(__file__).resolve().parent.parent
PACKAGE = REPO / "reconciler"

FLOORS = (
    ("errors", "text", "secret"),
    ("diagnostics", "canonical", "money"),
    ("trainer", "policy"),
    ("settings",),
    ("model", "job"),
    ("fact", "verdict", "project"),
    ("state", "event"),
    ("ports", "ledger"),
    ("plan",),
    ("manifest", "journal", "store", "pixazo", "dataset", "artifacts", "emulator", "forge", "cache", "log"),
    ("engine", "reports", "catalog"),
    ("commands",),
    ("cli",),
    ("__main__",),
)
"""From the ground up. A room imports only rooms of lower floors, and itself."""

ROOMS = {room for floor in FLOORS for room in floor}

DOORS = {
    "click": ("cli",),
    "ruamel": ("manifest",),
    "_ruamel_yaml": ("manifest",),
    "pydantic": ("manifest",),
    "pydantic_core": ("manifest",),
    "sqlite_utils": ("store",),
    "httpx": ("pixazo", "artifacts", "dataset", "forge"),
    "httpcore": ("pixazo", "artifacts"),
    "rich": ("reports.live",),
    "PIL": ("dataset",),
}
"""Third-party package → the only rooms that know it."""

PURE_ROOMS = {room for floor in FLOORS[: FLOORS.index(("plan",)) + 1] for room in floor} | {"reports", "catalog"}
PURE_STDLIB = {
    "__future__", "abc", "base64", "bisect", "calendar", "collections", "contextlib", "copy", "csv", "dataclasses", "datetime", "decimal", "difflib", "enum", "errno",
    "fnmatch", "fractions", "functools", "hashlib", "heapq", "html", "itertools", "json", "math", "numbers", "operator", "re", "statistics", "string",
    "textwrap",
    "types", "typing", "unicodedata", "urllib.parse", "xml.sax.saxutils", "zoneinfo",
}  # fmt: skip
IMPURE_CALLS = {"open", "input", "print", "exec", "eval", "__import__", "breakpoint"}
IMPURE_METHODS = {"now", "utcnow", "today"}

TYPES_ONLY = {("errors", "diagnostics")}
"""Upward imports under `if TYPE_CHECKING`: an exception may name the value it carries."""
PRINTING = {"cli"}
WRITING = {"cli", "commands"}
"""Who may touch stdout and stderr; everybody else returns text or yields events."""
DYNAMIC_IMPORTS = {"cli"}
"""Only the command line picks a module by name: the one command that runs."""

MOST_FILE_LINES = 350
MOST_FUNCTION_LINES = 60
LONG_FUNCTION = 25
MOST_LONG_FUNCTIONS_PERCENT = 10

NEVER_IN_PLAN = (
    "httpx",
    "httpcore",
    "rich",
    "sqlite_utils",
    "PIL",
    "asyncio",
    "reconciler.emulator.",
    "reconciler.pixazo.",
    "reconciler.engine.",
    "reconciler.forge.",
)


class Import(NamedTuple):
    """One import of `target` in a file; `types_only` when it does not exist at run time."""

    file: Path
    line: int
    source: str
    target: str
    types_only: bool

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}: {self.source} imports {self.target}"


def files(root: Path = PACKAGE) -> list[Path]:
    return sorted(root.rglob("*.py"))


def module_of(file: Path, root: Path = PACKAGE) -> str:
    """`plan.change` for reconciler/plan/change.py, `plan` for its package; empty for the top."""
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    return module.partition(".")[0]


def is_within(module: str, room: str) -> bool:
    return module == room or module.startswith(room + ".")


def imports_of(file: Path, root: Path = PACKAGE) -> Iterator[Import]:
    """Every import statement, wherever it stands. Relative ones are made absolute."""
    tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    source = module_of(file, root)
    package = source if file.name == "__init__.py" else source.rpartition(".")[0]
    sheltered = {id(n) for top in ast.walk(tree) if isinstance(top, ast.If) and _asks_for_types(top.test) for n in ast.walk(top)}
    for node in ast.walk(tree):
        for target in _targets(node, package, root):
            yield Import(file, node.lineno, source, target, id(node) in sheltered)


def _asks_for_types(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _targets(node: ast.AST, package: str, root: Path) -> list[str]:
    """What a statement imports; a name taken out of one of our packages counts as the module it may be."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        above = package.split(".") if package else []
        kept = above[: len(above) - node.level + 1]
        base = ".".join(["reconciler", *kept, *([base] if base else [])])
    if not is_within(base, "reconciler"):
        return [base]
    folder = root.joinpath(*base.split(".")[1:])
    modules = {a.name for a in node.names if (base == "reconciler" and a.name in ROOMS) or (folder / f"{a.name}.py").exists() or (folder / a.name).is_dir()}
    return [f"{base}.{a.name}" if a.name in modules else base for a in node.names]


def all_imports(root: Path = PACKAGE) -> list[Import]:
    return [found for file in files(root) for found in imports_of(file, root)]


def ours(target: str) -> str | None:
    """The module below the package, "" for the package itself, None for foreign code."""
    return target.removeprefix("reconciler").lstrip(".") if is_within(target, "reconciler") else None


# --- the laws: each takes a package folder and returns the violations it found ---


def rooms_without_floor(root: Path = PACKAGE) -> list[str]:
    return sorted({room_of(module_of(f, root)) for f in files(root)} - ROOMS - {""})


def climbing_imports(root: Path = PACKAGE) -> list[str]:
    """Imports of a room on the same floor or above; the package itself (for its version) is below everything."""
    level = {room: n for n, floor in enumerate(FLOORS) for room in floor}
    found = []
    for item in all_imports(root):
        target = ours(item.target)
        source, aim = room_of(item.source), room_of(target or "")
        leaves = bool(target) and source != aim and not (item.types_only and (source, aim) in TYPES_ONLY)
        if leaves and (not source or level.get(aim, 99) >= level.get(source, -1)):
            found.append(item.place)
    return found


def foreign_imports(root: Path = PACKAGE) -> list[str]:
    """Third-party packages outside their doors, and any that has no door."""
    found = []
    for item in all_imports(root):
        package = item.target.partition(".")[0]
        if ours(item.target) is None and package not in sys.stdlib_module_names and not any(is_within(item.source, r) for r in DOORS.get(package, ())):
            found.append(item.place)
    return found


def impure_imports(root: Path = PACKAGE) -> list[str]:
    """In pure rooms, modules of the standard library that could touch the world."""
    found = []
    for item in all_imports(root):
        if room_of(item.source) not in PURE_ROOMS or ours(item.target) is not None or item.target.partition(".")[0] not in sys.stdlib_module_names:
            continue
        if not any(is_within(item.target, allowed) for allowed in PURE_STDLIB) and not _may_watch_the_clock(item):
            found.append(item.place)
    return found


def _may_watch_the_clock(item: Import) -> bool:
    """The live display redraws at most so many times a second."""
    return item.source == "reports.live" and item.target in ("threading", "time")


def impure_calls(root: Path = PACKAGE) -> list[str]:
    """In pure rooms, calls that read the clock or touch the world; anywhere, prints and dynamic imports out of place."""
    found = []
    for file in files(root):
        room = room_of(module_of(file, root))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (word := _called(node)) and _is_out_of_place(word, room):
                found.append(f"{file}:{node.lineno}: {word}()")
    return found


def _called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name, value=value):
            return f"{ast.unparse(value)}.{name}"
        case _:
            return ""


def _is_out_of_place(word: str, room: str) -> bool:
    if word == "print":
        return room not in PRINTING
    if word in ("sys.stdout.write", "sys.stderr.write"):
        return room not in WRITING
    if word in ("importlib.import_module", "import_module", "__import__"):
        return room not in DYNAMIC_IMPORTS
    owner, _, method = word.rpartition(".")
    return room in PURE_ROOMS and (word in IMPURE_CALLS or (method in IMPURE_METHODS and owner.rpartition(".")[2] in ("datetime", "date")))


def cycles(root: Path = PACKAGE) -> list[str]:
    """Import cycles between files, at module level or inside functions: files of a folder have an order too."""
    graph: dict[str, set[str]] = {}
    for item in all_imports(root):
        target = ours(item.target)
        if target and not item.types_only and target != item.source:
            graph.setdefault(item.source, set()).add(target)
    state: dict[str, str] = {}
    found: list[str] = []

    def visit(module: str, path: tuple[str, ...]) -> None:
        if state.get(module) == "open":
            found.append(" → ".join([*path[path.index(module) :], module]))
        elif module not in state:
            state[module] = "open"
            for target in sorted(graph.get(module, ())):
                visit(target, (*path, module))
            state[module] = "done"

    for module in sorted(graph):
        visit(module, ())
    return found


def undocumented_modules(root: Path = PACKAGE) -> list[str]:
    return [str(f) for f in files(root) if f.stat().st_size and not ast.get_docstring(ast.parse(f.read_text(encoding="utf-8")))]


def file_lengths(root: Path = PACKAGE) -> list[tuple[int, str]]:
    return sorted(((len(f.read_text(encoding="utf-8").splitlines()), str(f)) for f in files(root)), reverse=True)


def function_lengths(root: Path = PACKAGE) -> list[tuple[int, str]]:
    """Lines of each function's body without its docstring, longest first."""
    found = []
    for file in files(root):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
                found.append(((node.end_lineno or 0) - body[0].lineno + 1 if body else 0, f"{file}:{node.lineno} {node.name}"))
    return sorted(found, reverse=True)


LAWS = (rooms_without_floor, climbing_imports, foreign_imports, impure_imports, impure_calls, cycles, undocumented_modules)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_house_keeps_its_law(law):
    """No file of the product breaks it."""
    assert law() == []


PLANTED = {
    "rooms_without_floor": ("utils.py", '"""x"""'),
    "climbing_imports": ("plan/diff.py", '"""x"""\ndef f():\n    from reconciler.store import sqlite\n'),
    "foreign_imports": ("engine/apply.py", '"""x"""\ndef f():\n    import httpx\n'),
    "impure_imports": ("plan/diff.py", '"""x"""\ndef f():\n    from os import path\n'),
    "impure_calls": ("plan/diff.py", '"""x"""\nimport datetime\ndef f():\n    return datetime.datetime.now()\n'),
    "cycles": ("plan/diff.py", '"""x"""\ndef f():\n    from . import make\n'),
    "undocumented_modules": ("plan/diff.py", "x = 1"),
}
FURTHER = {
    "an adapter that knows its neighbour": (climbing_imports, "store/a.py", '"""x"""\nimport reconciler.journal.file'),
    "a relative import upwards": (climbing_imports, "plan/a.py", '"""x"""\nfrom ..engine import apply'),
    "an import for types alone": (
        climbing_imports,
        "text.py",
        '"""x"""\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from reconciler import model',
    ),
    "a package without a door": (foreign_imports, "manifest/a.py", '"""x"""\nimport yaml'),
    "a print below the command line": (impure_calls, "engine/a.py", '"""x"""\nprint(1)'),
    "a module picked by name": (impure_calls, "engine/a.py", '"""x"""\nimport importlib\nimportlib.import_module("httpx")'),
    "a neighbour of an allowed module": (impure_imports, "plan/a.py", '"""x"""\nimport urllib.request'),
}


def _plant(root: Path, name: str, body: str) -> None:
    for file, text in (
        ("__init__.py", '"""x"""'),
        ("plan/__init__.py", '"""x"""'),
        ("plan/make.py", '"""x"""\nfrom reconciler.plan import diff\n'),
        (name, body),
    ):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_a_planted_violation_is_found(law, tmp_path):
    """Each law sees the violation that it is there for, also inside a function."""
    _plant(tmp_path, *PLANTED[law.__name__])
    assert len(law(tmp_path)) == 1


@pytest.mark.parametrize("case", FURTHER)
def test_a_hidden_violation_is_found(case, tmp_path):
    """The laws see through spelling."""
    law, name, body = FURTHER[case]
    _plant(tmp_path, name, body)
    assert len(law(tmp_path)) == 1


def test_the_architecture_page_draws_these_floors():
    """What a newcomer reads is what is enforced."""
    drawing = (REPO / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8").split("```")[1].strip().splitlines()
    assert [set(re.split(r" {2,}", line)[0].split(", ")) for line in reversed(drawing)] == [set(floor) for floor in FLOORS]


def test_files_stay_within_a_screenful_of_screens():
    """A room that has grown large is split at a seam."""
    assert [row for row in file_lengths() if row[0] > MOST_FILE_LINES] == []


def test_functions_stay_short():
    """No giants, and at most one function in ten is longer than a screen."""
    lengths = function_lengths()
    assert [row for row in lengths if row[0] > MOST_FUNCTION_LINES] == []
    long = [row for row in lengths if row[0] > LONG_FUNCTION]
    assert len(long) * 100 <= MOST_LONG_FUNCTIONS_PERCENT * len(lengths), long


@pytest.mark.skipif(importlib.util.find_spec("reconciler.commands.plan") is None, reason="there is no plan command yet")
@pytest.mark.parametrize("arguments", [["plan"], ["plan", "-emulate"], ["plan", "-json"], ["validate"], ["--help"], ["version"]], ids=" ".join)
def test_reading_commands_import_nothing_that_could_spend(arguments, tmp_path):
    """plan and its kin load no HTTP client, no emulator, no engine, no display library: seen in the modules of a real process."""
    _run("init", cwd=tmp_path)
    done = _run(*arguments, cwd=tmp_path, interpreter=("-X", "importtime"))
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "reconciler.cli" in loaded, done.stderr
    assert sorted(m for m in loaded if any(is_within(m, n) if not n.endswith(".") else m.startswith(n) for n in NEVER_IN_PLAN)) == []


def _run(*arguments: str, cwd: Path, interpreter: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *interpreter, "-m", "reconciler", *arguments]
    done = subprocess.run(command, cwd=cwd, env=os.environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def report() -> str:
    """Where to look for a seam: the longest files and functions, and the tail of the distribution."""
    lengths = sorted(n for n, _ in function_lengths())
    tail = f"{len(lengths)} functions: median {lengths[len(lengths) // 2]}, p90 {lengths[len(lengths) * 9 // 10]}, longest {lengths[-1]} lines"
    rows = [*file_lengths()[:15], *function_lengths()[:25]]
    return "\n".join([tail, *(f"{n:5}  {os.path.relpath(place)}" for n, place in rows)])


if __name__ == "__main__":
    print(report())
