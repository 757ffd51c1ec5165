"""`init`: a project folder with an empty state. The only command that starts a history; it never overwrites a file.

An initialised folder is left as it is. A project whose journal is missing is not given a new one: the new one would
not know what was bought.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reconciler.commands.context import JOURNAL_FILE, Context, journal_file, open_project
from reconciler.commands.recorded import MANIFEST, checked_manifest, read_records
from reconciler.errors import StateProblem, Usage
from reconciler.text import plural, safe

if TYPE_CHECKING:
    from reconciler.project import Project

PROJECT_TEXT = """\
# yaml-language-server: $schema=.reconciler/project.schema.json
# The project. `reconciler validate` checks it; `reconciler schema project` describes every key.
version: 1
trainer: pixazo-flux2-pro        # built in: FLUX.2 pro, text to image

prices:                          # what one training costs from that day on; an old job keeps its price
  - {{trainer: pixazo-flux2-pro, from: 2026-01-01, per_run: "8.00", currency: USD}}

budget:
  per_apply: 40.00               # `apply` refuses to spend more than this at once
  per_month: {{limit: 120.00, warn_at: 80%}}

guards:
  max_trains: 10                 # more purchases than this in one apply need a change here
  stop_after_failures: 2         # stop buying after so many refusals in one apply

state:
  path: state/reconciler.db
  lineage: {lineage}   # which history this project has; a missing or foreign journal is an error

manifests:
  - models/**/*.yaml
"""
EXAMPLE_TEXT = """\
# yaml-language-server: $schema=../.reconciler/schema.json
# One LoRA model. `reconciler plan` shows what it would cost; nothing is bought before `reconciler apply`.
version: 1
models:
  example-otter:
    description: An otter mascot
    dataset: https://example.com/datasets/otter-v1.zip   # a zip of images and captions that the trainer can fetch
    steps: 1000                  # steps, learning rate and data set decide what is trained:
    learning_rate: 5e-05         # changing one of them buys again, changing anything else is free
    labels: {team: brand}
    trigger: ottr
