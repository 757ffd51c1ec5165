"""A part as bytes and back, without loss: what is kept of a manifest so that it need not be read again.

The bytes are this program's own; whoever keeps them answers for their being whole. Models of one file share most of
their words, so names of fields and parameters are written once for each shape.
"""

from __future__ import annotations

import json
from typing import Any

from reconciler.diagnostics import Place
from reconciler.manifest.layers import FieldPlaces
from reconciler.manifest.part import Part
from reconciler.model import Dataset, Lifecycle, Model, Spec

FORMAT = 2
"""Part of every key: to be raised when the bytes of an older program would be read wrongly."""
_AS_USUAL = Lifecycle()


def pack(part: Part) -> bytes:
    """`part` as bytes."""
    shapes: dict[tuple[str, ...], int] = {}
    rows = [_row(model, shapes) for model in part.models]
    declared = [[name, *place] for name, place in part.declared]
    return json.dumps([list(shapes), rows, declared, sorted(part.uses)], separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def unpack(path: str, packed: bytes) -> Part:
    """The part of the manifest at `path`. Raises ValueError, TypeError, KeyError or IndexError for bytes that `pack` did not make."""
    shapes, rows, declared, uses = json.loads(packed)
    words = [tuple(shape) for shape in shapes]
    models = tuple([_model(path, row, words) for row in rows])
    return Part(models, tuple([(name, Place(file, line, column)) for name, file, line, column in declared]), frozenset(uses))


def _row(model: Model, shapes: dict[tuple[str, ...], int]) -> list[Any]:
    spec, data, fields = model.spec, model.dataset, model.fields
    assert isinstance(fields, FieldPlaces), "models of files know where their fields stand"
    names, values = tuple(name for name, _ in spec.parameters), [value for _, value in spec.parameters]
    identity = 0 if spec.dataset == data.identity else spec.dataset
    return [
        [model.name, *model.place[1:], model.labels, model.description, model.trigger],
        0 if model.lifecycle == _AS_USUAL else list(model.lifecycle),
        [spec.trainer, identity, _place_in(shapes, names), values, spec.generation, spec.salt, spec.digest],
        [data.url, data.identity, data.sha256, data.id, data.images, data.path],
        [_place_in(shapes, fields.names), list(fields.places)],
    ]


def _place_in(shapes: dict[tuple[str, ...], int], shape: tuple[str, ...]) -> int:
    return shapes.setdefault(shape, len(shapes))


def _model(path: str, row: list[Any], shapes: list[tuple[str, ...]]) -> Model:
    (name, line, column, labels, description, trigger), cycle, (trainer, identity, shape, values, generation, salt, digest), data, (names, places) = row
    dataset = Dataset(*data)
    spec = Spec(trainer, dataset.identity if identity == 0 else identity, tuple(zip(shapes[shape], values, strict=True)), generation, salt, digest)
    fields = FieldPlaces(path, shapes[names], tuple([p if type(p) is int else Place(*p) for p in places]))
    pairs = tuple([(key, value) for key, value in labels])
    return Model(name, spec, dataset, Place(path, line, column), pairs, description, trigger, _lifecycle(cycle) if cycle else _AS_USUAL, fields)


def _lifecycle(row: list[Any]) -> Lifecycle:
    found = Lifecycle(*row)
    return found._replace(ignore_changes=tuple(found.ignore_changes))
