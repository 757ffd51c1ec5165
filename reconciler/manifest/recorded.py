"""Purchases that a script made, as it recorded them, into rows, and rows into a manifest: models plus `adopt:` acts.

A record is a JSON file (a request body, or a mapping that holds one and maybe its answer) or a line of a CSV file. Nothing
but the body's own fields and the id is taken over: recorded headers, and the key in them, are never looked at.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.canonical import canonical_number
from reconciler.diagnostics import Place
from reconciler.manifest.dataset import Unusable, read_address
from reconciler.manifest.fields import nearest_of
from reconciler.manifest.keys import NAME_PATTERN
from reconciler.manifest.parameters import canonical
from reconciler.manifest.source import Problems, shown
from reconciler.trainer import Parameter, Scalar, Trainer

BODIES = ("request", "body", "request_body", "payload")
ANSWERS = ("response", "answer", "result", "response_body")
IDS = ("request_id", "requestId", "task_id", "prediction_id", "id")
OWN_COLUMNS = ("name", "dataset", "request_id", "note")
MAX_ID = 256
_NAME = re.compile(NAME_PATTERN)
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}(?:\.0+)?")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One training as a script submitted it."""

    name: str
    url: str
    identity: str
    parameters: tuple[tuple[str, Scalar], ...]
    request_id: str | None
    place: Place
    note: str = ""


@dataclass(slots=True)
class Reader:
    """Reads records; what is wrong with one is a problem at its line, and the others are read all the same."""

    trainer: Trainer
    problems: Problems
    rows: list[Recorded] = field(default_factory=list)
    _names: dict[str, Place] = field(default_factory=dict)
    _ids: dict[str, Place] = field(default_factory=dict)

    def read_json(self, path: str, text: str, *, answer: str | None = None) -> None:
        """One recorded body; `answer` is the text of the file beside it that holds what the API said."""
        document = self._loaded(path, text)
        if document is None:
            return
        body = self._part(path, document, BODIES)
        said = self._loaded(path, answer) if answer is not None else self._part(path, document, ANSWERS)
        if body is None and self.trainer.dataset_field not in document:
            self._fault("E101", Place(path), f"there is no recorded body: neither {shown(self.trainer.dataset_field)} nor one of {', '.join(BODIES)}")
            return
        own = body if body is not None else document
        stem = re.sub(r"\.(?:request|body)$", "", re.sub(r"\.json$", "", path.rsplit("/", 1)[-1]))
        name = document.get("name") if body is not None else None
        values = {key: value for key, value in own.items() if key != self.trainer.dataset_field}
        place = _Lines(path, text)
        self._add(name if isinstance(name, str) else stem, own.get(self.trainer.dataset_field), values, _id_of(said), place, what=self.trainer.dataset_field)

    def read_csv(self, path: str, text: str) -> None:
        """A table whose first line names its columns: name, dataset, parameters, request_id, note."""
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        known = [*OWN_COLUMNS, *(p.name for p in self.trainer.parameters)]
        columns = list(reader.fieldnames or ())
        for column in columns:
            if column not in known:
                self._fault("E100", Place(path), f"unknown column {shown(column)}", f"{nearest_of(column, known)}Allowed: {', '.join(known)}.")
        for column in ("name", "dataset"):
            if column not in columns:
                self._fault("E101", Place(path), f"the first line must name the columns; {shown(column)} is missing", f"For example: {','.join(known[:-1])}")
        if self.problems.errors:
            return
        try:
            for row in reader:
                self._row(row, _Lines(path, "", reader.line_num))
        except csv.Error as error:
            self._fault("E010", Place(path, reader.line_num), f"not a CSV file: {shown(error)[1:-1]}")

    def _row(self, row: Mapping[str | None, Any], place: _Lines) -> None:
        if None in row or None in row.values():
            self._fault("E010", place.of(""), "this line has not as many values as the first one has columns")
            return
        cells = {str(key): str(value).strip() for key, value in row.items()}
        values = {key: cells[key] for key in cells if key not in OWN_COLUMNS and cells[key]}
        self._add(cells["name"], cells["dataset"], values, cells.get("request_id") or None, place, note=cells.get("note", ""))

    def _add(
        self, name: str, dataset: object, values: Mapping[str, object], request_id: str | None, place: _Lines, *, note: str = "", what: str = "dataset"
    ) -> None:
        before = self.problems.errors
        self._check_name(name, place.of("name"))
        address = None
        try:
            address = read_address(dataset) if isinstance(dataset, str) else None
        except Unusable as why:
            self._fault(why.code, place.of(what), why.summary, why.detail)
        if address is None and self.problems.errors == before:
            self._fault("E101", place.of(what), f"{shown(what)} is missing, or is no text")
        parameters = self._parameters(values, place)
        if request_id is not None:
            self._check_id(request_id, place.of("request_id"))
        if self.problems.errors > before or address is None:
            return
        # a signature in a recorded URL is over, and does not belong into git
        url = address.identity.removeprefix("url:") if address.identity.startswith("url:") else address.url
        self.rows.append(Recorded(name, url, address.identity, parameters, request_id, place.of(""), note))

    def _parameters(self, values: Mapping[str, object], place: _Lines) -> tuple[tuple[str, Scalar], ...]:
        """All parameters of the trainer; the record's value, else the default that is always sent."""
        known = [p.name for p in self.trainer.parameters]
        for key in values:
            if key not in known:
                self._fault("E100", place.of(key), f"{shown(key)} is not a parameter of the trainer {shown(self.trainer.id)}", nearest_of(key, known).strip())
        found = []
        for parameter in self.trainer.parameters:
            value = canonical(parameter, parameter.default) if parameter.name not in values else _typed(parameter, values[parameter.name])
            if value is None:
                self._fault(
                    "E102", place.of(parameter.name), f"{shown(parameter.name)} must be of type {parameter.type}, not {shown(values.get(parameter.name))}"
                )
            else:
                found.append((parameter.name, value))
        return tuple(found)

    def _check_name(self, name: str, place: Place) -> None:
        if not _NAME.fullmatch(name):
            better = re.sub(r"[^a-z0-9._-]+", "-", name.casefold()).strip("-._")[:63]
            hint = f"Perhaps {better}. " if _NAME.fullmatch(better) else ""
            self._fault("E106", place, f"{shown(name)} cannot be a model's name", f"{hint}Rename the file, or the name in it.")
        elif name in self._names:
            self._fault("E200", place, f"the name {shown(name)} stands here twice", f"The first one is at {self._names[name]}.")
        self._names.setdefault(name, place)

    def _check_id(self, request_id: str, place: Place) -> None:
        if not 0 < len(request_id) <= MAX_ID or not re.fullmatch(r"[!-~]+", request_id):
            self._fault("E105", place, f"{shown(request_id)} cannot be a request id", "1 to 256 printable ASCII characters without blanks.")
        elif request_id in self._ids:
            self._fault("E201", place, f"the request id {shown(request_id)} stands here twice", f"The first one is at {self._ids[request_id]}.")
        self._ids.setdefault(request_id, place)

    def _loaded(self, path: str, text: str) -> dict[str, Any] | None:
        try:
            document = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
        except json.JSONDecodeError as error:
            self._fault("E010", Place(path, error.lineno, error.colno), f"not JSON: {shown(error.msg)[1:-1]}")
            return None
        except (ValueError, RecursionError) as error:
            self._fault("E010", Place(path), f"not usable JSON: {shown(error)[1:-1]}")
            return None
        if not isinstance(document, dict):
            self._fault("E027", Place(path), "a recorded request is a JSON object")
            return None
        return document

    def _part(self, path: str, document: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any] | None:
        """A part of a record, as an object or as the text of one."""
        found = next((document[name] for name in names if name in document), None)
        if isinstance(found, str):
            return self._loaded(path, found)
        return found if isinstance(found, dict) else None

    def _fault(self, code: str, place: Place, summary: str, detail: str = "") -> None:
        self.problems.add(code, summary, detail, place=place)


