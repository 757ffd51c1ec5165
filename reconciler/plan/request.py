"""What was asked for on the command line, as far as it decides what a plan holds."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.money import Money


class Request(NamedTuple):
    """Selection, forced purchases and lifted limits. Names are globs; `selectors` are (label, value) and all must hold.

    `allow_forget` None means: forgetting names is free and not limited.
    """

    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    selectors: tuple[tuple[str, str], ...] = ()
    replace: tuple[str, ...] = ()
    max_cost: Money | None = None
    allow_retrain: tuple[str, ...] = ()
    allow_forget: int | None = None

    @property
    def is_selective(self) -> bool:
        """Whether it may leave models out."""
        return bool(self.targets or self.excludes or self.selectors)
