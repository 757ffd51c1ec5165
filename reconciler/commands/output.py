"""`output`: what consumers need of models that have trained well."""

from __future__ import annotations

from reconciler.commands.artifacts import local_files
from reconciler.commands.context import Context, environment_name, open_project, open_store
from reconciler.diagnostics import Diagnostic
from reconciler.errors import Invalid
from reconciler.job import Job
from reconciler.reports.output import output_document, output_env, output_raw, output_yaml
from reconciler.reports.phases import standings
from reconciler.state import State
from reconciler.text import nearest, safe


def run(context: Context, *, name: str | None, form: str) -> int:
    """Print the outputs of one model or of all. `raw` is one URL and needs a name. Raises Invalid for a model without outputs."""
    project = open_project(context)
    environment = environment_name(context, project)
    state = open_store(context, project).view()
    document = output_document(
        state, environment=environment, models=None, names=None if name is None else [name], local=local_files(context.root, _jobs(state, environment, name))
    )
    if name is not None and not document["models"]:
        raise _no_output(name, environment, state)
    match form:
        case "raw":
            if name is None:
                raise _problem("name-missing", "-format=raw prints one URL and needs a name", "reconciler output NAME -format=raw")
            if not (text := output_raw(document)):
                raise _problem("no-output", f"{safe(name)} has trained well, but without an artifact", "`reconciler status` says what is known")
        case "env":
            text = output_env(document)
        case "yaml":
            text = output_yaml(document)
        case _:
            from reconciler.reports.document import json_text

            text = json_text(document)
    context.out.write(text)
    return 0


def _jobs(state: State, environment: str, name: str | None) -> list[Job]:
    """The jobs whose files may be asked for."""
    names = [b for b in state.bindings.values() if b.environment == environment and name in (None, b.name)]
    return [state.jobs[b.job] for b in names if b.job in state.jobs]


def _no_output(name: str, environment: str, state: State) -> Invalid:
    rows = {row.name: row for row in standings(state, environment=environment, models=None)}
    if name not in rows:
        near = nearest(name, sorted(rows), most=2)
        detail = f"did you mean {' or '.join(near)}?" if near else "`reconciler status` shows all models"
        return _problem("no-such-model", f"nothing was bought for {safe(name, limit=80)!r}", detail)
    phase = rows[name].phase.replace("_", " ")
    return _problem("no-output", f"{safe(name)} is {phase} and has no output", "`reconciler status` says more; `reconciler refresh -wait` waits for it")


def _problem(code: str, summary: str, detail: str) -> Invalid:
    return Invalid([Diagnostic("error", code, summary, detail)])
