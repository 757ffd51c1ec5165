"""Every key of manifests and of the project file, described once: what readers allow, what the JSON Schema and the reference say.

A shape is a name in `SHAPES`; `schema` turns it into JSON Schema. Reading and checking values is not done here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAME_PATTERN = "[a-z0-9][a-z0-9._-]{0,62}"
VARIABLE_PATTERN = "[A-Za-z_][A-Za-z0-9_]{0,62}"


@dataclass(frozen=True, slots=True)
class Key:
    """One key: a JSON Schema fragment for its value (or `of`, a table by name), what it is for, and examples."""

    schema: Mapping[str, Any]
    description: str
    examples: tuple[Any, ...] = ()
    required: bool = False


Table = Mapping[str, Key]

TEXT: Mapping[str, Any] = {"type": "string"}
COUNT: Mapping[str, Any] = {"type": "integer", "minimum": 1}
FLAG: Mapping[str, Any] = {"type": "boolean"}
MONEY: Mapping[str, Any] = {"type": ["string", "number"], "pattern": r"^\$?[0-9]+(\.[0-9]{1,6})?$"}
NAME: Mapping[str, Any] = {"type": "string", "pattern": f"^{NAME_PATTERN}$"}
SCALAR: Mapping[str, Any] = {"type": ["string", "number", "boolean"]}
VERSION: Mapping[str, Any] = {"const": 1}


def ref(table: str) -> dict[str, Any]:
    """A mapping with the keys of another table."""
    return {"$ref": f"#/definitions/{table}"}


def list_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A list."""
    return {"type": "array", "items": dict(schema)}


def map_of(schema: Mapping[str, Any], pattern: str | None = None) -> dict[str, Any]:
    """A mapping from names of the user's choice."""
    names: dict[str, Any] = {} if pattern is None else {"propertyNames": {"pattern": f"^{pattern}$"}}
    return {"type": "object", "additionalProperties": dict(schema), **names}


MANIFEST: Table = {
    "version": Key(VERSION, "Format version of this file.", (1,), required=True),
    "variables": Key(map_of(ref("variable"), VARIABLE_PATTERN), "Typed variables, used as ${var.NAME} inside strings.", ({"bucket": {"type": "string"}},)),
    "defaults": Key(ref("defaults"), "Values for every model of this file.", ({"steps": 1500},)),
    "models": Key(
        map_of(ref("model"), NAME_PATTERN), "The models that are wanted, by name.", ({"mascot-otter": {"dataset": "https://data.example.com/otter.zip"}},)
    ),
    "moved": Key(list_of(ref("moved")), "Changes of name that take history and protection along.", ([{"from": "otter", "to": "mascot-otter"}],)),
    "removed": Key(list_of(ref("removed")), "Retired names, with the reason.", ([{"name": "mascot-beaver", "reason": "campaign ended"}],)),
    "adopt": Key(list_of(ref("adopt")), "Jobs bought elsewhere that are taken over.", ([{"name": "old-banner", "request_id": "a1b2c3d4"}],)),
    "resolutions": Key(
        list_of(ref("resolution")),
        "Ends of doubts: what became of an attempt without an answer.",
        ([{"attempt": "at-01J9Z4", "outcome": "not_submitted", "reason": "vendor ticket 4711"}],),
    ),
}
FOLDER_DEFAULTS: Table = {name: MANIFEST[name] for name in ("version", "defaults")}

