"""A sweep: lists of values for training parameters become one model for each combination, named by its values.

The number of combinations is known and checked before any is made.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from reconciler.canonical import canonical_number
from reconciler.manifest.fields import Fields, perhaps
from reconciler.manifest.node import Map, Node
from reconciler.manifest.parameters import read_parameter
from reconciler.manifest.source import shown
from reconciler.money import Money
from reconciler.text import format_money
from reconciler.trainer import Scalar, Trainer

DEFAULT_MAX_COMBINATIONS = 1000
MAX_COMBINATIONS = 100_000
_WORD = re.compile(r"[A-Za-z0-9._-]{1,63}")

Values = tuple[Scalar, ...]
PriceOf = Callable[[Mapping[str, Scalar]], Money | None]
"""What one run with these parameters costs (USD), or None where that is not known."""


class Cell(NamedTuple):
    """One combination: the values' nodes by parameter. `salt` is the name that its spec goes by when it shares no jobs."""

    name: str
    nodes: Mapping[str, Node]
    salt: str


class Sweep(NamedTuple):
    """All combinations that are left, and the one that the plain name points to."""

    cells: tuple[Cell, ...]
    winner: Cell | None


class _Axis(NamedTuple):
    name: str
    values: dict[Scalar, Node]


def read_matrix(name: str, model: Map, trainer: Trainer, fields: Fields, *, price_of: PriceOf = lambda _: None) -> Sweep | None:
    """The sweep of a model that has `matrix:`, or None after its problems. A matrix above its limit is told with its price."""
    node = model.get("matrix")
    assert node is not None, "the caller looked"
    before = fields.problems.errors
    block = fields.mapping(node, "matrix")
    axes = _axes(block, trainer, fields) if block is not None else []
    limit = (
        fields.integer(found, "max_combinations", minimum=1, maximum=MAX_COMBINATIONS)
        if (found := model.get("max_combinations")) is not None
        else DEFAULT_MAX_COMBINATIONS
    )
    if block is None or fields.problems.errors > before or limit is None:
        return None
    count = math.prod(len(axis.values) for axis in axes)
    if count > limit:
        product = " x ".join(str(len(axis.values)) for axis in axes)
        fields.fault(
            "E221",
            node,
            f"the matrix has {product} = {count:,} combinations{_price(axes, count, price_of)}; the limit is {limit:,}",
            "Raise `max_combinations` beside `matrix` if all of them are meant.",
        )
        return None
    excluded = _excluded(block, axes, fields)
    cells = {values: _cell(name, axes, values) for values in itertools.product(*(axis.values for axis in axes)) if values not in excluded}
    if not cells:
        fields.fault("E223", block.get("exclude") or node, "`exclude` leaves no combination")
    winner = _winner(found, axes, cells, fields) if (found := model.get("winner")) is not None else None
    return None if fields.problems.errors > before else Sweep(tuple(cells.values()), winner)


def _price(axes: list[_Axis], count: int, price_of: PriceOf) -> str:
    """What all combinations would cost, without making one: a price depends on no parameter but the steps."""
    steps = next((axis for axis in axes if axis.name == "steps"), None)
    each = [price_of({} if steps is None else {"steps": value}) for value in ([0] if steps is None else steps.values)]
    known = [price for price in each if price is not None]
    if len(known) < len(each):
        return ""
    return f", {format_money(sum(known, Money(0)) * (count // len(each)))}"


def _axes(block: Map, trainer: Trainer, fields: Fields) -> list[_Axis]:
    axes = []
    known = [p.name for p in trainer.parameters]
    for name, (key, node) in block.entries.items():
        if name == "exclude":
            continue
        parameter = trainer.parameter(name)
        if parameter is None:
            fields.fault(
                "E220", key, f"{shown(name)} is not a training parameter", f"{perhaps(name, known, fields.problems)}A matrix may name: {', '.join(known)}."
            )
            continue
        items = fields.items(node, f"matrix.{name}")
        if items is not None and not items:
            fields.fault("E220", node, f"the list {shown('matrix.' + name)} is empty")
        values: dict[Scalar, Node] = {}
        for item in items or ():
            value = read_parameter(parameter, item, fields)
            if value is not None and value in values:
                fields.fault("E220", item, f"the value {shown(_word(value))} is listed twice", f"The first one is at {values[value].place}.")
            elif isinstance(value, str) and not _WORD.fullmatch(value):
                fields.fault("E220", item, f"{shown(value)} cannot be part of a name", "Values of a matrix become names: 1 to 63 of A-Z a-z 0-9 . _ -.")
            elif value is not None:
                values[value] = item
        axes.append(_Axis(name, values))
    if not axes and not any(k != "exclude" for k in block.entries):
        fields.fault("E220", block, "the matrix names no training parameter", f"It may name: {', '.join(known)}.")
    return sorted(axes, key=lambda axis: axis.name)


def _cell(name: str, axes: list[_Axis], values: Values) -> Cell:
    words = ",".join(f"{axis.name}={_word(value)}" for axis, value in zip(axes, values, strict=True))
    full = f"{name}@{words}"
    return Cell(full, {axis.name: axis.values[value] for axis, value in zip(axes, values, strict=True)}, full)


def _word(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else canonical_number(value)


def _chosen(block: Map, axes: list[_Axis], what: str, code: str, fields: Fields) -> dict[str, Scalar] | None:
    """The values that `exclude` or `winner` names, each one of its axis; None after problems."""
    chosen: dict[str, Scalar] = {}
    by_name = {axis.name: axis for axis in axes}
    for name, (key, node) in block.entries.items():
        axis = by_name.get(name)
        if axis is None:
            fields.fault(code, key, f"{shown(name)} is not in the matrix", f"{perhaps(name, by_name, fields.problems)}The matrix has: {', '.join(by_name)}.")
            continue
        value = fields.value(node)
        number = float(value) if type(value) is int and any(type(v) is float for v in axis.values) else value
        if isinstance(number, (bool, int, float, str)) and number in axis.values and isinstance(number, bool) == isinstance(next(iter(axis.values)), bool):
            chosen[name] = number
        else:
            listed = ", ".join(_word(v) for v in axis.values)
            fields.fault(code, node, f"{shown(what)}: the matrix has no such value of {shown(name)}", f"It has: {shown(listed)[1:-1]}.")
    return chosen if len(chosen) == len(block.entries) else None


def _excluded(block: Map, axes: list[_Axis], fields: Fields) -> set[Values]:
    node = block.get("exclude")
    excluded: set[Values] = set()
    for item in (fields.items(node, "exclude") or ()) if node is not None else ():
        one = fields.mapping(item, "exclude")
        if one is None:
            continue
        chosen = _chosen(one, axes, "exclude", "E223", fields)
        if chosen is None:
            continue
        if not chosen:
            fields.fault("E223", item, "an empty `exclude` names no combination")
            continue
        excluded.update(itertools.product(*([chosen[axis.name]] if axis.name in chosen else list(axis.values) for axis in axes)))
    return excluded


def _winner(node: Node, axes: list[_Axis], cells: Mapping[Values, Cell], fields: Fields) -> Cell | None:
    block = fields.mapping(node, "winner")
    chosen = _chosen(block, axes, "winner", "E222", fields) if block is not None else None
    if chosen is None:
        return None
    missing = [axis.name for axis in axes if axis.name not in chosen]
    if missing:
        fields.fault("E222", node, f"`winner` must name a value for {', '.join(missing)} too")
        return None
    cell = cells.get(tuple(chosen[axis.name] for axis in axes))
    if cell is None:
        fields.fault("E222", node, "`winner` names a combination that `exclude` leaves out")
    return cell
