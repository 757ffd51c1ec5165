"""Sweeps as a whole: the combinations side by side (`show -matrix`), and what a plan buys of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reconciler.canonical import canonical_number
from reconciler.model import Model
from reconciler.money import ZERO
from reconciler.plan.change import Change, Plan
from reconciler.reports.document import FORMAT_VERSION, plain
from reconciler.reports.jobs import artifact_document
from reconciler.reports.layout import Cell as Text
from reconciler.reports.layout import Column, join_lines, table
from reconciler.reports.phases import Standing, standings
from reconciler.reports.style import Style, Tone
from reconciler.state import State
from reconciler.text import format_money, plural

_TONES: dict[str, Tone] = {"failed": "bad", "lost": "bad", "in_doubt": "bad", "held": "bad", "succeeded": "good"}


class Sweep(NamedTuple):
    """One sweep: its combinations by name, each with where it stands, and the one that the plain name points to."""

    name: str
    cells: Sequence[tuple[Model, Standing]]
    winner: str | None

    @property
    def varied(self) -> list[str]:
        """The parameters that the matrix names, as they stand in the instances' names."""
        pairs = self.cells[0][0].name.partition("@")[2].split(",")
        return [pair.partition("=")[0] for pair in pairs]


def sweep_of(name: str, models: Mapping[str, Model], state: State, environment: str) -> Sweep | None:
    """The sweep of that name, or None when no combination of it is declared."""
    names = sorted(n for n in models if n.startswith(f"{name}@"))
    if not names:
        return None
    rows = {row.name: row for row in standings(state, environment=environment, models=models, names=names)}
    ordered = sorted(names, key=lambda n: tuple(_rank(value) for _, value in models[n].spec.parameters))
    plain_name = models.get(name)
    winner = next((n for n in names if plain_name is not None and models[n].spec.parameters == plain_name.spec.parameters), None)
    return Sweep(name, [(models[n], rows[n]) for n in ordered], winner)


def _rank(value: object) -> tuple[str, float, str]:
    """Numbers by size, texts by letters."""
    return (type(value).__name__, float(value), "") if isinstance(value, (int, float)) else (type(value).__name__, 0.0, str(value))


def sweep_document(sweep: Sweep, environment: str) -> dict[str, Any]:
    """The sweep as plain data."""
    cells = [
        {
            "name": model.name,
            "parameters": {key: value for key, value in model.spec.parameters if key in sweep.varied},
            "winner": model.name == sweep.winner,
            "phase": row.phase,
            "spec_digest": model.spec.digest,
            "job": row.job.id if row.job else None,
            "request_id": row.job.request_id if row.job else None,
            "price": row.job.price if row.job else None,
            "artifacts": [artifact_document(a) for a in row.job.artifacts] if row.job else [],
            "error": row.job.error if row.job else "",
        }
        for model, row in sweep.cells
    ]
    document = {"format_version": FORMAT_VERSION, "name": sweep.name, "environment": environment, "varied": sweep.varied, "winner": sweep.winner}
    return dict(plain(document | {"cells": cells}))


def sweep_text(sweep: Sweep, style: Style) -> str:
    """A table with one row for each combination; URLs below their row, whole, so that they can be copied."""
    columns = [Column(), *(Column(name, align="right") for name in sweep.varied), Column("phase"), Column("paid", align="right"), Column("request")]
    rows: list[list[Text]] = []
    for model, row in sweep.cells:
        values = dict(model.spec.parameters)
        phase = (row.phase.replace("_", " "), _TONES.get(row.phase, "plain"))
        paid, request = ("", "") if row.job is None else (format_money(row.job.price), style.foreign(row.job.request_id))
        rows.append(["winner" if model.name == sweep.winner else "", *(_shown(values[name], style) for name in sweep.varied), phase, paid, request])
    head, *lines = table(columns, rows, style, indent=2)
    body = [head]
    for (_, row), line in zip(sweep.cells, lines, strict=True):
        body.append(line)
        body += [" " * 6 + style.foreign(a.url, limit=4096) for a in (row.job.artifacts if row.job else ())]
    done = sum(row.phase == "succeeded" for _, row in sweep.cells)
    title = f"{style.foreign(sweep.name)}: {plural(len(sweep.cells), 'combination')}, {done} succeeded"
    return join_lines([style.paint(title, "strong"), "", *body])


def sweeps_text(plan: Plan, style: Style) -> str:
    """What each sweep costs as a whole, above the plan that holds its combinations one by one; nothing where no sweep is bought."""
    bought: dict[str, list[Change]] = {}
    for change in plan.changes:
        name, sign, _ = change.name.partition("@")
        if sign and change.action.is_paid:
            bought.setdefault(name, []).append(change)
    lines = []
    for name, changes in sorted(bought.items()):
        cost = format_money(sum((c.cost for c in changes), ZERO))
        lines.append(f"Sweep {style.foreign(name)}: {plural(len(changes), 'combination')} to buy, {cost}")
    return join_lines([*lines, ""]) if lines else ""


def _shown(value: object, style: Style) -> str:
    return canonical_number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else style.foreign(value)
