"""JSON Schema (draft-07) of manifests and of the project file, for editors; made from the one table of keys.

An editor's check is weaker than ours on purpose: strings may hold `${var.NAME}` wherever a value is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.manifest import keys
from reconciler.manifest.keys import Table
from reconciler.trainer import BUILT_IN, Parameter

DRAFT = "http://json-schema.org/draft-07/schema#"
_VARIABLE = {"type": "string", "pattern": r"\$\{var\.[A-Za-z_][A-Za-z0-9_]*\}"}


def manifest_schema() -> dict[str, Any]:
    """The schema of `models/**/*.yaml`."""
    model = _object(keys.MODEL)
    parameters = _parameters()
    model["properties"] |= parameters
    model["properties"]["matrix"] = _matrix(parameters)
    model["properties"]["winner"] |= {"properties": parameters}
    # Trainers of a project bring parameters of their own, which this schema cannot know.
    model["additionalProperties"] = {"type": ["string", "number", "boolean"]}
    shared = _object(keys.SHARED)
    shared["properties"] |= parameters
    shared["additionalProperties"] = model["additionalProperties"]
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
    shared["properties"] |= _parameters()
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


def _parameters() -> dict[str, Any]:
    return {p.name: _parameter(p) for trainer in BUILT_IN.values() for p in trainer.parameters}


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
        "additionalProperties": {"type": "array"},
        "description": key.description,
        "examples": list(key.examples),
    }
