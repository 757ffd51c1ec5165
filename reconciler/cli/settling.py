"""resolve, adopt, pause, resume, lock: their flags."""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli.command import declare
from reconciler.cli.flag import RUNNING, SPENDING, Duration, OneOf, switch, value_flag
from reconciler.cli.shared import api, json_flag, together, variables
from reconciler.errors import Usage

lock_wait_flag = value_flag("lock-timeout", "DURATION", "Wait so long for a running apply to end; default 10m.", group=RUNNING, convert=Duration())


@declare("resolve", epilog="An id is polled before it is believed. -not-submitted asks for the amount to be typed.")
@click.argument("name", metavar="NAME")
@together(
    value_flag("request-id", "ID", "The purchase exists under this id."),
    switch("not-submitted", "Nothing was bought; the money is free again."),
    value_flag("reason", "TEXT", "How this is known; kept in the ledger."),
    switch("auto-approve", "Do not ask.", group=SPENDING),
    variables,
    api,
)
def resolve(context: Any, *, name: str, request_id: str | None, not_submitted: bool, reason: str | None, auto_approve: bool, **values: Any) -> int:
    """End a doubt about a purchase."""
    from reconciler.commands import resolve as command

    if (request_id is None) is not not_submitted:
        raise Usage("resolve needs -request-id=ID or -not-submitted, one of the two", hint="reconciler resolve -help")
    if reason is None:
        raise Usage("resolve needs -reason=TEXT: how this is known, for the ledger")
    return command.run(context, name=name, request_id=request_id, not_submitted=not_submitted, reason=reason, auto_approve=auto_approve, **_used(values))


@declare("adopt", epilog="Costs nothing. The id is polled before it is believed.")
@click.argument("name", required=False, metavar="[NAME]")
@click.argument("request_id", required=False, metavar="[REQUEST_ID]")
@together(value_flag("file", "FILE", "Take many: a CSV file with name,request_id[,note]."), value_flag("note", "TEXT", "Kept in the ledger."), variables, api)
def adopt(context: Any, *, name: str | None, request_id: str | None, file: str | None, note: str | None, **values: Any) -> int:
    """Take over a job that was bought elsewhere."""
    from reconciler.commands import adopt as command

    if (file is None) is (name is None) or (name is None) is not (request_id is None):
        raise Usage("adopt takes NAME and REQUEST_ID, or -file=FILE", hint="reconciler adopt -help")
    return command.run(context, name=name, request_id=request_id, file=file, note=note or "", **_used(values))


@declare("pause", epilog="Jobs that are training go on; `reconciler resume` lifts it.")
@together(value_flag("reason", "TEXT", "Why; everybody who wants to buy is told."), lock_wait_flag)
def pause(context: Any, *, reason: str | None, lock_timeout: float | None) -> int:
    """Stop all purchases of this project, everywhere."""
    from reconciler.commands import pause as command

    if reason is None:
        raise Usage("pause needs -reason=TEXT: everybody who wants to buy is told")
    return command.run_pause(context, reason=reason, wait_seconds=command.WAIT_SECONDS if lock_timeout is None else lock_timeout)


@declare("resume")
def resume(context: Any) -> int:
    """Let purchases go on."""
    from reconciler.commands import pause as command

    return command.run_resume(context)


@declare("lock")
@click.argument("what", required=False, default="status", type=OneOf("status"), metavar="[status]")
@together(json_flag)
def lock(context: Any, *, what: str, json: bool) -> int:
    """Who works on the state right now."""
    from reconciler.commands import lock as command

    del what
    return command.run(context, json=json)


def _used(values: dict[str, Any]) -> dict[str, Any]:
    """Endpoint and variables are settings of the context by now; only the switch is left to hand on."""
    return {"emulate": True} if values.get("emulate") else {}
