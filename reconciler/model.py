"""WANTED: what the manifests declare. Values only; who reads YAML is `manifest/`.

A spec is exactly what decides a training; everything else about a model is free to change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from reconciler.canonical import digest_of
from reconciler.diagnostics import Place
from reconciler.trainer import Scalar, Trainer

DEFAULT_ENVIRONMENT = "default"
MAX_DATA_URL = 10 * 1024 * 1024
"""The longest data: URL, in characters: a request carries it whole."""
INLINE = "data:application/zip;base64,"
"""How local data begin when they are sent inside of a request."""
MOST_INLINE_BYTES = (MAX_DATA_URL - len(INLINE)) // 4 * 3
"""The largest zip that fits into such a URL."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a job is trained on: the URL that is sent, and the identity that decides whether it is the same data.

    `identity` begins with its kind: `id:`, `sha256:`, `folder:` or `url:` (the URL without signing parameters). `url` is
    empty where the data at `path` are sent themselves.
    """

    url: str
    identity: str
    sha256: str | None = None
    id: str | None = None
    images: int | None = None
    path: str | None = None
    """Where the same data lies here, relative to the project folder."""
    content: str | None = None
    """Of data that are sent themselves: what was read at `path`, as `folder:` or `sha256:` and the digest. Nothing else may be sent."""

    @property
    def where(self) -> str:
        """The URL, or else the path, for people."""
        return self.url or self.path or ""

    @property
    def is_known_by_its_files(self) -> bool:
        """Whether it depends on what lies in a folder of the project, and so changes without a manifest changing."""
        return self.path is not None and (not self.url or (self.sha256 is None and self.id is None))


@dataclass(frozen=True, slots=True)
class Spec:
    """Exactly what decides the training. `digest` is made once, at load; build one with `make_spec`."""

    trainer: str
    dataset: str
    parameters: tuple[tuple[str, Scalar], ...]
    generation: int
    salt: str | None
    digest: str

    def document(self) -> dict[str, Any]:
        """The spec as plain data: what the digest covers and what the journal keeps."""
        return spec_document(self.trainer, self.dataset, dict(self.parameters), self.generation, self.salt)


def spec_document(trainer: str, dataset: str, parameters: Mapping[str, Scalar], generation: int, salt: str | None) -> dict[str, Any]:
    """What a spec digest covers, as plain data. `name` is there only for models that refuse to share jobs."""
    document: dict[str, Any] = {"trainer": trainer, "dataset": dataset, "parameters": dict(parameters), "generation": generation}
    if salt is not None:
        document["name"] = salt
    return document


def make_spec(trainer: str, dataset: str, parameters: Mapping[str, Scalar], *, generation: int = 1, salt: str | None = None) -> Spec:
    """A Spec with its digest. `salt` is the model's name where `lifecycle.reuse` is false, else None."""
    digest = digest_of(spec_document(trainer, dataset, parameters, generation, salt))
    return Spec(trainer, dataset, tuple(sorted(parameters.items())), generation, salt, digest)


class Lifecycle(NamedTuple):
    """How a model may change. `prevent_retrain` None means: as it was; an applied true survives its removal."""

    prevent_retrain: bool | None = None
    on_failure: Literal["hold", "retry"] = "hold"
    max_attempts: int = 1
    ignore_changes: tuple[str, ...] = ()
    on_remove: Literal["forget", "hold"] = "forget"
    suspend: bool = False
    reuse: bool = True


@dataclass(frozen=True, slots=True)
class Model:
    """A LoRA that somebody wants, under a name. `fields` maps a dotted path to where its value was written."""

    name: str
    spec: Spec
    dataset: Dataset
    place: Place
    labels: tuple[tuple[str, str], ...] = ()
    description: str = ""
    trigger: str = ""
    lifecycle: Lifecycle = Lifecycle()
    fields: Mapping[str, Place] = field(default_factory=dict, compare=False)

    @property
    def metadata(self) -> dict[str, Any]:
        """What a binding remembers of the model besides its job; changing it is an update for $0.00."""
        return {
            "labels": dict(self.labels),
            "description": self.description,
            "trigger": self.trigger,
            "lifecycle": self.lifecycle._asdict() | {"ignore_changes": list(self.lifecycle.ignore_changes)},
        }


@dataclass(frozen=True, slots=True)
class Moved:
    """A declared change of name that takes history and protection along."""

    source: str
    target: str
    place: Place


@dataclass(frozen=True, slots=True)
class Removed:
    """A declared retirement, with its reason."""

    name: str
    reason: str
    place: Place


@dataclass(frozen=True, slots=True)
class Adoption:
    """A declared take-over of a job that was bought elsewhere."""

    name: str
    request_id: str
    note: str
    place: Place


@dataclass(frozen=True, slots=True)
class Resolution:
    """A declared end of a doubt: the id that was found (`request_id`), or nothing was submitted (None)."""

    attempt: str
    request_id: str | None
    reason: str
    place: Place


class Manifest(NamedTuple):
    """What one file says, in names: its models here, the blocks it declares anywhere, the variables and trainers it uses."""

    path: str
    models: tuple[str, ...]
    declared: tuple[str, ...]
    uses: frozenset[str]
    trainers: frozenset[str]
    declares: bool
    """Whether it may declare variables."""
    is_plain: bool
    """Whether it has no acts, and nothing but manifests was looked at for it."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything wanted in one environment: models by name, the declared acts, and the trainers they use."""

    models: Mapping[str, Model]
    trainers: Mapping[str, Trainer]
    environment: str = DEFAULT_ENVIRONMENT
    moved: tuple[Moved, ...] = ()
    removed: tuple[Removed, ...] = ()
    adoptions: tuple[Adoption, ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    files: Mapping[str, Manifest] = field(default_factory=dict, compare=False)
    """The manifests that were read, by path."""
