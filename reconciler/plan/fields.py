"""How two specs differ: the fields with before, after and place, and the reason in one word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model import Model
from reconciler.plan.action import Reason
from reconciler.plan.change import FieldChange
from reconciler.plan.metadata import is_ignored, place_of

_SALT = "name"
"""The key of a spec document that only models with `lifecycle.reuse: false` have."""


def spec_changes(model: Model, before: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """What differs between the spec document `before` and the model's, by path as it stands in a manifest."""
    old, new = _flat(before), _flat(model.spec.document())
    return tuple(
        FieldChange(path, old.get(path), new.get(path), place_of(model, path))
        for path in sorted(old.keys() | new.keys())
        if path not in old or path not in new or not _equal(old[path], new[path])
    )


def is_covered(changes: tuple[FieldChange, ...], model: Model) -> bool:
    """Whether every one of these fields is in the model's `lifecycle.ignore_changes`."""
    if not changes:
        return True
    ignored = tuple(path.removeprefix("parameters.") for path in model.lifecycle.ignore_changes)
    ignored += ("dataset",) if any(path.startswith("dataset.") for path in ignored) else ()
    return all(is_ignored(change.path, ignored) for change in changes)


def reason_of(changes: tuple[FieldChange, ...]) -> Reason:
    """Why a changed spec is bought, in one word."""
    match [change.path for change in changes]:
        case ["dataset"]:
            return Reason.DATASET_CHANGED
        case ["generation"]:
            return Reason.GENERATION_BUMPED
        case _:
            return Reason.SPEC_CHANGED


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    flat = {k: v for k, v in document.items() if k not in ("parameters", _SALT)}
    flat.update(document.get("parameters") or {})
    flat["lifecycle.reuse"] = document.get(_SALT) is None
    return flat


def _equal(old: Any, new: Any) -> bool:
    """Equal as the digest sees it: 1 and 1.0 and true are three values."""
    return type(old) is type(new) and old == new
