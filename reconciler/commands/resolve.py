"""`resolve`: the end of an attempt that is in doubt. An id is polled before it is believed; "nothing was submitted" is typed."""

from __future__ import annotations

from reconciler.commands.context import Context, environment_name, load_catalog, open_project, open_store
from reconciler.commands.spending import connect
from reconciler.engine.doubt import accept, ask, find_doubt, job_of_attempt, refuse_known, write_off
from reconciler.engine.origin import refuse_other_world
from reconciler.engine.purchase import job_id
from reconciler.errors import Declined, Invalid, Usage
from reconciler.job import Attempt
from reconciler.model import Model
from reconciler.ports import Writer
from reconciler.project import Project
from reconciler.text import format_money, money_text, safe


def run(context: Context, *, name: str, request_id: str | None, not_submitted: bool, reason: str, auto_approve: bool, emulate: bool = False) -> int:
    """Settle the doubt of a model (or of an attempt id), one way or the other."""
    if (request_id is None) == (not not_submitted):
        raise Usage("say what became of it", hint="either -request-id=ID or -not-submitted")
    if not reason.strip():
        raise Usage("-reason may not be empty", hint='say how you know: -reason "vendor ticket 4711"')
    project = open_project(context)
    environment = environment_name(context, project)
    with open_store(context, project).hold(context.owner, wait_seconds=0) as writer:
        attempt = find_doubt(writer.state(), environment, name)
        if request_id is not None:
            return _found(context, project, writer, attempt, request_id, reason=reason, emulate=emulate)
        _confirm(context, attempt, auto_approve=auto_approve)
        write_off(writer, context.clock, attempt, reason=reason, actor=context.provenance.actor)
    context.out.line(
        f"{safe(attempt.name)}: attempt {safe(attempt.id)} is written off as not submitted; the next apply may buy it for {format_money(attempt.price)}."
    )
    return 0


def _found(context: Context, project: Project, writer: Writer, attempt: Attempt, request_id: str, *, reason: str, emulate: bool) -> int:
    state = writer.state()
    refuse_known(state, request_id)
    emulate = emulate or attempt.world == "emulated"
    with connect(context, project, emulate=emulate, lineage=state.lineage) as connected:
        refuse_other_world(state, connected.origin.world)
        ask(connected.api, job_of_attempt(attempt, request_id))
    model = _declared(context, project, attempt)
    metadata = model.metadata if model is not None else {}
    accept(writer, context.clock, attempt, request_id, reason=reason, actor=context.provenance.actor, metadata=metadata)
    context.out.line(
        f"{safe(attempt.name)}: attempt {safe(attempt.id)} was bought as {safe(request_id)}; it is job {safe(job_id(attempt.id))}, {format_money(attempt.price)}."
    )
    return 0


def _declared(context: Context, project: Project, attempt: Attempt) -> Model | None:
    """What the manifests say of the name now; a broken manifest must not forbid the end of a doubt."""
    try:
        catalog, _ = load_catalog(context, project)
    except Invalid:
        return None
    return catalog.models.get(attempt.name)


def _confirm(context: Context, attempt: Attempt, *, auto_approve: bool) -> None:
    """If it was submitted after all, the next apply buys it twice: whoever says it was not, types what that would cost."""
    if auto_approve:
        return
    if not context.can_ask:
        raise Usage("nobody is there to confirm that nothing was submitted", hint="add -auto-approve when you are sure")
    amount = money_text(attempt.price)
    context.err.write(
        f"If {safe(attempt.name)} was submitted after all, {format_money(attempt.price)} will be paid twice. To go on, type the amount, {amount}: "
    )
    context.err.flush()
    try:
        answer = input().strip().removeprefix("$")
    except EOFError:
        answer = ""
    if answer != amount:
        raise Declined("declined; nothing was changed")