SHARED: Table = {
    "trainer": Key(TEXT, "Which trainer buys it: a built-in record or one under `trainers:` of the project file.", ("pixazo-flux2-pro",)),
    "dataset": Key(
        {"anyOf": [TEXT, ref("dataset")]},
        "What it is trained on: an https URL, a data: URL, a local path, or a mapping.",
        ("https://data.example.com/otter.zip", "./sets/otter", {"url": "https://data.example.com/otter.zip", "images": 24}),
    ),
    "generation": Key(COUNT, "Raise it to buy the same spec once more, on purpose. Default 1.", (2,)),
    "description": Key(TEXT, "What it is, for people. Free to change.", ("Otter mascot, spring campaign",)),
    "labels": Key(map_of(TEXT), "Text labels for selectors and budgets. Free to change.", ({"team": "brand"},)),
    "trigger": Key(TEXT, "The word that calls the LoRA in a prompt. Free to change.", ("ottr",)),
    "lifecycle": Key(ref("lifecycle"), "How the model may change.", ({"prevent_retrain": True},)),
    "environments": Key(list_of(TEXT), "The only environments in which it exists. Default: all.", (["dev"],)),
}
MODEL_ONLY: Table = {
    "matrix": Key(
        {"type": "object"}, "Lists of values for training parameters; one model for each combination. `exclude` leaves some out.", ({"steps": [1000, 1500]},)
    ),
    "max_combinations": Key(COUNT, "The most combinations the matrix may have. Default 1000.", (6,)),
    "winner": Key({"type": "object"}, "The combination that the plain name points to; costs nothing.", ({"steps": 1500},)),
}
MODEL: Table = {**SHARED, **MODEL_ONLY}
DATASET: Table = {
    "url": Key(TEXT, "Where the trainer fetches it: https, http to loopback, or a data: URL.", ("https://data.example.com/otter-v3.zip",)),
    "path": Key(
        TEXT,
        "A folder of images and captions, or a zip, inside the project. Without `url` it is sent itself, inside of the request: at most 7.8 MB.",
        ("datasets/otter",),
    ),
    "sha256": Key(
        {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
        "Digest of the data, a file; identifies it whatever the URL.",
        ("0f343b0931126a20f133d67c2b018a3b0a8dff3a4f0a3c4f2f0f6f7a3f1c2d4e",),
    ),
    "id": Key(TEXT, "A name of your own that identifies the data, whatever URL or digest.", ("otter-v3",)),
    "images": Key(COUNT, "How many images it holds.", (24,)),
}
LIFECYCLE: Table = {
    "prevent_retrain": Key(FLAG, "Refuse to buy this name again. Kept in the state, so it survives the removal of its block.", (True,)),
    "on_failure": Key({"enum": ["hold", "retry"]}, "After a failed job: hold (default), or buy again within max_attempts.", ("retry",)),
    "max_attempts": Key({"type": "integer", "minimum": 1, "maximum": 100}, "How often a failed spec may be bought in total. Default 1.", (2,)),
    "ignore_changes": Key(list_of(TEXT), "Fields whose change is no reason to buy.", (["dataset.url"],)),
    "on_remove": Key({"enum": ["forget", "hold"]}, "When the block is removed: forget the name (default), or hold it.", ("hold",)),
    "suspend": Key(FLAG, "Buy nothing for this name while true.", (True,)),
    "reuse": Key(FLAG, "False: never share a job with another name; the name becomes part of the spec.", (False,)),
}
VARIABLE: Table = {
    "type": Key({"enum": ["string", "integer", "number", "boolean"]}, "Type of the value. Default string.", ("string",)),
    "default": Key(SCALAR, "Value when nothing else sets it.", ("https://data.example.com",)),
    "enum": Key(list_of(SCALAR), "The only values allowed.", (["small", "large"],)),
    "minimum": Key({"type": "number"}, "Smallest number allowed.", (1,)),
    "maximum": Key({"type": "number"}, "Largest number allowed.", (10,)),
    "required": Key(FLAG, "True: it has to be set from outside.", (True,)),
    "description": Key(TEXT, "What it is for.", ("Where the datasets lie",)),
}
INSTANCE: Mapping[str, Any] = {"type": "string", "pattern": r"^([a-z0-9][a-z0-9._-]{0,62}(@[A-Za-z0-9_.=,+-]+)?|.*\$\{var\..*)$"}
MOVED: Table = {
    "from": Key(INSTANCE, "The name as it was.", ("otter",), required=True),
    "to": Key(INSTANCE, "The name as it is.", ("mascot-otter",), required=True),
}
REMOVED: Table = {
    "name": Key(INSTANCE, "The retired name.", ("mascot-beaver",), required=True),
    "reason": Key(TEXT, "Why, for the ledger.", ("campaign ended",), required=True),
}
ADOPT: Table = {
    "name": Key(INSTANCE, "The name it will have.", ("old-banner",), required=True),
    "request_id": Key(TEXT, "The id that the vendor gave.", ("a1b2c3d4-e5f6-7890-g1h2-i3j4k5l6m7n8",), required=True),
    "note": Key(TEXT, "For the ledger.", ("submitted by hand on 2026-10-02",)),
}
RESOLUTION: Table = {
    "attempt": Key(TEXT, "The attempt, as the plan prints it.", ("at-01J9Z4",), required=True),
    "outcome": Key(
        {
            "anyOf": [
                {"const": "not_submitted"},
                {"type": "object", "properties": {"request_id": TEXT}, "required": ["request_id"], "additionalProperties": False},
            ]
        },
        "not_submitted, or the id that was found.",
        ("not_submitted", {"request_id": "a1b2c3d4"}),
        required=True,
    ),
    "reason": Key(TEXT, "How that is known.", ("vendor ticket 4711 confirms that no job exists",), required=True),
}

PROJECT: Table = {
    "version": Key(VERSION, "Format version of this file.", (1,), required=True),
    "required_version": Key(TEXT, "Versions of this program that may be used.", (">=0.1,<2",)),
    "trainer": Key(TEXT, "The trainer of models that name none.", ("pixazo-flux2-pro",)),
    "prices": Key(
        list_of(ref("price")),
        "Dated list prices; an old job keeps the price it was bought at.",
        ([{"trainer": "pixazo-flux2-pro", "from": "2026-01-01", "per_run": "8.00"}],),
    ),
    "budget": Key(ref("budget"), "Limits on money. Money in doubt counts as spent.", ({"per_apply": "80.00"},)),
    "guards": Key(ref("guards"), "Limits on what one apply may do.", ({"max_trains": 10},)),
    "state": Key(ref("state"), "Where state and journal lie.", ({"path": "state/reconciler.db", "journal": "file"},)),
    "manifests": Key(list_of(TEXT), "Patterns of manifest files. Default models/**/*.yaml.", (["models/**/*.yaml"],)),
    "environments": Key(
        map_of({"anyOf": [ref("environment"), {"type": "null"}]}, NAME_PATTERN),
        "Targets with their own variables and bindings.",
        ({"prod": {"protected": True}},),
    ),
    "variables": Key(map_of(ref("variable"), VARIABLE_PATTERN), "Typed variables for all manifests.", ({"bucket": {"type": "string"}},)),
    "defaults": Key(ref("defaults"), "Values for every model of the project.", ({"steps": 1500},)),
    "trainers": Key(
        map_of(ref("trainer"), NAME_PATTERN), "More trainers of the vendor's family.", ({"studio-edit": {"api": "flux-2-pro-image-to-image-trainer-831"}},)
    ),
    "polling": Key(ref("polling"), "How often the API is asked.", ({"per_second": 5},)),
    "endpoint": Key(TEXT, "Origin of the API when it is not the vendor's: https, or http to loopback.", ("https://gateway.pixazo.ai",)),
}
PRICE: Table = {
    "trainer": Key(TEXT, "The trainer it is for. Default: the project's.", ("pixazo-flux2-pro",)),
    "from": Key({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}, "The first day it holds.", ("2026-01-01",), required=True),
    "per_run": Key(MONEY, "USD for a run.", ("8.00",)),
    "per_step": Key(MONEY, "USD for a training step.", ("0.008",)),
    "minimum": Key(MONEY, "With per_step: the least a run costs, USD.", ("8.00",)),
    "currency": Key({"const": "USD"}, "USD.", ("USD",)),
}
BUDGET: Table = {
    "per_apply": Key(MONEY, "The most one apply may buy, USD.", ("80.00",)),
    "per_month": Key({"anyOf": [MONEY, ref("month")]}, "The most a calendar month may cost, USD.", ({"limit": "400.00", "warn_at": "80%"},)),
    "by_label": Key(map_of(map_of(MONEY)), "Limits a month by label and value, USD.", ({"team": {"brand": "200.00"}},)),
}
MONTH: Table = {
    "limit": Key(MONEY, "USD.", ("400.00",), required=True),
    "warn_at": Key({"type": ["string", "number"], "pattern": "^[0-9]+(\\.[0-9]+)?%$"}, "Share of the limit from which it warns.", ("80%",)),
    "timezone": Key(TEXT, "IANA name; says when a month begins. Default UTC.", ("UTC", "Europe/Berlin")),
}
GUARDS: Table = {
    "max_trains": Key({"type": "integer", "minimum": 0}, "The most purchases of one apply.", (10,)),
    "max_retrain_percent": Key(
        {"type": "number", "minimum": 0, "maximum": 100}, "The largest share of existing models bought again in one apply; from 10 models up.", (30,)
    ),
    "stop_after_failures": Key(COUNT, "After so many failed submits an apply stops buying.", (2,)),
    "confirm_over": Key(MONEY, "Above this the prompt wants the amount typed, USD.", ("50.00",)),
    "require_dataset_digest": Key({"enum": ["off", "warn", "error"]}, "What to do about datasets without sha256. Default off.", ("warn",)),
}
STATE: Table = {
    "path": Key(TEXT, "The state file, inside the project.", ("state/reconciler.db",)),
    "journal": Key(
        {"type": "string", "pattern": "^(file|git:.+)$"}, "file, or git:BRANCH for runners that are thrown away.", ("file", "git:reconciler-journal")
    ),
    "lineage": Key(TEXT, "Which history belongs to this project; written by init.", ("0f0c7a52-8a8e-4f0e-9d0d-6f0f6d0c7a52",)),
}
ENVIRONMENT: Table = {
    "vars": Key(map_of(SCALAR, VARIABLE_PATTERN), "Values of variables in this environment.", ({"bucket": "https://data.example.com"},)),
    "protected": Key(FLAG, "True: apply asks for the environment's name.", (True,)),
}
POLLING: Table = {"per_second": Key({"type": "number", "exclusiveMinimum": 0, "maximum": 1000}, "The most polls in a second.", (5,))}
TRAINER: Table = {
    "api": Key(TEXT, "First part of the path.", ("flux-2-pro-image-to-image-trainer-831",), required=True),
    "submit_path": Key(TEXT, "Path of a submit.", ("/v1/flux-2-pro-image-to-image-trainer-request",), required=True),
    "result_path": Key(TEXT, "Path of a result request; without it only the common queue is asked.", ("/v1/flux-2-pro-image-to-image-trainer-request-result",)),
    "dataset_field": Key(TEXT, "What the dataset is called in the body. Default image_data_url.", ("image_data_url",)),
    "parameters": Key(
        map_of(ref("parameter"), VARIABLE_PATTERN),
        "The training parameters. Default: those of the built-in trainer.",
        ({"steps": {"type": "integer", "default": 1000}},),
    ),
    "seconds_per_step": Key({"type": "number", "exclusiveMinimum": 0}, "Expected training time of a step, seconds.", (1.27,)),
}
PARAMETER: Table = {
    "type": Key({"enum": ["integer", "number", "string", "boolean"]}, "Type of the value.", ("integer",), required=True),
    "default": Key(SCALAR, "Sent when a model says nothing; without it every model must say it.", (1000,)),
    "minimum": Key({"type": "number"}, "Smallest value.", (1,)),
    "maximum": Key({"type": "number"}, "Largest value.", (10000,)),
    "exclusive_minimum": Key({"type": "number"}, "The value must be larger.", (0,)),
    "exclusive_maximum": Key({"type": "number"}, "The value must be smaller.", (1,)),
    "usual": Key({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}, "Outside this range there is a warning.", ([100, 10000],)),
}
