"""`pin`: sha256 and image count of data sets into the manifests. What would buy a training again is written only on request.

A digest is part of what is trained. So before anything is written, the plans of all environments are made with and without
it; see `plan/repin`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from reconciler.commands.context import Context, local_data, open_project, open_store, planned_endpoint, project_settings
from reconciler.commands.dataset import MOST_FETCHED_BYTES, Source, at_hand, fetcher_of, sources_of
from reconciler.commands.fmt import NOT_IN_ORDER, File, replace_file
from reconciler.errors import Invalid, ReconcilerError
from reconciler.manifest.pin import Pin, pin_text
from reconciler.model import DEFAULT_ENVIRONMENT, Catalog, Model
from reconciler.plan.repin import block_of, judge
from reconciler.text import format_money, nearest, plural, redact, safe

if TYPE_CHECKING:
    from reconciler.artifacts.fetch import Fetcher
    from reconciler.plan.change import Plan
    from reconciler.project import Project
    from reconciler.state import State


class Options(NamedTuple):
    """What was asked for."""

    names: tuple[str, ...] = ()
    check: bool = False
    fetch: bool = False
    allow_retrain: tuple[str, ...] = ()
    most_bytes: int | None = None


@dataclass(slots=True)
class _Found:
    """What was learned of the data sets, by block."""

    pins: dict[str, Pin] = field(default_factory=dict)
    remote: list[str] = field(default_factory=list)
    """Not opened, and without what only a look would tell."""
    problems: list[str] = field(default_factory=list)


def run(context: Context, options: Options) -> int:
    """Write what is free; say what is not. 3 with `-check` when something is to be written, 1 when a data set could not be used. Raises Invalid."""
    project = open_project(context)
    catalogs = _catalogs(context, project)
    blocks = _blocks(catalogs, options.names)
    loopback = not project_settings(context, project).endpoint.value.startswith("https:")
    found = _looked(context, blocks, fetcher_of(context, loopback=loopback) if options.fetch else None, options.most_bytes or MOST_FETCHED_BYTES)
    store = open_store(context, project).view()
    pins, held = _affordable(context, project, catalogs, blocks, found, store, options)
    files, left = _edited(context, blocks, pins)
    for name in sorted(pins.keys() - set(left)):
        context.out.line(f"{safe(name)}: {safe(_said(pins[name]))}  {safe(blocks[name][0].place.file)}")
    unpinned = _unpinned(blocks, found, store) if options.check else []
    if not options.check:
        for file in files:
            replace_file(context.root, file)
    _tell(context, blocks, found, held, left, files, unpinned)
    if found.problems:
        return ReconcilerError.exit_code
    return NOT_IN_ORDER if options.check and (files or unpinned) else 0


def _catalogs(context: Context, project: Project) -> list[Catalog]:
    """What the manifests want in every environment: a pin holds in all of them. Raises Invalid when one cannot be read."""
    from reconciler.manifest.load import load_catalog

    variables = {name: (setting.value, setting.origin) for name, setting in context.settings.variables.items()}
    found = []
    for environment in sorted(project.environments) or [DEFAULT_ENVIRONMENT]:
        catalog, diagnostics = load_catalog(
            context.root, project, environment=environment, variables=variables, folder_digest=local_data(context), today=context.clock.now()[:10]
        )
        if catalog is None:
            raise Invalid(diagnostics, "nothing was written: what a digest would cost is known only when every environment can be read")
        found.append(catalog)
    return found


def _blocks(catalogs: Sequence[Catalog], names: Sequence[str]) -> dict[str, list[Model]]:
    """The blocks that are asked for, each with its models in all environments. Raises Invalid for a name that none has."""
    every: dict[str, list[Model]] = {}
    for catalog in catalogs:
        for name in sorted(catalog.models):
            every.setdefault(block_of(name), []).append(catalog.models[name])
    for name in names:
        if block_of(name) not in every:
            near = nearest(name, sorted(every))
            raise Invalid((), f"there is no model {safe(name, limit=80)!r}", hint=f"did you mean {', '.join(map(safe, near))}?" if near else "")
    wanted = {block_of(name) for name in names} or every.keys()
    return {name: every[name] for name in sorted(wanted)}


def _looked(context: Context, blocks: Mapping[str, list[Model]], fetcher: Fetcher | None, most_bytes: int) -> _Found:
    """Every data set of these blocks, opened once."""
    found = _Found()
    known: dict[str, Pin | str | None] = {}
    for name, models in blocks.items():
        seen: dict[str, Pin] = {}
        before = len(found.problems)
        for source in sources_of(models):
            if source.location not in known:
                known[source.location] = _pin_of(context, source, fetcher, most_bytes)
            match known[source.location]:
                case Pin() as pin:
                    seen[source.location] = pin
                case str(problem):
                    found.problems.append(f"{safe(name)}: {problem}")
        if len(found.problems) == before:
            _conclude(found, name, models, seen)
    return found


def _pin_of(context: Context, source: Source, fetcher: Fetcher | None, most_bytes: int) -> Pin | str | None:
    """What can be written of one data set; None where it was not opened, a sentence where it cannot be used."""
    from reconciler.dataset.check import count_images

    try:
        with at_hand(context, source, fetcher, most_bytes) as opened:
            if opened is None:
                return None
            images = count_images(opened[0])
            shown = safe(redact(source.location), limit=200)
            return f"{shown} is no data set that can be opened; `reconciler dataset check` says more" if images is None else Pin(opened[1], images or None)
    except ReconcilerError as error:
        return f"{safe(redact(source.location), limit=200)}: {error.message}"


def _conclude(found: _Found, name: str, models: Sequence[Model], seen: Mapping[str, Pin]) -> None:
    """One pin out of all places of a data set: where the places differ, there is none."""
    digests = {pin.sha256 for pin in seen.values() if pin.sha256 is not None}
    if len(digests) > 1:
        places = ", ".join(safe(redact(location), limit=200) for location in sorted(seen))
        found.problems.append(f"{safe(name)}: its places do not hold the same data ({places}); nothing was written for it")
        return
    if not seen:
        if any(model.dataset.sha256 is None for model in models):
            found.remote.append(name)
        return
    by_content = any(m.dataset.url[:5].lower() in ("", "data:") or m.dataset.identity.startswith("folder:") for m in models)
    sha256 = None if by_content else next(iter(digests), None)
    images = {pin.images for pin in seen.values()}
    pin = Pin(sha256, next(iter(images)) if len(images) == 1 else None)
    dataset = models[0].dataset
    missing = Pin(None if pin.sha256 == dataset.sha256 else pin.sha256, None if pin.images == dataset.images else pin.images)
    if missing != Pin():
        found.pins[name] = missing


def _affordable(
    context: Context, project: Project, catalogs: Sequence[Catalog], blocks: Mapping[str, list[Model]], found: _Found, state: State, options: Options
) -> tuple[dict[str, Pin], dict[str, str]]:
    """What may be written, and for the rest why a digest is not. An image count costs nothing ever."""
    from reconciler.plan.make import make_plan

    def plan_of(catalog: Catalog) -> Plan:
        return make_plan(
            catalog, state, prices=project.prices, policy=project.policy, now=context.clock.now(), endpoint=planned_endpoint(context, project, emulate=False)
        )

    unknown = sorted(set(options.allow_retrain) - blocks.keys())
    if unknown:
        raise Invalid((), f"-allow-retrain={safe(unknown[0], limit=80)} names no model that is pinned here")
    _, unwritable = _edited(context, blocks, found.pins)
    wanted = {name: pin.sha256 for name, pin in found.pins.items() if pin.sha256 is not None and name not in unwritable}
    verdict = judge(catalogs, state, wanted, plan_of)
    held = {}
    pins = {}
    for name, pin in found.pins.items():
        cost = verdict.costly.get(name)
        if cost is not None and name not in options.allow_retrain:
            price = f"would buy it again for {format_money(cost)}" if cost else "would make it another training than the one that was bought"
            held[name] = f"{price}; -allow-retrain={safe(name)} writes it all the same"
        kept = pin if name not in held else pin._replace(sha256=None)
        if kept != Pin():
            pins[name] = kept
    return pins, held


def _edited(context: Context, blocks: Mapping[str, list[Model]], pins: Mapping[str, Pin]) -> tuple[list[File], list[str]]:
    """The files with the pins in them, and the blocks that cannot be edited by a program."""
    from reconciler.manifest.front import read_bytes
    from reconciler.manifest.source import Problems

    by_file: dict[str, dict[str, Pin]] = {}
    for name, pin in pins.items():
        by_file.setdefault(blocks[name][0].place.file, {})[name] = pin
    files: list[File] = []
    left: list[str] = []
    for path in sorted(by_file):
        problems = Problems()
        raw = read_bytes(context.root, path, problems)
        if raw is None:
            raise Invalid(problems.found, "nothing was written")
        local = [name for name in by_file[path] if not blocks[name][0].dataset.url]
        text, unwritten = pin_text(raw.decode("utf-8"), path, by_file[path], local=local)
        left += unwritten
        file = File(path, raw, text)
        files += [] if file.is_in_order else [file]
    return files, left


def _unpinned(blocks: Mapping[str, list[Model]], found: _Found, state: State) -> list[str]:
    """Remote data sets without a digest that nobody has bought yet: those `-fetch` would pin."""
    bought = {job.spec_digest for job in state.jobs.values()} | {a.spec_digest for a in state.attempts.values() if a.is_open}
    return [name for name in found.remote if not any(model.spec.digest in bought for model in blocks[name])]


def _said(pin: Pin) -> str:
    return ", ".join([*([f"sha256 {pin.sha256}"] if pin.sha256 else []), *([plural(pin.images, "image")] if pin.images else [])])


def _tell(
    context: Context,
    blocks: Mapping[str, list[Model]],
    found: _Found,
    held: Mapping[str, str],
    left: Sequence[str],
    files: Sequence[File],
    unpinned: Sequence[str],
) -> None:
    for line in _notes(blocks, found, held, left, unpinned):
        context.err.line(line)
    if not files and not unpinned and not found.problems:
        context.err.line("Nothing to write.")


def _notes(blocks: Mapping[str, list[Model]], found: _Found, held: Mapping[str, str], left: Sequence[str], unpinned: Sequence[str]) -> Iterator[str]:
    yield from (f"Error: {problem}" for problem in found.problems)
    yield from (f"{safe(name)}: not pinned: its sha256 {why}" for name, why in sorted(held.items()))
    for name in sorted(left):
        place = blocks[name][0].fields.get("dataset", blocks[name][0].place)
        yield f"{safe(name)}: not pinned: its data set is shared or written in a way that is left to people, {safe(place)}"
    if unpinned:
        yield f"Without a digest: {', '.join(safe(name) for name in unpinned[:10])}{' and more' if len(unpinned) > 10 else ''}"
    if found.remote:
        yield f"{plural(len(found.remote), 'data set')} not opened; -fetch opens remote ones"
