"""The actions a plan can hold, their signs and words, and the reasons that explain them."""

from __future__ import annotations

from enum import Enum, StrEnum


class Action(Enum):
    """What happens to a name. The value is our word; sign and Terraform's words belong to it."""

    IN_DOUBT = "in_doubt"
    HELD = "held"
    RETRAIN = "retrain"
    TRAIN = "train"
    ADOPT = "adopt"
    REUSE = "reuse"
    MOVE = "move"
    UPDATE = "update"
    WAIT = "wait"
    FORGET = "forget"
    UNCHANGED = "unchanged"

    @property
    def sign(self) -> str:
        """One character in front of a row."""
        return _SIGNS[self]

    @property
    def word(self) -> str:
        """The word beside the sign."""
        return self.value.replace("_", " ")

    @property
    def terraform(self) -> tuple[str, ...]:
        """Terraform's words, so that existing policies read our plans."""
        return _TERRAFORM[self]

    @property
    def is_paid(self) -> bool:
        """Whether it sends a purchase."""
        return self in (Action.TRAIN, Action.RETRAIN)


_SIGNS = {
    Action.IN_DOUBT: "?",
    Action.HELD: "!",
    Action.RETRAIN: "±",
    Action.TRAIN: "+",
    Action.ADOPT: "<",
    Action.REUSE: "=",
    Action.MOVE: "→",
    Action.UPDATE: "~",
    Action.WAIT: "›",
    Action.FORGET: ".",
    Action.UNCHANGED: " ",
}
_TERRAFORM = {
    Action.IN_DOUBT: ("no-op",),
    Action.HELD: ("no-op",),
    Action.RETRAIN: ("forget", "create"),
    Action.TRAIN: ("create",),
    Action.ADOPT: ("no-op",),
    Action.REUSE: ("no-op",),
    Action.MOVE: ("no-op",),
    Action.UPDATE: ("update",),
    Action.WAIT: ("read",),
    Action.FORGET: ("forget",),
    Action.UNCHANGED: ("no-op",),
}

ORDER = {action: rank for rank, action in enumerate(Action)}
"""For people: bad news and money first."""


class Reason(StrEnum):
    """Why. Explains only; nothing is decided by it."""

    NEW_MODEL = "new_model"
    SPEC_CHANGED = "spec_changed"
    DATASET_CHANGED = "dataset_changed"
    GENERATION_BUMPED = "generation_bumped"
    REQUESTED = "requested"
    FAILED_RETRY = "failed_retry"
    SAME_SPEC = "same_spec"
    RENAMED = "renamed"
    PROMOTED = "promoted"
    METADATA_ONLY = "metadata_only"
    NOT_DECLARED = "not_declared"
    ADOPTED = "adopted"
    SUSPENDED = "suspended"
    PROTECTED = "protected"
    OVER_BUDGET = "over_budget"
    IN_DOUBT = "in_doubt"
    LAST_FAILED = "last_failed"
    MAX_ATTEMPTS = "max_attempts"
    LOST = "lost"
    TRAINING = "training"
    UP_TO_DATE = "up_to_date"
