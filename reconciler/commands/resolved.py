"""`show -resolved NAME`: one model as it is sent, with the file and line of every value, and where its variables were set."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.commands.context import Context, load_catalog, open_project
from reconciler.commands.style import style
from reconciler.diagnostics import Diagnostic, Place
from reconciler.errors import Invalid
from reconciler.manifest.origins import Origins
from reconciler.model import Model
from reconciler.reports.document import FORMAT_VERSION, json_text
from reconciler.text import nearest, safe


class Value(NamedTuple):
    """One value: its path, where it was written, else what it is the default of, and the variables in it."""

    path: str
    value: object
    place: Place | None
    origin: str
    """`file`, `default of trainer NAME`, or `default`."""
    variables: list[tuple[str, str]]
    """(name, where its value was set)."""


def run(context: Context, *, name: str, json: bool) -> int:
    """Print it. Raises Invalid for a name that is not declared in the chosen environment, with the nearest ones."""
    project = open_project(context)
    catalog, _ = load_catalog(context, project, kept=True)
    model = catalog.models.get(name)
    if model is None:
        near = nearest(name, sorted(catalog.models), most=2)
        detail = f"did you mean {' or '.join(near)}?" if near else "`reconciler plan` lists all models"
        raise Invalid([Diagnostic("error", "no-such-model", f"no manifest declares {safe(name, limit=80)!r} in this environment", detail)])
    given = {key: (setting.value, setting.origin) for key, setting in context.settings.variables.items()}
    origins = Origins(context.root, project, environment=catalog.environment, given=given)
    values = _values(model, origins)
    if json:
        document = {"format_version": FORMAT_VERSION, "name": name, "environment": catalog.environment, "spec_digest": model.spec.digest}
        context.out.write(json_text(document | {"fields": [_document(value) for value in values]}))
    else:
        context.out.write(_text(context, model, values))
    return 0


def _document(row: Value) -> dict[str, object]:
    place = {"file": row.place.file, "line": row.place.line, "column": row.place.column} if row.place else {"file": None, "line": None, "column": None}
    variables = [{"name": name, "origin": origin} for name, origin in row.variables]
    return {"path": row.path, "value": row.value, **place, "origin": row.origin, "variables": variables}


def _text(context: Context, model: Model, values: list[Value]) -> str:
    from reconciler.reports.layout import Column, join_lines, table

    look = style(context)
    rows = []
    for value in values:
        rows.append((look.foreign(value.path), look.foreign(_shown(value.value), limit=300), look.foreign(value.place or value.origin)))
        rows += [(f"  ${{var.{look.foreign(name)}}}", "", look.foreign(origin)) for name, origin in value.variables]
    head = [look.paint(look.foreign(model.name), "strong"), ""]
    return join_lines([*head, *table((Column(), Column(wraps=True), Column()), rows, look), "", f"spec digest {model.spec.digest}"])


def _values(model: Model, origins: Origins) -> list[Value]:
    """Everything that the model says, what it buys first."""
    spec = model.spec
    values: list[tuple[str, object]] = [("trainer", spec.trainer), ("dataset", model.dataset.where), ("dataset identity", model.dataset.identity)]
    values += list(spec.parameters)
    values += [("generation", spec.generation), ("description", model.description), ("trigger", model.trigger)]
    values += [(f"labels.{key}", value) for key, value in model.labels]
    values += [(f"lifecycle.{key}", value) for key, value in model.lifecycle._asdict().items() if value not in (None, (), False)]
    default = dict.fromkeys((name for name, _ in spec.parameters), f"default of trainer {spec.trainer}")
    found = []
    for path, value in values:
        if value not in ("", None):
            place = _place(model, path)
            found.append(Value(path, value, place, "file" if place else default.get(path, "default"), origins.at(place) if place else []))
    return found


def _shown(value: object) -> object:
    """As YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else ", ".join(map(str, value)) if isinstance(value, tuple) else value


def _place(model: Model, path: str) -> Place | None:
    if path == "dataset":
        path = next((key for key in ("dataset.url", "dataset.path") if key in model.fields), path)
    if path == "dataset identity":
        kind = model.dataset.identity.partition(":")[0]
        return next((model.fields[p] for p in (f"dataset.{kind}", "dataset.url", "dataset.path", "dataset") if p in model.fields), None)
    while path:
        if (place := model.fields.get(path)) is not None:
            return place
        path = path.rpartition(".")[0]
    return None
