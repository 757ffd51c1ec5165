"""`init -from-requests`: what a script bought, as it recorded it, becomes a manifest whose first plan buys nothing again.

Files are found and written here; what a record means is `manifest/recorded`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from reconciler.commands.context import Context
from reconciler.diagnostics import Place, in_order
from reconciler.errors import Invalid, Usage
from reconciler.manifest.front import read_bytes
from reconciler.manifest.recorded import Reader, Recorded, manifest_of
from reconciler.manifest.source import Problems
from reconciler.project import Project
from reconciler.text import safe

MOST_FILES = 100_000
MANIFEST = "models/from-requests.yaml"
ANSWER_ENDINGS = (".response.json", ".answer.json", ".result.json")


def read_records(context: Context, source: str, project: Project | None) -> list[Recorded]:
    """The records in a folder of JSON files or in a CSV file. Raises Invalid with every problem, Usage when there is nothing to read."""
    from reconciler.trainer import BUILT_IN, DEFAULT_TRAINER

    trainer = BUILT_IN[DEFAULT_TRAINER] if project is None else project.trainers[project.trainer]
    problems = Problems()
    reader = Reader(trainer, problems)
    path = Path(os.path.normpath(context.root / source))
    shown = safe(source, limit=200)
    if path.is_dir():
        _read_folder(path, source, reader)
    elif path.is_file():
        if (text := _text(path.parent, path.name, source, problems)) is not None:
            (reader.read_json if path.suffix == ".json" else reader.read_csv)(source, text)
    else:
        raise Usage(f"-from-requests={shown}: there is no such file or folder")
    if problems.errors:
        raise Invalid(in_order(problems.found), "nothing was written")
    if not reader.rows:
        raise Usage(
            f"-from-requests={shown}: nothing is recorded there", hint="a folder of JSON files, or a CSV with name,dataset,steps,learning_rate,request_id"
        )
    return reader.rows


def _read_folder(folder: Path, source: str, reader: Reader) -> None:
    names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(".json") and not entry.name.startswith("."))
    if len(names) > MOST_FILES:
        raise Usage(f"{safe(source, limit=200)} holds more than {MOST_FILES:,} files")
    answers = {name for name in names if name.endswith(ANSWER_ENDINGS)}
    for name in (n for n in names if n not in answers):
        shown = f"{source.rstrip('/')}/{name}"
        stem = name.removesuffix(".json").removesuffix(".request").removesuffix(".body")
        beside = next((stem + ending for ending in ANSWER_ENDINGS if stem + ending in answers), None)
        text = _text(folder, name, shown, reader.problems)
        answer = _text(folder, beside, f"{source.rstrip('/')}/{beside}", reader.problems) if beside is not None else None
        if text is not None:
            reader.read_json(shown, text, answer=answer)


def _text(folder: Path, name: str, shown: str, problems: Problems) -> str | None:
    """One file's text. Unlike a manifest it may hold a key in a header that was recorded: that is not looked at."""
    own = Problems()
    raw = read_bytes(folder, name, own)
    for found in own.found:
        problems.add(found.code, found.summary, found.detail, place=Place(shown))
    if raw is None:
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        problems.add("E005", "the file is not UTF-8 text", place=Place(shown))
        return None


def checked_manifest(context: Context, rows: list[Recorded], project: Project, origin: str) -> str:
    """The manifest, in order and checked as it will be read. Raises Invalid with the place of the record that a problem comes from."""
    from dataclasses import replace
    from tempfile import TemporaryDirectory

    from reconciler.manifest.edit import format_text
    from reconciler.manifest.load import load_catalog
    from reconciler.model import DEFAULT_ENVIRONMENT

    text = format_text(manifest_of(rows, origin=origin), MANIFEST)
    with TemporaryDirectory() as folder:
        path = Path(folder) / MANIFEST
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
        alone = replace(project, manifests=(MANIFEST,), variables={}, environments={}, defaults={})
        catalog, found = load_catalog(Path(folder), alone, environment=DEFAULT_ENVIRONMENT, today=context.clock.now()[:10])
    if catalog is None:
        lines = text.split("\n")
        by_name = {row.name: row.place for row in rows}
        raise Invalid([replace(d, place=_origin(d.place.line if d.place else 1, lines, by_name) or d.place) for d in found], "nothing was written")
    return text


def _origin(line: int, lines: list[str], places: Mapping[str, Place]) -> Place | None:
    """The record of the model whose block line `line` of the manifest stands in."""
    for number in range(min(line, len(lines)) - 1, -1, -1):
        name = lines[number].strip().rstrip(":").strip('"')
        if lines[number].startswith("  ") and not lines[number].startswith("   ") and name in places:
            return places[name]
    return None
