"""status, show, output, jobs: their flags."""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli.command import declare
from reconciler.cli.flag import OUTPUT, OneOf, switch, value_flag
from reconciler.cli.shared import api, environment_flag, json_flag, together, variables

OUTPUT_FORMATS = ("json", "env", "yaml", "raw")


@declare("status", epilog="Exit 7 with a doubt, 8 with a failed job. Asks nobody; `reconciler refresh` does.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@together(json_flag, switch("watch", "Show it again whenever the state changes, until stopped.", group=OUTPUT), variables, api)
def status(context: Any, *, names: tuple[str, ...], json: bool, watch: bool, **values: Any) -> int:
    """Phases, ages, expected ends, request ids, artifacts, doubts."""
    from reconciler.commands import status as command
    from reconciler.errors import Usage

    del values
    if watch and json:
        raise Usage("-watch and -json contradict each other")
    return command.run_watch(context, names=names) if watch else command.run(context, names=names, json=json)


@declare("show")
@click.argument("plan_file", required=False, metavar="[PLANFILE]")
@together(
    value_flag("resolved", "NAME", "One model with the place of every value."),
    value_flag("matrix", "NAME", "The combinations of one sweep side by side."),
    json_flag,
    variables,
)
def show(context: Any, *, plan_file: str | None, resolved: str | None, matrix: str | None, json: bool) -> int:
    """What the state holds, or a saved plan."""
    from reconciler.commands import show as command
    from reconciler.errors import Usage

    if sum(each is not None for each in (plan_file, resolved, matrix)) > 1:
        raise Usage("show takes a plan file, -resolved=NAME or -matrix=NAME, one of them")
    if plan_file is not None:
        return command.run_plan(context, plan_file=plan_file, json=json)
    if matrix is not None:
        return command.run_matrix(context, name=matrix, json=json)
    if resolved is not None:
        from reconciler.commands import resolved as resolving

        return resolving.run(context, name=resolved, json=json)
    return command.run_state(context, json=json)


@declare("output", epilog="Only models that have trained well have outputs.")
@click.argument("name", required=False, metavar="[NAME]")
@together(value_flag("format", "FORMAT", "json (default), env, yaml or raw.", group=OUTPUT, convert=OneOf(*OUTPUT_FORMATS)), json_flag, environment_flag)
def output(context: Any, *, name: str | None, format: str | None, json: bool) -> int:  # noqa: A002 - the flag's name
    """Artifact URLs, request ids and digests for programs."""
    from reconciler.commands import output as command
    from reconciler.errors import Usage

    if json and format not in (None, "json"):
        raise Usage(f"-json and -format={format} contradict each other")
    return command.run(context, name=name, form=format or "json")


@declare("jobs")
@click.argument("what", required=False, default="list", type=OneOf("list", "show"), metavar="[list|show]")
@click.argument("job", required=False, metavar="[JOB]")
@together(json_flag)
def jobs(context: Any, *, what: str, job: str | None, json: bool) -> int:
    """Every job ever bought, bound to a name or not."""
    from reconciler.commands import jobs as command
    from reconciler.errors import Usage

    if what == "list" and job is not None:
        raise Usage("jobs list takes no job", hint="reconciler jobs show JOB")
    if what == "show" and job is None:
        raise Usage("jobs show needs a job or a request id", hint="reconciler jobs show JOB")
    return command.run_list(context, json=json) if job is None else command.run_show(context, job=job, json=json)