@dataclass(frozen=True, slots=True)
class _Lines:
    """Where a record stands, and the line of one of its keys."""

    path: str
    text: str
    line: int = 1

    def of(self, key: str) -> Place:
        found = re.search(rf'"{re.escape(key)}"\s*:', self.text) if key and self.text else None
        if found is None:
            return Place(self.path, self.line)
        return Place(self.path, self.text.count("\n", 0, found.start()) + 1, found.start() - (self.text.rfind("\n", 0, found.start()) + 1) + 1)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not a number")


def _id_of(answer: Mapping[str, Any] | None) -> str | None:
    if answer is None:
        return None
    inner = answer.get("data")
    for level in (answer, inner if isinstance(inner, dict) else {}):
        for name in IDS:
            if isinstance(value := level.get(name), str) and value:
                return value
    return None


def _typed(parameter: Parameter, value: object) -> Scalar | None:
    """A recorded value, number or text of one, as the parameter's type; None when it is of another."""
    match parameter.type:
        case "string":
            return value if isinstance(value, str) else None
        case "boolean":
            return {"true": True, "false": False}.get(str(value).lower())
        case "integer":
            text = str(value)
            fits = not isinstance(value, bool) and (_WHOLE.fullmatch(text) is not None or (isinstance(value, float) and value.is_integer()))
            return int(float(text)) if fits else None
        case "number":
            try:
                number = float(str(value))
            except ValueError:
                return None
            return number if not isinstance(value, bool) and abs(number) < float("inf") else None


def manifest_of(rows: Iterable[Recorded], *, origin: str) -> str:
    """A manifest that declares every row and adopts those whose id is known. Rows without an id buy nothing until somebody says so."""
    ordered = sorted(rows, key=lambda row: row.name)
    lines = ["# yaml-language-server: $schema=../.reconciler/schema.json", f"# Made by `reconciler init -from-requests` from {_quoted(origin)}.", "version: 1"]
    lines.append("models:" if ordered else "models: {}")
    for row in ordered:
        lines += _model(row)
    adopted = [row for row in ordered if row.request_id is not None]
    if adopted:
        lines.append("adopt:")
    for row in adopted:
        note = row.note or f"bought by a script, recorded in {row.place.file}"
        lines.append(f"  - {{name: {_quoted(row.name)}, request_id: {_quoted(row.request_id or '')}, note: {_quoted(note)}}}")
    return "\n".join(lines) + "\n"


def _model(row: Recorded) -> Iterator[str]:
    yield f"  {_quoted(row.name)}:"
    yield f"    dataset: {_quoted(row.url)}"
    for name, value in row.parameters:
        yield f"    {name}: {_written(value)}"
    if row.request_id is None:
        yield "    lifecycle:"
        yield "      suspend: true  # no request id was recorded; remove this line to train it"


def _written(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quoted(value) if isinstance(value, str) else canonical_number(value)


def _quoted(text: str) -> str:
    """Text as YAML: plain where a name of ours stands, else in double quotes."""
    if _NAME.fullmatch(text) and not re.fullmatch(r"[0-9._+-]*(?:e[0-9+-]+)?|0x[0-9a-f]+|0o[0-7]+|true|false|null|~", text):
        return text
    return json.dumps(text, ensure_ascii=True).replace("${", "$${")
