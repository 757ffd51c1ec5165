"""Typed variables: what is declared, which value holds in this environment, and `${var.NAME}` filled in.

A value comes from outside (`-var` and its kin, already ordered by the caller), else from the environment's `vars`, else
from the declaration's default. Nothing here reads the process environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.diagnostics import Place
from reconciler.manifest.fields import Fields, NoValue, perhaps
from reconciler.manifest.front import HIDDEN
from reconciler.manifest.keys import VARIABLE, VARIABLE_PATTERN
from reconciler.manifest.node import Map, Node, Scalar
from reconciler.manifest.scalars import Odd, Value, resolve
from reconciler.manifest.source import Problems, shown
from reconciler.manifest.tree import MAX_SCALAR

_TOKEN = re.compile(r"\$\$\{|\$\{([^}\n]*)\}?")
_REFERENCE = re.compile(rf"\$\{{var\.({VARIABLE_PATTERN})\}}")
_NAME = re.compile(VARIABLE_PATTERN)
_HIDDEN = re.compile(f"[{HIDDEN}]")
MAX_CHAIN = 64
"""How many variables may stand one behind the other, each in the value of the one before."""
TYPES = ("string", "integer", "number", "boolean")


@dataclass(frozen=True, slots=True)
class Declared:
    """One declaration. `node` is None for a variable that only environments set."""

    name: str
    type: str
    place: Place
    key: Scalar
    default: Node | None = None
    enum: tuple[object, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    required: bool = False


def read_declarations(node: Node, problems: Problems, into: dict[str, Declared]) -> None:
    """Add the declarations of one `variables:` block. A name that is there already is a problem that names both places."""
    fields = Fields(problems)
    block = fields.mapping(node, "variables")
    if block is None:
        return
    for name, (key, value) in block.entries.items():
        if not _NAME.fullmatch(name):
            fields.fault("E106", key, f"{shown(name)} cannot be a variable's name", "Names have 1 to 63 of A-Z a-z 0-9 _ and begin with a letter or _.")
        elif name in into:
            fields.fault("E216", key, f"the variable {shown(name)} is declared twice", f"The first one is at {into[name].place}.")
        elif (declared := _declaration(name, key, value, fields)) is not None:
            into[name] = declared


def _declaration(name: str, key: Scalar, node: Node, fields: Fields) -> Declared | None:
    if type(node) is Scalar and node.value is None:
        return Declared(name, "string", key.place, key)
    block = fields.table(node, f"the variable {shown(name)[1:-1]}", VARIABLE)
    if block is None:
        return None
    get = block.get
    kind = fields.choice(found, "type", TYPES) if (found := get("type")) is not None else "string"
    enum = _enum(found, fields) if (found := get("enum")) is not None else None
    required = fields.flag(found, "required") if (found := get("required")) is not None else False
    bounds = [fields.number(found, side) if (found := get(side)) is not None else None for side in ("minimum", "maximum")]
    if (found := get("description")) is not None:
        fields.text(found, "description", empty=True)
    if kind is None or required is None:
        return None
    if bounds != [None, None] and kind not in ("integer", "number"):
        fields.fault("E214", key, f"{shown(name)} has bounds but is a {kind}", "Bounds are for integer and number.")
    if None not in bounds and bounds[0] > bounds[1]:  # type: ignore[operator]
        fields.fault("E214", key, f"the bounds of {shown(name)} leave no value", "")
    default = get("default")
    if required and default is not None:
        fields.fault("E214", default, f"{shown(name)} is required and has a default", "Keep one of the two.")
    return Declared(name, kind, key.place, key, default, enum, bounds[0], bounds[1], required)


def _enum(node: Node, fields: Fields) -> tuple[object, ...] | None:
    items = fields.items(node, "enum")
    if items is None:
        return None
    values = [item.value for item in items if type(item) is Scalar and item.value is not None and not isinstance(item.value, Odd)]
    if not items or len(values) != len(items):
        fields.fault("E214", node, "`enum` must list at least one value, and plain values only")
    return tuple(values)


class Variables:
    """The variables of one run. `fill` is given to Fields."""

    def __init__(
        self,
        problems: Problems,
        declared: Mapping[str, Declared],
        *,
        environment: str,
        set_here: Map | None = None,
        given: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        self._problems = problems
        self._declared = dict(declared)
        self._environment = environment
        self._set_here = set_here.entries if set_here is not None else {}
        self._given = dict(given or {})
        self._known: dict[str, Value | NoValue] = {}
        self._open: list[str] = []
        self._from_outside: set[str] = set()
        self.outside_reads = 0
        """How often a value was asked for that does not come from files alone."""
        self.lenient = False
        """True while a model is read that does not exist in this environment: a missing value is no problem then."""

    def declare_from_environments(self, blocks: Mapping[str, Map]) -> None:
        """A variable that only `environments.*.vars` names is declared by that, with the type of its value there."""
        for block in blocks.values():
            for name, (key, node) in block.entries.items():
                if name not in self._declared and type(node) is Scalar:
                    self._declared[name] = Declared(name, _type_of(node.value), key.place, key)

    def check(self, used: set[str]) -> None:
        """Problems of variables as such: values for unknown ones, unused ones, and missing required ones."""
        unknown = used - self._declared.keys()
        for name, (_, origin) in sorted(self._given.items()):
            if name not in self._declared:
                code = "W020" if origin.startswith("RECONCILER_VAR_") else "E210"
                self._problems.add(
                    code, f"{shown(origin)[1:-1]} sets the variable {shown(name)}, which is not declared", perhaps(name, self._declared, self._problems).strip()
                )
        for name, declared in self._declared.items():
            if self._problems.is_full(declared.place.file):
                continue
            if name not in used:
                hint = perhaps(name, unknown, self._problems)
                self._problems.add(
                    "E211",
                    f"the variable {shown(name)} is never used",
                    f"{hint}Remove it, or use ${{var.{name}}}.",
                    place=declared.place,
                    source=declared.key.source,
                )
            if declared.required and name not in self._given and name not in self._set_here:
                self._missing(declared.key, name)
            elif declared.default is not None or name in self._given or name in self._set_here:
                try:
                    self.value_of(name, declared.key)
                except NoValue:
                    continue

    def fill(self, node: Scalar) -> Value:
        """`node`'s text with its variables. A text that is one reference and nothing else keeps the variable's type. Raises NoValue."""
        text = node.value
        assert isinstance(text, str), "only text holds references"
        if (whole := _REFERENCE.fullmatch(text)) is not None:
            return self.value_of(whole[1], node)
        filled = _TOKEN.sub(lambda m: self._token(m, node), text)
        if len(filled) > MAX_SCALAR and text[:5].lower() != "data:":
            self._fault("E026", node, f"the text has more than {MAX_SCALAR:,} characters once its variables are filled in")
            raise NoValue
        return filled

    def _token(self, match: re.Match[str], node: Scalar) -> str:
        if match[0] == "$${":
            return "${"
        reference = _REFERENCE.fullmatch(match[0])
        if reference is None:
            self._fault("E215", node, f"{shown(match[0])} is not a variable", "Write ${var.NAME}, or $${ for the characters themselves.")
            raise NoValue
        value = self.value_of(reference[1], node)
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)

    def value_of(self, name: str, node: Scalar) -> Value:
        """The value of a variable for `node`, which asks. Raises NoValue after its problem was added."""
        if name in self._open:
            circle = " → ".join([*self._open[self._open.index(name) :], name])
            self._fault("E213", self._declared[name].key, f"variables refer to each other in a circle: {shown(circle)[1:-1]}")
            self._known[name] = NoValue()
            raise NoValue
        if len(self._open) >= MAX_CHAIN:
            self._fault("E213", self._declared[self._open[0]].key, f"variables refer to each other more than {MAX_CHAIN} deep")
            raise NoValue
        if name not in self._declared:
            self._fault("E210", node, f"there is no variable {shown(name)}", f"{perhaps(name, self._declared, self._problems)}Declare it under `variables:`.")
            raise NoValue
        if name not in self._known:
            self._open.append(name)
            try:
                self._known[name] = self._settle(self._declared[name], node)
            except NoValue:
                if self.lenient:  # tolerated now; to be reported when a model of this environment asks
                    raise
                self._known.setdefault(name, NoValue())  # a new one: the caught one holds on to every frame below
            finally:
                self._open.pop()
        if name in self._given or name in self._from_outside:
            self._from_outside.update((name, *self._open))
            self.outside_reads += 1
        value = self._known[name]
        if isinstance(value, NoValue):
            raise NoValue
        return value

    def _settle(self, declared: Declared, asking: Scalar) -> Value:
        name = declared.name
        if name in self._given:
            text, origin = self._given[name]
            return self._checked(declared, _from_text(text, declared.type), None, shown(origin)[1:-1])
        node = self._set_here[name][1] if name in self._set_here else declared.default
        if node is None:
            self._missing(asking, name)
            raise NoValue
        if type(node) is not Scalar:
            self._fault("E214", node, f"the value of {shown(name)} must be a single value")
            raise NoValue
        value = node.value
        if isinstance(value, str) and "${" in value:
            value = self.fill(node)
        return self._checked(declared, value, node, "")

    def _missing(self, node: Node, name: str) -> None:
        if not self.lenient:
            detail = f"Set it with -var {name}=…, RECONCILER_VAR_{name}, or `environments.{self._environment}.vars`; or give it a default."
            self._fault("E212", node, f"the variable {shown(name)} has no value in the environment {shown(self._environment)}", detail)

    def _checked(self, declared: Declared, value: object, node: Node | None, origin: str) -> Value:
        wrong = _misfit(declared, value)
        if wrong is None:
            return value  # type: ignore[return-value]
        summary = f"{origin + ' sets ' if origin else ''}{shown(declared.name)} to {shown(value.text if isinstance(value, Odd) else value)}: {wrong}"
        if node is None:
            self._problems.add("E214", summary, f"Declared at {declared.place}.")
        else:
            self._fault("E214", node, summary)
        raise NoValue

    def _fault(self, code: str, node: Node, summary: str, detail: str = "") -> None:
        self._problems.add(code, summary, detail, place=node.place, source=node.source)


def used_in(text: str) -> set[str]:
    """The variables that a file refers to anywhere."""
    return set(_REFERENCE.findall(text)) if "${var." in text else set()


def _type_of(value: Value) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    return "number" if isinstance(value, float) else "string"


def _from_text(text: str, kind: str) -> Value:
    """A value given as text, read as its declared type; what does not read stays text and will not fit."""
    return text if kind == "string" else resolve(text.strip())


def _misfit(declared: Declared, value: object) -> str | None:
    """Why a value does not fit its declaration, or None."""
    kind = declared.type
    if isinstance(value, str) and _HIDDEN.search(value):
        return "it holds a control or invisible character"
    right = {
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": (isinstance(value, int) or (isinstance(value, float) and value.is_integer())) and not isinstance(value, bool),
        "number": isinstance(value, (int, float)) and not isinstance(value, bool),
    }[kind]
    if not right:
        return f"it must be {'an' if kind == 'integer' else 'a'} {kind}"
    if declared.enum is not None and value not in declared.enum:
        return "allowed are " + ", ".join(shown(v)[1:-1] for v in declared.enum)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if declared.minimum is not None and value < declared.minimum:
            return f"the minimum is {declared.minimum:g}"
        if declared.maximum is not None and value > declared.maximum:
            return f"the maximum is {declared.maximum:g}"
    return None
