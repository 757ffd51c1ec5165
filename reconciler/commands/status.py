"""`status`: how far everything is, from files alone. Asks nobody; `refresh` does."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from reconciler.commands.answers import Answer, answered
from reconciler.commands.context import Context, environment_name, load_catalog, open_project, open_store
from reconciler.diagnostics import Diagnostic
from reconciler.errors import InDoubt, Interrupted, Invalid, JobFailed
from reconciler.job import Phase
from reconciler.model import Model
from reconciler.project import Project
from reconciler.reports.phases import Standing, standings
from reconciler.state import State
from reconciler.text import nearest, plural, safe

SECONDS_BETWEEN_LOOKS = 2.0
SIGINT = 2
BAD = (str(Phase.FAILED), str(Phase.LOST), "held")


def run(context: Context, *, names: Sequence[str], json: bool) -> int:
    """Print it once. 7 with a doubt, 8 with a failed job, else 0."""
    project = open_project(context)
    return answered(context, project, lambda: _answer(context, project, names, json=json))


def _answer(context: Context, project: Project, names: Sequence[str], *, json: bool) -> Answer:
    environment = environment_name(context, project)
    state = open_store(context, project).view()
    models = _models(context, project)
    rows = standings(state, environment=environment, models=models)
    _check_names(names, [row.name for row in rows])
    if names:
        rows = [row for row in rows if row.name in names]
    now, code = context.clock.now(), _exit_code(state, rows, names)
    if json:
        from reconciler.reports.document import json_text
        from reconciler.reports.status import status_document

        return Answer(json_text(status_document(state, environment=environment, models=models, now=now, rows=rows)), code, lasts=False)
    from reconciler.commands.style import style
    from reconciler.reports.status import status_text

    is_moving = models is None or any(model.dataset.is_known_by_its_files for model in models.values())
    is_moving = is_moving or bool(state.doubts) or any(job.phase.is_pending for job in state.jobs.values())
    return Answer(status_text(state, style(context), environment=environment, models=models, now=now, rows=rows), code, lasts=not is_moving)


def run_watch(context: Context, *, names: Sequence[str]) -> int:
    """Print it whenever the state has changed, until somebody stops it. The last exit code, or 130."""
    store = open_store(context, open_project(context))
    before: State | None = None
    try:
        while context.out.is_open:
            state = store.view()
            if state != before:
                if before is not None:
                    context.out.line()
                code = run(context, names=names, json=False)
                context.out.flush()
                before = state
            context.clock.sleep(SECONDS_BETWEEN_LOOKS)
    except KeyboardInterrupt:
        return Interrupted(SIGINT).code
    return code


def status_json(context: Context) -> str:
    """The status document of all models, after something was looked up. Raises what `run` raises."""
    from reconciler.reports.document import json_text
    from reconciler.reports.status import status_document

    project = open_project(context)
    state, models = open_store(context, project).view(), _models(context, project)
    return json_text(status_document(state, environment=environment_name(context, project), models=models, now=context.clock.now()))


def _models(context: Context, project: Project) -> Mapping[str, Model] | None:
    """What is declared; None, and a sentence, where the manifests have errors: what was bought is still worth knowing."""
    try:
        return load_catalog(context, project, kept=True)[0].models
    except Invalid as error:
        problems = plural(len(error.diagnostics), "problem")
        context.err.line(f"Warning: the manifests have {problems}, so only what was bought is shown; `reconciler validate` shows them")
        return None


def _check_names(names: Sequence[str], known: Collection[str]) -> None:
    problems = []
    for name in names:
        if name not in known:
            near = nearest(name, sorted(known), most=2)
            detail = f"did you mean {' or '.join(near)}?" if near else ""
            problems.append(Diagnostic("error", "no-such-model", f"there is no model {safe(name, limit=80)!r}", detail))
    if problems:
        raise Invalid(problems)


def _exit_code(state: State, rows: Sequence[Standing], names: Sequence[str]) -> int:
    if any(row.attempt is not None for row in rows) or (state.doubts and not names):
        return InDoubt.exit_code
    return JobFailed.exit_code if any(row.phase in BAD for row in rows) else 0
