"""Everything that can go wrong in the world, and how the process ends because of it.

    ReconcilerError
      Invalid          1   invalid       manifests, selectors, files: carries Diagnostics
      StateProblem     1   state         journal or state is missing, foreign, damaged
      ApiProblem       1   api           the trainer API or the way to it
      Refused          4   guard
        BudgetRefused  4   budget
        Paused         4   paused
      PlanChanged      5   plan_changed
        DataChanged    5   plan_changed  of one model; the others go on
      Locked           6   locked
      InDoubt          7   in_doubt
      JobFailed        8   job_failed
      WaitOver         9   timeout
      Declined        10   declined
      Usage           64   usage
      Interrupted  130/143 interrupted

Problems of input are Diagnostics (values); `Invalid` only carries them to the one door in `cli.py`.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from reconciler.diagnostics import Diagnostic


class ReconcilerError(Exception):
    """Something went wrong that a person can act on."""

    exit_code: ClassVar[int] = 1
    failure_reason: ClassVar[str] = "invalid"

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.hint = hint
        super().__init__(self.message)


class Invalid(ReconcilerError):
    """The input has problems; nothing was sent and nothing was bought."""

    def __init__(self, diagnostics: Sequence[Diagnostic], message: str = "", *, hint: str = "") -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(message, hint=hint)


class StateProblem(ReconcilerError):
    """The journal or the state cannot be trusted; nothing was sent. Run `reconciler doctor`."""

    failure_reason = "state"


class HeadMoved(StateProblem):
    """Somebody else appended to the journal first; read it again and decide again."""


class Unacknowledged(StateProblem):
    """It was bought, and its request id could not be written where it belongs; the message names it."""


class AlreadyOpen(StateProblem):
    """An attempt for this spec and generation is already open; a second one was not started."""


class ApiProblem(ReconcilerError):
    """The trainer API could not be used; phases are unchanged."""

    failure_reason = "api"


class Refused(ReconcilerError):
    """Refused by a guard; nothing was bought."""

    exit_code = 4
    failure_reason = "guard"


class BudgetRefused(Refused):
    """Refused by a budget; nothing was bought."""

    failure_reason = "budget"


class Paused(Refused):
    """All purchases are paused. `reconciler resume` lifts it."""

    failure_reason = "paused"


class PlanChanged(ReconcilerError):
    """The plan is not the approved one; nothing was bought. Review a new plan."""

    exit_code = 5
    failure_reason = "plan_changed"


class DataChanged(PlanChanged):
    """The data of this model are not what was planned; nothing was sent for it. Review a new plan."""


class Locked(ReconcilerError):
    """Another process works on this state; wait for it, or see `reconciler lock status`."""

    exit_code = 6
    failure_reason = "locked"


class InDoubt(ReconcilerError):
    """Something may have been bought without an answer; settle it with `reconciler resolve`."""

    exit_code = 7
    failure_reason = "in_doubt"


class JobFailed(ReconcilerError):
    """A training job failed."""

    exit_code = 8
    failure_reason = "job_failed"


class WaitOver(ReconcilerError):
    """The time to wait is over; jobs are still training. `reconciler refresh -wait` goes on."""

    exit_code = 9
    failure_reason = "timeout"


class Declined(ReconcilerError):
    """Declined at the prompt; nothing was bought."""

    exit_code = 10
    failure_reason = "declined"


class Usage(ReconcilerError):
    """The command line cannot be used as it is; see `reconciler --help`."""

    exit_code = 64
    failure_reason = "usage"


class Interrupted(ReconcilerError):
    """Stopped by a signal after a clean stop."""

    failure_reason = "interrupted"

    def __init__(self, signal_number: int, message: str = "") -> None:
        self.signal_number = signal_number
        super().__init__(message)

    @property
    def code(self) -> int:
        """128 + the signal's number, as shells count."""
        return 128 + self.signal_number


def link_or(error: OSError) -> str:
    """Why a file that is opened without following links could not be opened, in words: the system calls a link a loop."""
    if error.errno == errno.ELOOP:
        return "it is a symbolic link, which is not followed; put the file itself there"
    return error.strerror or type(error).__name__
