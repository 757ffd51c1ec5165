"""journal: its flags."""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli.command import declare
from reconciler.cli.flag import OneOf
from reconciler.cli.shared import json_flag, lock_timeout_flag, together
from reconciler.errors import Usage


@declare(
    "journal",
    epilog="For `state.journal: git:BRANCH`. status: asks nobody; pull: take over what the branch has; push: bring what is only here to the branch, "
    "which is made when it is not there. apply and refresh fetch and push by themselves.",
)
@click.argument("what", type=OneOf("status", "pull", "push"), metavar="status|pull|push")
@together(json_flag, lock_timeout_flag)
def journal(context: Any, *, what: str, json: bool, lock_timeout: float | None) -> int:
    """The journal on a git branch."""
    from reconciler.commands import journal as command

    if what == "status":
        if lock_timeout is not None:
            raise Usage("journal status takes no lock, so there is nothing to wait for")
        return command.run_status(context, json=json)
    run = command.run_pull if what == "pull" else command.run_push
    return run(context, json=json, lock_timeout_seconds=lock_timeout or 0.0)
