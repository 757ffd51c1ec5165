"""The reference of manifests and the project file as Markdown, made from the one table of keys: docs/MANIFEST.md.

What a reader of the page must know beside the keys (rules, order of merging, costs, codes) stands here as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.manifest import keys
from reconciler.manifest.codes import CODES
from reconciler.manifest.keys import Table
from reconciler.trainer import BUILT_IN, Parameter

HEAD = """\
# Reference: manifests and the project file

Made from the program's own table of keys by `python tests/growth/test_reference.py`; a test compares.
Recipes for everyday work are in [COOKBOOK.md](COOKBOOK.md). `reconciler schema manifest` and `reconciler schema project`
print the same as JSON Schema for editors; `init` writes it to `.reconciler/schema.json`.

A project is a folder with one [`reconciler.yaml`](#reconcileryaml) and any number of [manifests](#manifests). A plan is a pure function of
these files, the variables, the environment and the state: no templates, no conditionals, no network.

## Rules

1. **Names** have 1 to 63 of `a-z 0-9 . _ -` and begin with a letter or digit. Where a file lies has no meaning; a name in two files is an error that names both
   places. A key that YAML reads as something else (`null:`, `123:`, `1.10:`) needs quotes.
2. **What is trained** is the *spec*: trainer, identity of the data set, every training parameter, `generation`. Nothing else can cost money: not a comment, a
   name, a file, a label, a price, an environment, a rotated URL signature.
3. **Numbers** are canonical: `3e-5`, `0.00003` and `3.0E-05` are the same. Integers are exact: `1500.0` is one, `1500.5`, `"1,500"`, `true`, `.inf` and `1e400` are
   refused. `no` and `on` are text (YAML 1.2).
4. **Parameters that are left out** are the trainer's defaults: they are shown in the plan and always sent.
5. **A data set is the same** when its `id` is, else its `sha256`, else the content of its local folder, else its URL without signing parameters (`X-Amz-*`,
   `X-Goog-*`, `Signature`, `Expires`, `sig`, `se`, `sp`, `sv`, `st`, `token`). Other query parameters count.
   Data in the project may have no URL (`dataset: ./sets/otter`): a folder or a zip of at most 7.8 MB is then sent itself, inside of the request, and
   only if it still is what was planned. Junk of operating systems is left out; links, hidden folders and the project folder itself are refused.
6. **Variables**: `${var.NAME}` inside any text; a text that is one reference and nothing else keeps the variable's type; `$${` is a literal `${`.
   Inside `{ }` and `[ ]` a reference needs quotes. A value comes from `-var`, else the last `-var-file` that has it, else `RECONCILER_VAR_NAME`, else
   `environments.ENV.vars`, else the default. Unknown and unused variables are errors with the nearest name.
7. **Merging**, lowest first: the trainer's defaults, `defaults` of `reconciler.yaml`, `_defaults.yaml` from the outer folder to the inner, the file's `defaults`,
   the model, its matrix cell. Mappings merge deep, lists replace. `reconciler show -resolved NAME` shows where every value comes from.
8. **A matrix** names training parameters only. An instance is called `NAME@learning_rate=2e-05,steps=1000` (sorted keys, canonical numbers), so more, fewer or
   reordered values rename nothing.
9. **YAML**: anchors and `<<` are allowed, tags and directives are not. One document in a file, 10 MB a file, 64 levels; what aliases expand to is bounded.
10. **All problems** of all files are told at once: `path:line:column: error[CODE]: message`, exit code 1. Invalid input buys nothing.
"""

COSTS = """\
## What a change costs

| change | action | cost |
|---|---|---|
| new name, new spec | train | the price |
| new name, spec of an existing good or running job | reuse | $0.00 |
| same name, other spec | retrain (the old job stays usable) | the price |
| same name, a spec that was bought before (`git revert`) | reuse | $0.00 |
| renamed, same spec | move | $0.00 |
| labels, description, trigger, lifecycle | update | $0.00 |
| removed | forget (the job stays in the ledger) | $0.00 |
| last job failed | held; bought again by `generation`, `-replace` or `on_failure: retry` within `max_attempts` | $0.00 |
| attempt in doubt | in doubt; only this model is blocked | $0.00 now, the price at worst |

`reconciler plan -explain NAME` says why, since which line and commit, and how to pay nothing.
"""

_MANIFEST_TABLES: tuple[tuple[str, str, Table], ...] = (
    ("model", "`models.NAME`. Training parameters stand beside these keys: those of the model's trainer.", keys.MODEL),
    ("dataset", "`dataset` as a mapping. As text it is the URL, or a path without one.", keys.DATASET),
    ("lifecycle", "`lifecycle` of a model or of defaults.", keys.LIFECYCLE),
    ("defaults", "`defaults` of a file, of `_defaults.yaml` and of `reconciler.yaml`. Training parameters stand beside these keys.", keys.SHARED),
    ("variable", "`variables.NAME`.", keys.VARIABLE),
    ("moved", "An item of `moved`. Done once; a rename with the same spec needs none.", keys.MOVED),
    ("removed", "An item of `removed`. Done once.", keys.REMOVED),
    ("adopt", "An item of `adopt`. Done once; costs $0.00.", keys.ADOPT),
    ("resolution", "An item of `resolutions`. Done once.", keys.RESOLUTION),
)
_PROJECT_TABLES: tuple[tuple[str, str, Table], ...] = (
    ("price", "An item of `prices`.", keys.PRICE),
    ("budget", "`budget`.", keys.BUDGET),
    ("month", "`budget.per_month` as a mapping.", keys.MONTH),
    ("guards", "`guards`.", keys.GUARDS),
    ("state", "`state`.", keys.STATE),
    ("environment", "`environments.NAME`.", keys.ENVIRONMENT),
    ("polling", "`polling`.", keys.POLLING),
    ("trainer", "`trainers.NAME`.", keys.TRAINER),
    ("parameter", "`trainers.NAME.parameters.NAME`.", keys.PARAMETER),
)


def reference_text() -> str:
    """The whole page."""
    parts = [HEAD, "## Manifests\n\n`models/**/*.yaml`, or what `manifests` in `reconciler.yaml` says.\n", _table(keys.MANIFEST)]
    parts += ["A `_defaults.yaml` holds `version` and `defaults` for its folder and those below.\n"]
    parts += [_section(*row) for row in _MANIFEST_TABLES]
    parts += [_parameters(), "## reconciler.yaml\n", _table(keys.PROJECT)]
    parts += [_section(*row) for row in _PROJECT_TABLES]
    parts += [COSTS, _codes()]
    return "\n".join(parts)


def _section(name: str, text: str, table: Table) -> str:
    return f"### {name}\n\n{text}\n\n{_table(table)}"


def _table(table: Table) -> str:
    rows = [
        (f"`{name}`{' (required)' if key.required else ''}", _kind(key.schema), key.description, ", ".join(_code(example) for example in key.examples))
        for name, key in table.items()
    ]
    return _markdown(("key", "value", "meaning", "example"), rows)


def _parameters() -> str:
    rows = [(f"`{p.name}`", trainer.id, _limits(p), _code(p.default)) for trainer in BUILT_IN.values() for p in trainer.parameters]
    return f"### Training parameters\n\n{_markdown(('parameter', 'trainer', 'value', 'default'), rows)}"


def _limits(parameter: Parameter) -> str:
    schema: dict[str, Any] = {"type": parameter.type, "minimum": parameter.minimum, "maximum": parameter.maximum}
    schema |= {"exclusiveMinimum": parameter.exclusive_minimum, "exclusiveMaximum": parameter.exclusive_maximum}
    usual = "" if parameter.usual is None else f"; usually {parameter.usual[0]:g} to {parameter.usual[1]:g}"
    return _kind({key: value for key, value in schema.items() if value is not None}) + usual


def _codes() -> str:
    rows = [(f"`{code}`", meaning) for code, meaning in CODES.items()]
    return f"## Codes\n\nErrors begin with E, warnings with W. A code keeps its meaning for ever.\n\n{_markdown(('code', 'meaning'), rows)}"


def _markdown(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [titles, tuple("---" for _ in titles), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _code(value: object) -> str:
    return f"`{value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}`"


def _kind(schema: Mapping[str, Any]) -> str:
    """What a value may be, in a few words."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name})"
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "const" in schema:
        return _code(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(_code(each) for each in schema["enum"])
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return " or ".join(_NAMES[kind] for kind in kinds) + _pattern(schema)
    if kinds == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if kinds == "object":
        return _mapping(schema)
    return _NAMES[str(kinds)] + "".join(_bounds(schema)) + _pattern(schema)


_NAMES = {"string": "text", "integer": "integer", "number": "number", "boolean": "`true` or `false`", "null": "nothing"}
_SIDES = (("minimum", "≥"), ("maximum", "≤"), ("exclusiveMinimum", ">"), ("exclusiveMaximum", "<"))


def _bounds(schema: Mapping[str, Any]) -> Iterator[str]:
    found = [f"{sign} {schema[word]:,}" for word, sign in _SIDES if word in schema]
    if found:
        yield " " + " and ".join(found)


def _pattern(schema: Mapping[str, Any]) -> str:
    return f" like `{schema['pattern']}`" if "pattern" in schema else ""


def _mapping(schema: Mapping[str, Any]) -> str:
    if "properties" in schema:
        return f"mapping with {', '.join(f'`{name}`' for name in schema['properties'])}"
    inner = schema.get("additionalProperties")
    return "mapping" if inner is None else f"mapping of names to {_kind(inner)}"
