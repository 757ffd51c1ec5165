"""Trainer records of the project file. A trainer is data: paths, names and bounds, checked here, never code."""

from __future__ import annotations

import re

from reconciler.manifest import keys
from reconciler.manifest.fields import Fields
from reconciler.manifest.node import Map, Node, Scalar
from reconciler.manifest.parameters import bounds, canonical, read_parameter
from reconciler.manifest.source import shown
from reconciler.trainer import BUILT_IN, DEFAULT_TRAINER, SECONDS_PER_STEP, Parameter, Trainer
from reconciler.trainer import Scalar as ParameterValue

_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
_PATH = re.compile(r"(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")


def read_trainers(node: Node | None, fields: Fields) -> dict[str, Trainer]:
    """The built-in trainers and those of the project, by id."""
    trainers = dict(BUILT_IN)
    block = fields.mapping(node, "trainers") if node is not None else None
    for name, (key, value) in block.entries.items() if block is not None else ():
        if name in BUILT_IN:
            fields.fault("E105", key, f"{shown(name)} is a built-in trainer", "Give yours another name.")
        elif fields.check_name(key, name, "a trainer's name") and (trainer := _trainer(name, value, fields)) is not None:
            trainers[name] = trainer
    return trainers


def _trainer(name: str, node: Node, fields: Fields) -> Trainer | None:
    before = fields.problems.errors
    block = fields.table(node, f"the trainer {name}", keys.TRAINER)
    if block is None:
        return None
    api = _pattern(block, "api", _SEGMENT, "one path segment like flux-2-pro-text-to-image-trainer-712", fields)
    submit = _pattern(block, "submit_path", _PATH, "a path like /v1/some-trainer-request", fields)
    result = _pattern(block, "result_path", _PATH, "a path like /v1/some-trainer-request-result", fields)
    field = _pattern(block, "dataset_field", _FIELD, "a name like image_data_url", fields) or "image_data_url"
    seconds = fields.number(found, "seconds_per_step") if (found := block.get("seconds_per_step")) is not None else SECONDS_PER_STEP
    parameters = _parameters(found, field, fields) if (found := block.get("parameters")) is not None else BUILT_IN[DEFAULT_TRAINER].parameters
    if seconds is not None and seconds <= 0:
        fields.fault("E104", block.entries["seconds_per_step"][1], "`seconds_per_step` must be more than 0")
    if fields.problems.errors > before or api is None or submit is None or seconds is None:
        return None
    return Trainer(name, api, submit, result, field, parameters, seconds)


def _pattern(block: Map, key: str, pattern: re.Pattern[str], wanted: str, fields: Fields) -> str | None:
    node = block.get(key)
    text = fields.text(node, key, limit=512) if node is not None else None
    if node is None or text is None or pattern.fullmatch(text):
        return text
    fields.fault("E105", node, f"{shown(key)} cannot be {shown(text)}", f"Write {wanted}.")
    return None


def _parameters(node: Node, dataset_field: str, fields: Fields) -> tuple[Parameter, ...]:
    block = fields.mapping(node, "parameters")
    found = []
    for name, (key, value) in block.entries.items() if block is not None else ():
        if not re.fullmatch(keys.VARIABLE_PATTERN, name):
            fields.fault("E106", key, f"{shown(name)} cannot be a parameter's name", "Names have 1 to 63 of A-Z a-z 0-9 _ and begin with a letter or _.")
        elif name in keys.MODEL or name in ("exclude", dataset_field):
            fields.fault("E106", key, f"{shown(name)} has another meaning in a model", "A parameter cannot have that name.")
        elif (parameter := _parameter(name, value, fields)) is not None:
            found.append(parameter)
    return tuple(found)


def _parameter(name: str, node: Node, fields: Fields) -> Parameter | None:
    before = fields.problems.errors
    block = fields.table(node, f"the parameter {name}", keys.PARAMETER)
    kind = fields.choice(found, "type", keys.PARAMETER["type"].schema["enum"]) if block is not None and (found := block.get("type")) is not None else None
    if block is None or kind is None:
        return None
    limits: dict[str, float | None] = {}
    for side in ("minimum", "maximum", "exclusive_minimum", "exclusive_maximum"):
        limit_node = block.get(side)
        limits[side] = fields.number(limit_node, side) if limit_node is not None else None
        if limit_node is not None and kind in ("string", "boolean"):
            fields.fault("E105", limit_node, f"{shown(side)} is for numbers, and {shown(name)} is a {kind}")
    parameter = Parameter(name, kind, None, **limits, usual=_usual(block, fields))  # type: ignore[arg-type]
    _check_bounds(parameter, node, fields)
    default = _default(parameter, block, fields)
    if fields.problems.errors > before:
        return None
    return Parameter(name, kind, canonical(parameter, default), **limits, usual=parameter.usual)  # type: ignore[arg-type]


def _usual(block: Map, fields: Fields) -> tuple[float, float] | None:
    node = block.get("usual")
    items = fields.items(node, "usual") if node is not None else None
    if node is None or items is None:
        return None
    numbers = [fields.number(item, "usual") for item in items]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None or numbers[0] > numbers[1]:
        fields.fault("E105", node, "`usual` must be two numbers, the smaller one first")
        return None
    return numbers[0], numbers[1]


def _check_bounds(parameter: Parameter, node: Node, fields: Fields) -> None:
    lows = [v for v in (parameter.minimum, parameter.exclusive_minimum) if v is not None]
    highs = [v for v in (parameter.maximum, parameter.exclusive_maximum) if v is not None]
    if lows and highs and max(lows) > min(highs):
        fields.fault("E105", node, f"the bounds of {shown(parameter.name)} leave no value", f"It would have to be {bounds(parameter)}.")


def _default(parameter: Parameter, block: Map, fields: Fields) -> ParameterValue | None:
    node = block.get("default")
    if node is None:
        return None
    if type(node) is Scalar and node.value is None:
        fields.wrong(node, "default", f"a {parameter.type}")
        return None
    return read_parameter(parameter, node, fields)
