"""Remainder: what still holds of a remembered plan when some manifests have changed, and the plan that is made from the others.

Only manifests may have changed. Those in which all models were as wanted, and which concern no other file, need not be
read again; the plan is made from the rest of the files and from what the state knows of their names and specs
(`plan.rest`). Where that is not so for certain there is no remainder, and everything is read.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.cache.shelf import Shelf
from reconciler.cache.witness import Seen
from reconciler.canonical import digest_of

if TYPE_CHECKING:
    from reconciler.commands.context import Context
    from reconciler.commands.options import PlanOptions
    from reconciler.diagnostics import Diagnostic
    from reconciler.manifest.catalog import Only
    from reconciler.model import Catalog, Manifest
    from reconciler.plan.change import Plan
    from reconciler.plan.rest import Rest
    from reconciler.project import Project
    from reconciler.state import State

MOST_NEW_NAMES = 1000
STAMP = "stamp"
"""The key of a names shelf that says which contents its names are of; no path is called so, because manifests end in a suffix."""


class Row(NamedTuple):
    """A manifest as a memory knows it: how many models it has, the variables and trainers it names, and what it may concern."""

    models: int
    uses: list[str]
    trainers: list[str]
    declares: bool
    is_plain: bool


class Remainder(NamedTuple):
    """What need not be read (`rest`, by path), and of what must be read: the paths now, and the names that the plan is about, as they were."""

    rest: Mapping[str, Row]
    paths: frozenset[str]
    changed: frozenset[str]
    models_before: frozenset[str]
    declared_before: frozenset[str]
    names: Shelf
    cost: list[Any]
    """Of the remembered plan: the state is the same, and so is what was spent."""

    @property
    def only(self) -> Only:
        """What to read of the manifests."""
        from reconciler.manifest.catalog import Only

        return Only(self.paths, frozenset(use for row in self.rest.values() for use in row.uses))

    def left_out(self, about: frozenset[str]) -> Rest:
        """What the plan does not look at, when it is about these names."""
        from reconciler.plan.rest import Rest

        trainers = frozenset(trainer for row in self.rest.values() for trainer in row.trainers)
        return Rest(sum(row.models for row in self.rest.values()), trainers, about, Decimal(self.cost[4]), self.cost[6])

    def joins(self, catalog: Catalog) -> bool:
        """Whether what was read is nobody else's concern: no acts, no variables that changed, no name that the rest declares too."""
        if catalog.moved or catalog.removed or catalog.adoptions or catalog.resolutions:
            return False
        if any(told.declares for path, told in catalog.files.items() if path in self.changed):
            return False
        new = {name for told in catalog.files.values() for name in told.declared} - self.declared_before
        if len(new) > MOST_NEW_NAMES:
            return False
        return not new or not any(new.intersection(_names(self.names, path)[1]) for path in self.rest)


def rows_of(catalog: Catalog, remainder: Remainder | None) -> dict[str, Row]:
    """What to remember of every manifest, read now or left out."""
    read = {path: Row(len(m.models), sorted(m.uses), sorted(m.trainers), m.declares, m.is_plain) for path, m in catalog.files.items()}
    return {**(remainder.rest if remainder is not None else {}), **read}


def keep_names(shelf: Shelf, files: Mapping[str, Seen], manifests: Mapping[str, Manifest], remainder: Remainder | None) -> None:
    """Keep the names of every manifest, for whom a later plan is made in part."""
    made = {path: json.dumps([m.models, 0 if m.models == m.declared else m.declared]).encode("ascii") for path, m in manifests.items()}
    shelf.keep(made | {STAMP: _stamp(files)}, () if remainder is None else remainder.rest)


def remainder_of(
    document: Mapping[str, Any], before: Mapping[str, Seen], now: Mapping[str, Seen], manifests: Collection[str], names: Shelf
) -> Remainder | None:
    """What remains of a remembered plan; None where everything has to be read. Raises ValueError and its like for a document of another kind."""
    known = {path: Row(*row) for path, row in document["manifests_read"].items()}
    present = frozenset(manifests)
    changed = frozenset(path for path in before.keys() | now.keys() if _digest(before, path) != _digest(now, path))
    if not changed or not changed <= known.keys() | present or any(document["plan"]["request"][:4]):
        return None
    loud = _loud(document["plan"], known.keys())
    if loud is None or not all(row.is_plain for row in known.values()) or any(known[path].declares for path in changed & known.keys()):
        return None
    read = changed | loud | {path for path, row in known.items() if row.declares}
    rest = {path: row for path, row in known.items() if path not in read}
    if 2 * len(rest) < len(known) or names.get(STAMP) != _stamp(before):
        return None
    told = [_names(names, path) for path in read & known.keys()]
    models = {name for models, _ in told for name in models} | {change[0][0] for change in document["plan"]["changes"]}
    return Remainder(
        rest, read & present, changed, frozenset(models), frozenset(name for _, declared in told for name in declared), names, document["plan"]["cost"]
    )


class Made(NamedTuple):
    """A plan that was made in part, with the warnings about the manifests that were read, and what it was made from."""

    plan: Plan
    warnings: list[Diagnostic]
    catalog: Catalog
    state: State


def plan_in_part(context: Context, project: Project, options: PlanOptions, remainder: Remainder) -> Made | None:
    """The plan; None where everything has to be read. Raises StateProblem as reading the whole state does."""
    from reconciler.commands.context import load_catalog, open_store, planned_endpoint
    from reconciler.errors import Invalid
    from reconciler.plan.make import Request, make_plan
    from reconciler.store.part import Wanted

    try:
        catalog, warnings = load_catalog(context, project, only=remainder.only)
    except Invalid:
        return None  # whoever reads everything tells all problems
    if project.policy.budget.by_label or not remainder.joins(catalog):
        return None
    about = remainder.models_before | catalog.models.keys()
    store = open_store(context, project)
    part = store.part(Wanted(catalog.environment, about, {model.spec.digest for model in catalog.models.values()}))
    state = store.view() if part is None else part.state
    now, rest = context.clock.now(), remainder.left_out(about)
    endpoint = planned_endpoint(context, project, emulate=options.emulate)
    plan = make_plan(catalog, state, prices=project.prices, policy=project.policy, request=Request(), now=now, endpoint=endpoint, rest=rest)
    return Made(plan, warnings, catalog, state)


def _digest(seen: Mapping[str, Seen], path: str) -> str | None:
    return seen[path].digest if path in seen and seen[path].look is not None else None


def _loud(plan: Mapping[str, Any], manifests: Collection[str]) -> set[str] | None:
    """The manifests that the plan says anything of; None when it says something of another file."""
    places = [change[3][1] for change in plan["changes"]] + [diagnostic[4] for diagnostic in plan["diagnostics"]]
    files = {place[0] for place in places if place is not None}
    return files if files <= set(manifests) else None


def _names(shelf: Shelf, path: str) -> tuple[list[str], list[str]]:
    """The models and the blocks of a manifest."""
    models, declared = json.loads(shelf.get(path) or b"")
    return models, declared or models


def _stamp(files: Mapping[str, Seen]) -> bytes:
    """Known by the content of all files: names that were kept beside another memory are not believed."""
    return digest_of([[path, seen.digest] for path, seen in sorted(files.items())]).encode("ascii")