"""
IGNORED = (".reconciler/", "state/*", "!state/purchases.jsonl")
MERGED = ("purchases.jsonl merge=union",)


def run(context: Context, *, folder: str | None, from_requests: str | None = None) -> int:
    """Make what is missing and say what was made. `from_requests`: what was bought before by a script, as it was recorded."""
    root = context.root / folder if folder is not None else context.root
    converted = _converted(context, root, from_requests) if from_requests is not None else None
    _make_folder(root)
    here = Context(root, context.settings, context.environment, context.out, context.err, context.clock, context.arguments)
    made: list[str] = []
    lineage, is_new = _history(here, made)
    project_is_new = _write(root / "reconciler.yaml", PROJECT_TEXT.format(lineage=lineage), made)
    project = open_project(here)
    if converted is not None:
        _write(root / MANIFEST, converted.text, made)
    elif is_new and not any(_manifests(root)):
        _write(root / "models" / "example.yaml", EXAMPLE_TEXT, made)
    missing = [*_lines_in(root / ".gitignore", IGNORED, made), *_lines_in(root / ".gitattributes", MERGED, made)]
    _write_schemas(root, project, made)
    _open_state(here, project)
    _tell(context, root, made, started=is_new)
    if converted is not None:
        context.out.line(converted.summary)
    for path, line in missing:
        context.out.line(f"{safe(path)} is yours and was left alone; add the line `{line}`")
    if not project_is_new and project.lineage is None:
        context.out.line(f"reconciler.yaml is yours and was left alone; pin the history in it: `state: {{lineage: {safe(lineage)}}}`")
    return 0


class Converted(NamedTuple):
    """A manifest of recorded purchases, and what to say about it."""

    text: str
    summary: str


def _converted(context: Context, root: Path, source: str) -> Converted:
    """The manifest of what is recorded in `source`, checked before anything is written. Raises Invalid, Usage."""
    from reconciler.project import Project

    if (root / MANIFEST).exists():
        raise Usage(f"{MANIFEST} exists already; nothing was written", hint="rename it, or remove it when nothing of it was applied")
    here = Context(root, context.settings, context.environment, context.out, context.err, context.clock, context.arguments)
    project = open_project(here) if (root / "reconciler.yaml").exists() else None
    rows = read_records(context, source, project)
    text = checked_manifest(context, rows, project or Project(), source)
    adopted = sum(row.request_id is not None for row in rows)
    summary = f"{MANIFEST}: {plural(len(rows), 'model')}; the first apply takes over {plural(adopted, 'job')} for $0.00"
    rest = len(rows) - adopted
    return Converted(text, summary + (f"; {rest} without a request id {'is' if rest == 1 else 'are'} suspended" if rest else ""))


def _make_folder(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Usage(f"init {safe(root, limit=200)}: {error.strerror}") from None


def _history(context: Context, made: list[str]) -> tuple[str, bool]:
    """The lineage of this folder, and whether it begins now. Raises StateProblem where a history is known but gone."""
    from uuid import uuid4

    from reconciler.journal.create import create_journal

    project = open_project(context) if (context.root / "reconciler.yaml").exists() else None
    journal = _journal_path(context, project)
    if journal.exists():
        return _lineage_of(journal), False
    if project is not None and project.lineage is not None:
        raise StateProblem(
            f"reconciler.yaml names the history {project.lineage}, and its journal {safe(journal, limit=200)} is missing; a second history was not started,"
            " because it would not know what was bought",
            hint=f"restore {JOURNAL_FILE} from git or a backup; only if nothing was ever bought: remove `lineage:` from reconciler.yaml and run init again",
        )
    lineage = str(uuid4())
    if not create_journal(journal, lineage=lineage, at=context.clock.now()):
        return _lineage_of(journal), False
    made.append(os.path.relpath(journal, context.root))
    return lineage, True


def _journal_path(context: Context, project: Project | None) -> Path:
    from reconciler.project import Project

    return journal_file(context, Project() if project is None else project)


def _lineage_of(journal: Path) -> str:
    from reconciler.journal.file import FileJournal
    from reconciler.state import fold_all

    return fold_all(FileJournal(journal).read(None)[1]).lineage


def _manifests(root: Path) -> list[Path]:
    return [path for path in (root / "models").rglob("*.yaml") if path.is_file()] if (root / "models").is_dir() else []


def _write(path: Path, text: str, made: list[str]) -> bool:
    """Write a file that is not there yet, whole or not at all; never follows a link. Whether it was written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path):
        return False
    begun = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        begun.unlink(missing_ok=True)
        with os.fdopen(os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666), "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.link(begun, path, follow_symlinks=False)
    except FileExistsError:
        return False
    finally:
        begun.unlink(missing_ok=True)
    made.append(path.name if path.parent.name in ("", path.anchor) else _short(path))
    return True


def _short(path: Path) -> str:
    return f"{path.parent.name}/{path.name}" if path.parent.name in ("models", ".reconciler") else path.name


def _lines_in(path: Path, lines: tuple[str, ...], made: list[str]) -> list[tuple[str, str]]:
    """Write `lines` as a new file, or say which of them an existing one lacks."""
    if _write(path, "\n".join(lines) + "\n", made):
        return []
    try:
        present = set(path.read_text(encoding="utf-8", errors="replace").splitlines())
    except OSError:
        return []
    return [(path.name, line) for line in lines if line not in present]


def _write_schemas(root: Path, project: Project, made: list[str]) -> None:
    """What editors check by: manifests, with the parameters of this project's trainers, and the project file."""
    from reconciler.manifest.schema import manifest_schema, project_schema
    from reconciler.reports.document import json_text

    _write(root / ".reconciler" / "schema.json", json_text(manifest_schema(project.trainers.values())), made)
    _write(root / ".reconciler" / "project.schema.json", json_text(project_schema()), made)


def _open_state(context: Context, project: Project) -> None:
    """Fold the journal into the state file."""
    from reconciler.commands.context import open_store

    with open_store(context, project).hold(context.owner, wait_seconds=0.0):
        return


def _tell(context: Context, root: Path, made: list[str], *, started: bool) -> None:
    if not started:
        context.out.line(f"{safe(root, limit=300)} is initialised already; its history goes on" + (f"; made {', '.join(made)}" if made else ""))
        return
    context.out.line(f"Made a project in {safe(root, limit=300)}:")
    for name in made:
        context.out.line(f"  {safe(name, limit=200)}")
    edit = "edit models/example.yaml, then " if any(name.endswith("example.yaml") for name in made) else ""
    context.out.line(f"Next: {edit}`reconciler plan`. Commit everything that git does not ignore.")
