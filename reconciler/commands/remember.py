"""`plan` remembered: what it came to, with everything it depended on. When none of that has changed, it comes to the same.

It depends on this program, the project file, the manifests and which files are manifests, the journal and the state, the
settings and flags, and the day. Each file is known by its look and its content (`cache.witness`). Only `plan` remembers;
whatever spends plans anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.cache.shelf import Shelf
from reconciler.cache.witness import same_content, untouched
from reconciler.commands.context import Context
from reconciler.commands.kept import cache_folder, name_of, settings_of
from reconciler.commands.options import PlanOptions
from reconciler.commands.remainder import Remainder, keep_names, remainder_of, rows_of
from reconciler.commands.watch import Inputs, Watch, inputs_of, validity
from reconciler.errors import StateProblem

if TYPE_CHECKING:
    from reconciler.model import Catalog
    from reconciler.plan.change import Plan
    from reconciler.project import Project

FORMAT = 2
MOST_CHANGES = 20_000


class Outcome(NamedTuple):
    """What `plan` tells: the plan, and of the state what is said beside it."""

    plan: Plan
    notes: tuple[str, ...] = ()
    world: str | None = None
    last_refresh: str | None = None


class Memory:
    """The remembered plans of one project, for one command line."""

    def __init__(self, context: Context, options: PlanOptions) -> None:
        self._context = context
        self._folder = cache_folder(context)
        self._watch = Watch(context)
        self._name = self._asked(options)
        self._glanced: Inputs | None = None
        self._remainder: Remainder | None = None
        self.told: tuple[str | None, str | None] = (None, None)
        """Of the state that the remembered plan was made from: its world, and when it was refreshed last."""

    @property
    def hashed_bytes(self) -> int:
        """How much content had to be read to know that nothing has changed."""
        return self._watch.hashed_bytes

    def recall(self) -> Outcome | None:
        """What the same came to before, if it would come to the same now."""
        payload = self._folder.get(self._name) if self._folder is not None and self._watch.project_digest is not None else None
        if payload is None:
            return None
        try:
            return self._recalled(json.loads(payload))
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError, StateProblem):
            return None

    def begin(self, project: Project) -> Remainder | None:
        """Look at everything before a plan is made from it. What of the remembered one still holds, where something does."""
        if self._remainder is None:
            listed = self._watch.list(project.manifests, project.state_path) if project.journal == "file" else None
            self._glanced = None if listed is None else self._watch.look(listed, glance=True)
        return self._remainder

    def keep(self, project: Project, catalog: Catalog, outcome: Outcome, remainder: Remainder | None = None) -> None:
        """Remember what the plan came to, unless something was touched meanwhile or it depends on more than is looked at."""
        if self._folder is None or self._glanced is None or not _is_lasting(outcome.plan, catalog):
            return
        listed = self._watch.list(project.manifests, project.state_path)
        after = None if listed is None else self._watch.look(listed, self._glanced)
        if listed is None or after is None or not untouched(self._glanced.program, after.program) or not untouched(self._glanced.files, after.files):
            return
        from reconciler.plan.memo import memo_of

        document = {
            "manifests": project.manifests,
            "state_path": project.state_path,
            "found": listed.problems,
            "program": after.program,
            "files": after.files,
            "valid": validity(outcome.plan.created_at, project),
            "plan": memo_of(outcome.plan),
            "told": [outcome.notes, outcome.world, outcome.last_refresh],
            "manifests_read": rows_of(catalog, remainder),
        }
        self._put(document)
        keep_names(self._names(), after.files, catalog.files, remainder)

    def _names(self) -> Shelf:
        assert self._folder is not None, "asked for by whoever keeps or recalled"
        return Shelf(self._folder, f"names-{self._name.removeprefix('plan-')}")

    def _recalled(self, document: dict[str, Any]) -> Outcome | None:
        now = self._context.clock.now()
        begin, end = document["valid"]
        known = inputs_of(document["program"], document["files"])
        if not begin <= now < end:
            return None
        listed = self._watch.list(tuple(document["manifests"]), document["state_path"])
        inputs = self._watch.look(listed, known) if listed is not None and listed.problems == document["found"] else None
        if listed is None or inputs is None or not same_content(known.program, inputs.program):
            return None
        self.told = (document["told"][1], document["told"][2])
        if not same_content(known.files, inputs.files):
            self._remainder, self._glanced = remainder_of(document, known.files, inputs.files, listed.manifests, self._names()), inputs
            return None
        from reconciler.plan.memo import plan_of

        notes, world, last_refresh = document["told"]
        outcome = Outcome(replace(plan_of(document["plan"]), created_at=now), tuple(notes), world, last_refresh)
        if inputs != known and inputs.is_sure:
            # a fresh checkout: next time a look is enough
            self._put(document | {"program": inputs.program, "files": inputs.files})
        return outcome

    def _put(self, document: Mapping[str, Any]) -> None:
        if self._folder is not None:
            self._folder.put(self._name, json.dumps(document, separators=(",", ":")).encode("ascii"))

    def _asked(self, options: PlanOptions) -> str:
        asked = [options.targets, options.excludes, options.selectors, options.replaces, options.compact_warnings and not options.json, options.emulate]
        return name_of("plan", [FORMAT, self._watch.project_digest, asked, *settings_of(self._context)])


def remembered(context: Context, options: PlanOptions, make: Callable[[Memory], Outcome]) -> Outcome:
    """What the plan comes to: recalled, or else made. `make` is given the memory that it may keep the outcome in."""
    memory = Memory(context, options)
    return memory.recall() or make(memory)


def _is_lasting(plan: Plan, catalog: Catalog) -> bool:
    """Whether time alone changes nothing of it, and no local dataset is behind it."""
    from reconciler.plan.action import Action

    if len(plan.changes) > MOST_CHANGES or any(change.action is Action.WAIT for change in plan.changes):
        return False
    return not any(model.dataset.is_known_by_its_files for model in catalog.models.values())
