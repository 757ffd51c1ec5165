"""`jobs list|show`: every job ever bought, bound to a name or not."""

from __future__ import annotations

from reconciler.commands.answers import Answer, answered
from reconciler.commands.context import Context, open_project, open_store
from reconciler.commands.problems import show_notes
from reconciler.commands.style import style
from reconciler.diagnostics import Diagnostic
from reconciler.errors import Invalid
from reconciler.job import Job
from reconciler.reports.document import FORMAT_VERSION, json_text
from reconciler.reports.jobs import bound_names, job_document, job_text, jobs_document, jobs_of, jobs_text
from reconciler.state import State
from reconciler.text import nearest, safe


def run_list(context: Context, *, json: bool) -> int:
    """All of them, oldest first."""
    project = open_project(context)

    def made() -> Answer:
        store = open_store(context, project)
        if json:
            return Answer(json_text(jobs_document(store.view())), 0, lasts=True)
        bought = store.ledger()
        show_notes(context, bought)
        return Answer(jobs_text(bought, style(context)), 0, lasts=not bought.notes)

    return answered(context, project, made)


def run_show(context: Context, *, job: str, json: bool) -> int:
    """One, by its own id or its request id."""
    state = open_store(context, open_project(context)).view()
    found = _find(state, job)
    bound_to = bound_names(state).get(found.id, [])
    if json:
        context.out.write(json_text({"format_version": FORMAT_VERSION, "jobs": [job_document(found, bound_to)]}))
        return 0
    show_notes(context, state)
    context.out.write(job_text(found, bound_to, style(context)))
    return 0


def _find(state: State, wanted: str) -> Job:
    if wanted in state.jobs:
        return state.jobs[wanted]
    for job in jobs_of(state):
        if job.request_id == wanted:
            return job
    near = nearest(wanted, [*state.jobs, *(j.request_id for j in state.jobs.values())], most=1)
    detail = f"did you mean {near[0]}?" if near else "`reconciler jobs list` shows all"
    raise Invalid([Diagnostic("error", "no-such-job", f"there is no job and no request {safe(wanted, limit=80)!r}", detail)])
