"""`show`: what the state holds; a saved plan; one model with the place of every value."""

from __future__ import annotations

from pathlib import Path

from reconciler.commands.context import Context, load_catalog, open_project, open_store
from reconciler.commands.infile import read_named
from reconciler.commands.problems import show_notes
from reconciler.commands.style import style
from reconciler.diagnostics import Diagnostic, Place
from reconciler.errors import Invalid, Usage
from reconciler.model import Model
from reconciler.reports.document import FORMAT_VERSION, json_text
from reconciler.text import nearest, safe

LARGEST_PLAN_BYTES = 512 * 1024 * 1024


def run_state(context: Context, *, json: bool) -> int:
    """What the state holds."""
    from reconciler.reports.state import state_document, state_text

    state = open_store(context, open_project(context)).view()
    if json:
        context.out.write(json_text(state_document(state)))
        return 0
    show_notes(context, state)
    context.out.write(state_text(state, style(context)))
    return 0


def run_plan(context: Context, *, plan_file: str, json: bool) -> int:
    """A saved plan, as it was printed when it was made. Needs neither project nor state."""
    from reconciler.plan.saved import read_plan
    from reconciler.reports.terminal import plan_text

    text = read_file(context.root / plan_file)
    plan = read_plan(text).plan
    if json:
        from json import loads

        context.out.write(json_text(loads(text)))
    else:
        context.out.write(plan_text(plan, style(context), now=plan.created_at))
    return 0


def read_file(path: Path) -> str:
    """The text of a saved plan. Raises Usage when it cannot be read, or cannot be a plan."""
    content = read_named(path, most_bytes=LARGEST_PLAN_BYTES)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise Usage(f"{safe(path, limit=300)} is not UTF-8 and is no plan of ours") from None


def run_model(context: Context, *, name: str, json: bool) -> int:
    """One model as it is sent, each value with the place where it was written."""
    catalog, _ = load_catalog(context, open_project(context))
    model = catalog.models.get(name)
    if model is None:
        near = nearest(name, sorted(catalog.models), most=2)
        detail = f"did you mean {' or '.join(near)}?" if near else "`reconciler plan` lists all models"
        raise Invalid([Diagnostic("error", "no-such-model", f"no manifest declares {safe(name, limit=80)!r} in this environment", detail)])
    values = _values(model)
    if json:
        rows = [
            {"path": p, "value": v, "file": w.file if w else None, "line": w.line if w else None, "column": w.column if w else None, "origin": o}
            for p, v, w, o in values
        ]
        context.out.write(json_text({"format_version": FORMAT_VERSION, "name": name, "spec_digest": model.spec.digest, "fields": rows}))
        return 0
    from reconciler.reports.layout import Column, join_lines, table

    look = style(context)
    rows_text = [(look.foreign(p), look.foreign(_shown(v), limit=300), look.foreign(w or o)) for p, v, w, o in values]
    head = [look.paint(look.foreign(name), "strong"), ""]
    context.out.write(join_lines([*head, *table((Column(), Column(wraps=True), Column()), rows_text, look), "", f"spec digest {model.spec.digest}"]))
    return 0


def run_matrix(context: Context, *, name: str, json: bool) -> int:
    """The combinations of one sweep: parameters, phases, artifacts."""
    from reconciler.reports.sweep import sweep_document, sweep_of, sweep_text

    project = open_project(context)
    catalog, _ = load_catalog(context, project)
    state = open_store(context, project).view()
    sweep = sweep_of(name, catalog.models, state, catalog.environment)
    if sweep is None:
        known = sorted({each.partition("@")[0] for each in catalog.models if "@" in each})
        near = nearest(name, known, most=2) or known[:5]
        what = "has no matrix" if name in catalog.models else "is not declared in this environment"
        raise Invalid([Diagnostic("error", "no-such-matrix", f"{safe(name, limit=80)!r} {what}", f"sweeps: {', '.join(near)}" if near else "")])
    if json:
        context.out.write(json_text(sweep_document(sweep, catalog.environment)))
        return 0
    show_notes(context, state)
    context.out.write(sweep_text(sweep, style(context)))
    return 0


def _values(model: Model) -> list[tuple[str, object, Place | None, str]]:
    """(path, value, place or None, origin) of everything that the model says, what it buys first.

    The origin is `file` where the value was written, `default of trainer NAME` for the trainer's default, else `default`.
    """
    spec = model.spec
    values: list[tuple[str, object]] = [("trainer", spec.trainer), ("dataset", model.dataset.url), ("dataset identity", model.dataset.identity)]
    values += list(spec.parameters)
    values += [("generation", spec.generation), ("description", model.description), ("trigger", model.trigger)]
    values += [(f"labels.{key}", value) for key, value in model.labels]
    values += [(f"lifecycle.{key}", value) for key, value in model.lifecycle._asdict().items() if value not in (None, (), False)]
    default = dict.fromkeys((name for name, _ in spec.parameters), f"default of trainer {spec.trainer}")
    rows = [(path, value, _place(model, path)) for path, value in values if value not in ("", None)]
    return [(path, value, place, "file" if place else default.get(path, "default")) for path, value, place in rows]


def _shown(value: object) -> object:
    """As YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else ", ".join(map(str, value)) if isinstance(value, tuple) else value


def _place(model: Model, path: str) -> Place | None:
    if path == "dataset identity":
        kind = model.dataset.identity.partition(":")[0]
        return next((model.fields[p] for p in (f"dataset.{kind}", "dataset.url", "dataset.path", "dataset") if p in model.fields), None)
    while path:
        if (place := model.fields.get(path)) is not None:
            return place
        path = path.rpartition(".")[0]
    return None
