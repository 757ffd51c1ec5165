"""The project file as a value: where manifests, state and journal are, which trainers, prices and limits hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.diagnostics import Place
from reconciler.money import PriceBook
from reconciler.policy import Policy
from reconciler.trainer import BUILT_IN, DEFAULT_TRAINER, LIST_PRICES, Trainer

PROJECT_FILE = "reconciler.yaml"


@dataclass(frozen=True, slots=True)
class Environment:
    """A named target with its own variables and bindings over shared jobs."""

    name: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    protected: bool = False
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """`reconciler.yaml`, checked. Paths are relative to the project folder, with `/`."""

    trainer: str = DEFAULT_TRAINER
    trainers: Mapping[str, Trainer] = field(default_factory=lambda: dict(BUILT_IN))
    prices: PriceBook = field(default_factory=lambda: PriceBook(LIST_PRICES))
    policy: Policy = Policy()
    manifests: tuple[str, ...] = ("models/**/*.yaml",)
    state_path: str = "state/reconciler.db"
    journal: str = "file"
    lineage: str | None = None
    environments: Mapping[str, Environment] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    endpoint: str | None = None
    polls_per_second: float | None = None
    digest: str = field(default="", compare=False)
    """SHA-256 of the file's bytes; empty for a project that was not read from one."""
