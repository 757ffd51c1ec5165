"""Rest: the models of a plan that need not be looked at, because what decided that they are as wanted has not changed.

Leaving such a model out of catalog and state changes nothing of a plan but its counts, because each model is decided by
itself: what its neighbours share with it (a job for the same spec, money that was spent, a doubt) is state and not
catalog. Who leaves models out hands over every job that has a spec of the models that stay, every doubt, and every name
that the plan is about.
"""

from __future__ import annotations

from typing import NamedTuple

from reconciler.money import Money


class Rest(NamedTuple):
    """What is left out of a catalog, and what is known of the whole state that stands behind it."""

    models: int
    """How many models, all of them as wanted."""
    trainers: frozenset[str]
    """The trainers that they use."""
    about: frozenset[str]
    """The names that the plan is about, declared or not: other bindings are those of the rest."""
    bought: Money
    """What all jobs of the month cost (USD), without doubts."""
    bought_jobs: int
