"""Training parameters of one model against its trainer's record: types, bounds, canonical numbers, resolved defaults."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.manifest.fields import Fields
from reconciler.manifest.node import Map, Node
from reconciler.manifest.source import shown
from reconciler.trainer import Parameter, Scalar, Trainer

MAX_TEXT = 1024


def read_parameters(trainer: Trainer, merged: Map, cell: Mapping[str, Node], fields: Fields) -> dict[str, Scalar] | None:
    """Every parameter's value, always all of them, or None after problems."""
    values: dict[str, Scalar] = {}
    good = True
    for parameter in trainer.parameters:
        node = cell.get(parameter.name) or merged.get(parameter.name)
        if node is not None:
            value = read_parameter(parameter, node, fields)
        elif (value := canonical(parameter, parameter.default)) is None:
            fields.fault("E101", merged, f"{shown(parameter.name)} is missing: the trainer {shown(trainer.id)} has no default for it")
        if value is None:
            good = False
        else:
            values[parameter.name] = value
    return values if good else None


def canonical(parameter: Parameter, value: Scalar | None) -> Scalar | None:
    """One spelling for equal values: a number is a float, an integer an int."""
    if value is None or parameter.type in ("string", "boolean"):
        return value
    return float(value) + 0.0 if parameter.type == "number" else int(value)


def read_parameter(parameter: Parameter, node: Node, fields: Fields) -> Scalar | None:
    """One value in canonical form, or None after its problem."""
    name = parameter.name
    match parameter.type:
        case "string":
            return fields.text(node, name, limit=MAX_TEXT)
        case "boolean":
            return fields.flag(node, name)
        case "integer":
            value: int | float | None = fields.integer(node, name)
        case "number":
            value = fields.number(node, name)
    if value is None or not _within(parameter, value, node, fields):
        return None
    return value if parameter.type == "integer" else value + 0.0


def _within(parameter: Parameter, value: float, node: Node, fields: Fields) -> bool:
    wrong = (
        (parameter.minimum is not None and value < parameter.minimum)
        or (parameter.maximum is not None and value > parameter.maximum)
        or (parameter.exclusive_minimum is not None and value <= parameter.exclusive_minimum)
        or (parameter.exclusive_maximum is not None and value >= parameter.exclusive_maximum)
    )
    if wrong:
        fields.fault("E104", node, f"{shown(parameter.name)} must be {bounds(parameter)}, not {value!r}")
        return False
    if parameter.usual is not None and not parameter.usual[0] <= value <= parameter.usual[1]:
        low, high = parameter.usual
        fields.fault("W010", node, f"{shown(parameter.name)} is usually between {low:g} and {high:g}, not {value!r}", "It is allowed; check that it is meant.")
    return True


def bounds(parameter: Parameter) -> str:
    """The bounds in words."""
    sides = [
        (parameter.minimum, "at least"),
        (parameter.exclusive_minimum, "more than"),
        (parameter.maximum, "at most"),
        (parameter.exclusive_maximum, "less than"),
    ]
    return " and ".join(f"{words} {_figure(limit)}" for limit, words in sides if limit is not None)


def _figure(limit: float) -> str:
    return f"{int(limit):,}" if float(limit).is_integer() else repr(limit)
