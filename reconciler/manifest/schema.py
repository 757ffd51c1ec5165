"""JSON Schema (draft-07) of manifests and of the project file, for editors; made from the one table of keys.

An editor's check is weaker than ours on purpose: strings may hold `${var.NAME}` wherever a value is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.manifest import keys
from reconciler.manifest.keys import Table
from reconciler.trainer import BUILT_IN, Parameter, Trainer

DRAFT = "http://json-schema.org/draft-07/schema#"
_VARIABLE = {"type": "string", "pattern": r"\$\{var\.[A-Za-z_][A-Za-z0-9_]*\}"}


def manifest_schema(trainers: Iterable[Trainer] = tuple(BUILT_IN.values())) -> dict[str, Any]:
    """The schema of `models/**/*.yaml`. Training parameters are those of `trainers`; any other key is a mistake."""
    model, shared = _object(keys.MODEL), _object(keys.SHARED)
    parameters = _parameters(trainers)
    model["properties"] |= parameters
    model["properties"]["matrix"] = _matrix(parameters)
    model["properties"]["winner"] |= {"properties": parameters, "additionalProperties": False}
    shared["properties"] |= parameters
    tables = {"dataset": keys.DATASET, "lifecycle": keys.LIFECYCLE, "variable": keys.VARIABLE, "moved": keys.MOVED, "removed": keys.REMOVED}
    tables |= {"adopt": keys.ADOPT, "resolution": keys.RESOLUTION}
    definitions = {name: _object(table) for name, table in tables.items()} | {"model": model, "defaults": shared}
    return _document("reconciler manifest", "Models that are wanted, in a project of reconciler.", keys.MANIFEST, definitions)


def project_schema() -> dict[str, Any]:
    """The schema of `reconciler.yaml`."""
    tables = {"price": keys.PRICE, "budget": keys.BUDGET, "month": keys.MONTH, "guards": keys.GUARDS, "state": keys.STATE}
    tables |= {"environment": keys.ENVIRONMENT, "variable": keys.VARIABLE, "polling": keys.POLLING, "trainer": keys.TRAINER, "parameter": keys.PARAMETER}
    tables |= {"dataset": keys.DATASET, "lifecycle": keys.LIFECYCLE}
    definitions = {name: _object(table) for name, table in tables.items()}
    shared = _object(keys.SHARED)
    shared["properties"] |= _parameters(BUILT_IN.values())
    # The trainers of this very file bring parameters of their own, which its schema cannot know.
    shared["additionalProperties"] = {"type": ["string", "number", "boolean"]}
    definitions["defaults"] = shared
    return _document("reconciler project", "The project file reconciler.yaml.", keys.PROJECT, definitions)


def _document(title: str, description: str, table: Table, definitions: Mapping[str, Any]) -> dict[str, Any]:
    return {"$schema": DRAFT, "title": title, "description": description, **_object(table), "definitions": dict(definitions)}


def _object(table: Table) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "object",
        "properties": {name: _property(key.schema, key.description, key.examples) for name, key in table.items()},
        "additionalProperties": False,
    }
    required = [name for name, key in table.items() if key.required]
    return {**found, "required": required} if required else found


def _property(schema: Mapping[str, Any], description: str, examples: tuple[Any, ...]) -> dict[str, Any]:
    """One value. Draft-07 ignores what stands beside a `$ref`, so the reference is wrapped."""
    value = {"allOf": [dict(schema)]} if "$ref" in schema else _or_variable(schema)
    return {**value, "description": description, "examples": list(examples)}


def _or_variable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and flags may come from a variable."""
    if schema.get("type") in ("integer", "number", "boolean"):
        return {"anyOf": [dict(schema), _VARIABLE]}
    return dict(schema)


def _parameters(trainers: Iterable[Trainer]) -> dict[str, Any]:
    """Parameters by name. Trainers may differ about one: then each of their rules will do."""
    found: dict[str, list[dict[str, Any]]] = {}
    for trainer in trainers:
        for parameter in trainer.parameters:
            rules = found.setdefault(parameter.name, [])
            if (rule := _parameter(parameter)) not in rules:
                rules.append(rule)
    return {
        name: rules[0] if len(rules) == 1 else {**rules[0], "anyOf": [r for rule in rules for r in rule.get("anyOf", [rule])]} for name, rules in found.items()
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": parameter.type}
    for side, word in (("minimum", "minimum"), ("maximum", "maximum"), ("exclusive_minimum", "exclusiveMinimum"), ("exclusive_maximum", "exclusiveMaximum")):
        limit = getattr(parameter, side)
        if limit is not None:
            schema[word] = limit
    usual = "" if parameter.usual is None else f" Usually {parameter.usual[0]:g} to {parameter.usual[1]:g}."
    return _property(schema, f"Training parameter. Default {parameter.default!r}.{usual}", (parameter.default,))


def _matrix(parameters: Mapping[str, Any]) -> dict[str, Any]:
    lists = {name: {"type": "array", "items": value, "minItems": 1} for name, value in parameters.items()}
    exclude = {"type": "array", "items": {"type": "object"}, "description": "Combinations that are left out.", "examples": [[{"steps": 2000}]]}
    key = keys.MODEL["matrix"]
    return {
        "type": "object",
        "properties": {**lists, "exclude": exclude},
        "additionalProperties": False,
        "description": key.description,
        "examples": list(key.examples),
    }
