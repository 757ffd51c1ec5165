"""`plan` remembered: what it came to, with everything it depended on. When none of that has changed, it comes to the same.

It depends on this program, the project file, the manifests and which files are manifests, the journal and the state, the
settings and flags, and the day. Each file is known by its look and its content (`cache.witness`). Only `plan` remembers;
whatever spends plans anew.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler import __version__
from reconciler.cache.shelf import Shelf
from reconciler.cache.witness import Look, Seen, Witness, same_content, untouched
from reconciler.canonical import canonical_json, digest_of
from reconciler.commands.context import JOURNAL_FILE, Context
from reconciler.commands.kept import PACKAGE, cache_folder, program_files
from reconciler.commands.options import PlanOptions
from reconciler.commands.remainder import Remainder, keep_names, remainder_of, rows_of
from reconciler.errors import StateProblem
from reconciler.project import PROJECT_FILE

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


class Inputs(NamedTuple):
    """Every file that a plan is made from: the program's by their path in it, the project's by their path from its folder."""

    program: dict[str, Seen]
    files: dict[str, Seen]


class Memory:
    """The remembered plans of one project, for one command line."""

    def __init__(self, context: Context, options: PlanOptions) -> None:
        self._context = context
        self._folder = cache_folder(context)
        self._began = time.time_ns()
        self._files = Witness(context.root, self._began)
        self._program = Witness(PACKAGE, self._began)
        self._project = self._files.see([PROJECT_FILE])
        self._name = f"plan-{self._key(options)}"
        self._glanced: Inputs | None = None
        self._remainder: Remainder | None = None
        self.told: tuple[str | None, str | None] = (None, None)
        """Of the state that the remembered plan was made from: its world, and when it was refreshed last."""

    @property
    def hashed_bytes(self) -> int:
        """How much content had to be read to know that nothing has changed."""
        return self._files.hashed + self._program.hashed

    def recall(self) -> Outcome | None:
        """What the same came to before, if it would come to the same now."""
        payload = self._folder.get(self._name) if self._folder is not None and self._project is not None else None
        if payload is None:
            return None
        try:
            return self._recalled(json.loads(payload))
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError, StateProblem):
            return None

    def begin(self, project: Project) -> Remainder | None:
        """Look at everything before a plan is made from it. What of the remembered one still holds, where something does."""
        if self._remainder is None:
            listed = self._list(project.manifests, project.state_path) if project.journal == "file" else None
            self._glanced = None if listed is None else self._look(listed, glance=True)
        return self._remainder

    def keep(self, project: Project, catalog: Catalog, outcome: Outcome, remainder: Remainder | None = None) -> None:
        """Remember what the plan came to, unless something was touched meanwhile or it depends on more than is looked at."""
        if self._folder is None or self._glanced is None or not _is_lasting(outcome.plan, catalog):
            return
        listed = self._list(project.manifests, project.state_path)
        after = None if listed is None else self._look(listed, self._glanced)
        if listed is None or after is None or not untouched(self._glanced.program, after.program) or not untouched(self._glanced.files, after.files):
            return
        from reconciler.plan.memo import memo_of

        document = {
            "manifests": project.manifests,
            "state_path": project.state_path,
            "found": listed.problems,
            "program": after.program,
            "files": after.files,
            "valid": _validity(outcome.plan.created_at, project),
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
        known = Inputs(_seen(document["program"]), _seen(document["files"]))
        if not begin <= now < end:
            return None
        listed = self._list(tuple(document["manifests"]), document["state_path"])
        inputs = self._look(listed, known) if listed is not None and listed.problems == document["found"] else None
        if listed is None or inputs is None or not same_content(known.program, inputs.program):
            return None
        self.told = (document["told"][1], document["told"][2])
        if not same_content(known.files, inputs.files):
            self._remainder, self._glanced = remainder_of(document, known.files, inputs.files, listed.manifests, self._names()), inputs
            return None
        from reconciler.plan.memo import plan_of

        notes, world, last_refresh = document["told"]
        outcome = Outcome(replace(plan_of(document["plan"]), created_at=now), tuple(notes), world, last_refresh)
        if inputs != known and all(seen.is_sure for seen in (*inputs.program.values(), *inputs.files.values())):
            # a fresh checkout: next time a look is enough
            self._put(document | {"program": inputs.program, "files": inputs.files})
        return outcome

    def _put(self, document: Mapping[str, Any]) -> None:
        if self._folder is not None:
            self._folder.put(self._name, json.dumps(document, separators=(",", ":")).encode("ascii"))

    def _key(self, options: PlanOptions) -> str:
        settings = self._context.settings
        asked = [options.targets, options.excludes, options.selectors, options.replaces, options.compact_warnings and not options.json, options.emulate]
        environment, endpoint, state = settings.environment, settings.endpoint, settings.state_path
        values = [environment.value, environment.origin, endpoint.value, endpoint.origin, state.value, state.origin]
        variables = {name: [setting.value, setting.origin] for name, setting in settings.variables.items()}
        project = None if self._project is None else self._project[PROJECT_FILE].digest
        return digest_of([FORMAT, __version__, sys.implementation.cache_tag, project, asked, values, variables]).removeprefix("sha256:")[:32]

    def _list(self, patterns: tuple[str, ...], state_path: str) -> _Listed | None:
        """What to look at; None where links lead to manifests, because more than files decides then."""
        from reconciler.manifest.files import DEFAULTS_FILE, find_manifests
        from reconciler.manifest.source import Problems

        root, problems = self._context.root, Problems()
        manifests = find_manifests(root, patterns, problems)
        folders: set[str] = {""}
        for path in manifests:
            folder = path.rpartition("/")[0]
            while folder not in folders:
                folders.add(folder)
                folder = folder.rpartition("/")[0]
        if any((root / folder).is_symlink() for folder in folders if folder):
            return None
        defaults = [f"{folder}/{DEFAULTS_FILE}" if folder else DEFAULTS_FILE for folder in sorted(folders)]
        state = Path(self._context.settings.with_project(endpoint=None, state_path=state_path).state_path.value)
        if any((root / folder).is_symlink() for folder in state.parents):
            return None
        books = [str(state), str(state.with_name(JOURNAL_FILE))]
        absent = [str(state.with_name(f"{state.name}-journal")), str(state.with_name("paused"))]
        found = [canonical_json([d.severity, d.code, d.summary, d.detail, d.place]) for d in problems.found]
        return _Listed(manifests, [PROJECT_FILE, *manifests, *defaults, *books], absent, found)

    def _look(self, listed: _Listed, known: Inputs | None = None, *, glance: bool = False) -> Inputs | None:
        absent = self._files.see(listed.absent)
        if absent is None or any(seen.look for seen in absent.values()):
            return None
        program = self._program.see(program_files(), known=None if known is None else known.program, glance=glance)
        files = self._files.see(listed.paths, known=None if known is None else known.files, glance=glance)
        return Inputs(program, files) if program and files else None


class _Listed(NamedTuple):
    manifests: list[str]
    paths: list[str]
    absent: list[str]
    """Files that must not be there: a pause, what a writer that died left of the state."""
    problems: list[str]


def remembered(context: Context, options: PlanOptions, make: Callable[[Memory], Outcome]) -> Outcome:
    """What the plan comes to: recalled, or else made. `make` is given the memory that it may keep the outcome in."""
    memory = Memory(context, options)
    return memory.recall() or make(memory)


def _seen(rows: Mapping[str, Iterable[Any]]) -> dict[str, Seen]:
    return {path: Seen(None if look is None else Look(*look), digest, at) for path, (look, digest, at) in rows.items()}


def _is_lasting(plan: Plan, catalog: Catalog) -> bool:
    """Whether time alone changes nothing of it, and no local dataset is behind it."""
    from reconciler.plan.action import Action

    if len(plan.changes) > MOST_CHANGES or any(change.action is Action.WAIT for change in plan.changes):
        return False
    local = [model.dataset for model in catalog.models.values() if model.dataset.path is not None]
    return all(dataset.url and (dataset.sha256 or dataset.id) for dataset in local)


def _validity(now: str, project: Project) -> tuple[str, str]:
    """From when to when (UTC, exclusive) prices and months are those of `now`."""
    from reconciler.plan.moment import month_of

    monthly = project.policy.budget.per_month
    month = month_of(now, "UTC" if monthly is None else monthly.timezone)
    return max(f"{now[:10]}T00:00:00Z", month.begin), min(f"{now[:10]}T24", month.end)
