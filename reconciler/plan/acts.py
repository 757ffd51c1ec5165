"""The declared acts and the changes of name: which bindings go over to another name, what is adopted, what is retired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.diagnostics import Diagnostic
from reconciler.model import Adoption, Catalog, Model, Moved, Removed
from reconciler.plan.action import Action, Reason
from reconciler.plan.change import Change
from reconciler.plan.known import Known
from reconciler.plan.metadata import metadata_to_bind
from reconciler.text import format_money, nearest, safe


@dataclass(frozen=True, slots=True)
class Acts:
    """What is declared or follows from a rename, decided before any model is looked at.

    `sources`: declared, unbound name → the undeclared, bound name whose job, history and protection it takes over.
    """

    sources: Mapping[str, str]
    adoptions: Mapping[str, Adoption]
    removed: Mapping[str, Removed]


def acts_of(catalog: Catalog, known: Known) -> Acts:
    """The acts that are still to be done: each is done once, whatever the manifest goes on to say."""
    sources = _declared_moves(catalog, known)
    _add_renames(sources, catalog.models, known)
    return Acts(sources, _open_adoptions(catalog.adoptions, known), {r.name: r for r in reversed(catalog.removed)})


def unknown_attempts(catalog: Catalog, known: Known) -> list[Diagnostic]:
    """Warnings about resolutions of attempts that this history does not have. One that was settled before is no problem: it was done."""
    attempts = known.state.attempts
    found = []
    for act in catalog.resolutions:
        if act.attempt not in attempts:
            near = nearest(act.attempt, [a.id for a in known.doubts], most=1)
            detail = f"did you mean {near[0]}?" if near else "`reconciler status` lists what is in doubt"
            found.append(
                Diagnostic("warning", "no-such-attempt", f"there is no attempt {safe(act.attempt, limit=80)}; this resolution ends nothing", detail, act.place)
            )
    return found


def adopt(act: Adoption, *, model: Model | None, source: str | None, known: Known) -> Change:
    """Take over a job that was bought elsewhere. For a declared name it is a job of the model's spec, and the name points to it."""
    binding = known.bindings.get(source or act.name)
    note = f"request …{safe(act.request_id[-8:])}, bought elsewhere"
    return Change(
        act.name,
        Action.ADOPT,
        Reason.ADOPTED,
        spec_digest=None if model is None else model.spec.digest,
        previous_job=None if binding is None else binding.job,
        previous_name=source,
        place=act.place,
        note=f"{note}: {safe(act.note)}" if act.note else note,
        model=model,
        request_id=act.request_id,
        metadata=None if model is None else metadata_to_bind(model, None if binding is None else binding.metadata),
    )


def retire(name: str, acts: Acts, known: Known) -> Change:
    """A bound name that nobody declares any more: forgotten, or held where its lifecycle asked for that."""
    binding = known.bindings[name]
    job = known.state.jobs[binding.job]
    act = acts.removed.get(name)
    if binding.on_remove == "hold" and act is None:
        note = f"no longer declared, and on_remove is hold; declare it again, or retire it: removed: [{{name: {name}, reason: …}}]"
        return Change(name, Action.HELD, Reason.NOT_DECLARED, spec_digest=job.spec_digest, job=job.id, note=note)
    still = f"; it is still {job.phase} and cannot be cancelled" if job.phase.is_pending else ""
    note = f"no longer declared; job {job.id} and its {format_money(job.price)} stay in the ledger{still}"
    if act is not None:
        note = f"{safe(act.reason)}; {note}"
    return Change(
        name,
        Action.FORGET,
        Reason.NOT_DECLARED,
        spec_digest=job.spec_digest,
        job=job.id,
        place=act.place if act else None,
        note=note,
        retirement="" if act is None else act.reason,
    )


def _declared_moves(catalog: Catalog, known: Known) -> dict[str, str]:
    """Target → source for `moved:`, followed through chains (a → b, b → c) to a name that is declared."""
    follow = {m.source: m.target for m in sorted(catalog.moved, key=_move_key, reverse=True)}
    moves: dict[str, str] = {}
    for source in sorted(follow):
        if source in catalog.models or source not in known.bindings:
            continue
        seen = {source}
        target = follow[source]
        while target not in catalog.models and target in follow and target not in seen:
            seen.add(target)
            target = follow[target]
        if target in catalog.models and target not in known.bindings:
            moves.setdefault(target, source)
    return moves


def _move_key(move: Moved) -> tuple[str, str]:
    return (move.source, move.target)


def _add_renames(sources: dict[str, str], models: Mapping[str, Model], known: Known) -> None:
    """Pair unbound declared names with undeclared bound ones that point to a job of the same spec, both by name order."""
    taken = set(sources.values())
    free: dict[str, list[str]] = {}
    for name in sorted(known.bindings.keys() - models.keys() - taken, reverse=True):
        job = known.state.jobs[known.bindings[name].job]
        free.setdefault(job.spec_digest, []).append(name)
    if not free:
        return
    for name in sorted(models.keys() - known.bindings.keys() - sources.keys()):
        if names := free.get(models[name].spec.digest):
            sources[name] = names.pop()


def _open_adoptions(adoptions: Iterable[Adoption], known: Known) -> dict[str, Adoption]:
    """By name, the first adoption whose request id is not ours yet. An id that stands twice goes to the first name."""
    if not adoptions:
        return {}
    ours = {job.request_id for job in known.state.jobs.values()}
    found: dict[str, Adoption] = {}
    for act in sorted(adoptions, key=lambda a: (a.name, a.place, a.request_id)):
        if act.request_id not in ours and act.name not in found:
            found[act.name] = act
            ours.add(act.request_id)
    return found
