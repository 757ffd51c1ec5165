"""What a binding remembers of a model besides its job, and how that differs from what is declared now: updates for $0.00."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.diagnostics import Place
from reconciler.model import Lifecycle, Model
from reconciler.plan.change import FieldChange

_DEFAULT_LIFECYCLE: dict[str, Any] = Lifecycle()._asdict() | {"ignore_changes": []}


def metadata_to_bind(model: Model, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """The metadata of `model` for its binding. A protection that was applied stays unless the manifest says false."""
    metadata = model.metadata
    if model.lifecycle.prevent_retrain is None and before is not None and _lifecycle(before)["prevent_retrain"]:
        metadata["lifecycle"]["prevent_retrain"] = True
    return metadata


def metadata_changes(model: Model, before: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """What differs from the binding's memory, by path, without `lifecycle.ignore_changes`. A missing key means its default."""
    after = metadata_to_bind(model, before)
    if after == before:
        return ()
    ignored = model.lifecycle.ignore_changes
    return tuple(FieldChange(path, old, new, place_of(model, path)) for path, old, new in sorted(_differences(before, after)) if not is_ignored(path, ignored))


def is_ignored(path: str, ignored: tuple[str, ...]) -> bool:
    """Whether `path`, or something that holds it, is in `lifecycle.ignore_changes`."""
    return any(path == i or path.startswith(f"{i}.") for i in ignored)


def place_of(model: Model, path: str) -> Place:
    """Where the value of `path` was written; else the nearest thing that holds it, something inside it, or the model."""
    inside = path
    while inside:
        if (place := model.fields.get(inside)) is not None:
            return place
        inside = inside.rpartition(".")[0]
    below = sorted(p for p in model.fields if p.startswith(f"{path}."))
    return model.fields[below[0]] if below else model.place


def _lifecycle(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return _DEFAULT_LIFECYCLE | dict(metadata.get("lifecycle") or {})


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for key in ("description", "trigger"):
        if (old := before.get(key) or "") != after[key]:
            yield key, old, after[key]
    old_labels, new_labels = before.get("labels") or {}, after["labels"]
    for key in sorted(old_labels.keys() | new_labels.keys()):
        if old_labels.get(key) != new_labels.get(key):
            yield f"labels.{key}", old_labels.get(key), new_labels.get(key)
    old_lifecycle, new_lifecycle = _lifecycle(before), after["lifecycle"]
    for key in _DEFAULT_LIFECYCLE:
        old, new = old_lifecycle[key], new_lifecycle[key]
        if key == "prevent_retrain":
            old, new = bool(old), bool(new)
        if old != new:
            yield f"lifecycle.{key}", old, new
