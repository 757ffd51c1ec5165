"""cost, history, comment: their flags."""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli.command import declare
from reconciler.cli.flag import OUTPUT, OneOf, Whole, switch, value_flag
from reconciler.cli.shared import environment_flag, json_flag, together, variables

FORMATS = ("text", "json", "csv", "markdown")
format_flag = value_flag("format", "FORMAT", "text (default), json, csv or markdown.", group=OUTPUT, convert=OneOf(*FORMATS))


def _format(form: str | None, *, json: bool) -> str:
    from reconciler.errors import Usage

    if json and form not in (None, "json"):
        raise Usage(f"-json and -format={form} contradict each other")
    return "json" if json else form or "text"


@declare("cost", epilog="From the ledger alone: no key, no network. Money in doubt has a column of its own; a failed job was paid for.")
@together(value_flag("by", "WHAT", "month (default), model or label.KEY."), format_flag, json_flag, variables)
def cost(context: Any, *, by: str | None, format: str | None, json: bool) -> int:  # noqa: A002 - the flag's name
    """What was spent, on what, and what of it was lost, doubtful or avoided."""
    from reconciler.commands import ledger as command

    return command.run_cost(context, by=by or "month", form=_format(format, json=json))


@declare("history", epilog="From the journal alone: no key, no network.")
@click.argument("name", required=False, metavar="[NAME]")
@together(format_flag, json_flag, environment_flag)
def history(context: Any, *, name: str | None, format: str | None, json: bool) -> int:  # noqa: A002 - the flag's name
    """Every purchase, decision and end: who, when, at which commit, why, how much."""
    from reconciler.commands import ledger as command

    return command.run_history(context, name=name, form=_format(format, json=json))


@declare("comment", epilog="The token comes from GITHUB_TOKEN, GITLAB_TOKEN or CI_JOB_TOKEN. A token that may only read is told, and is no error.")
@together(
    value_flag("file", "FILE", "What `reconciler plan -report markdown=FILE` wrote; default comment.md."),
    value_flag("provider", "FORGE", "github or gitlab; default: that of the CI runner.", convert=OneOf("github", "gitlab")),
    value_flag("number", "N", "The pull or merge request; default: that of the CI run.", convert=Whole(1, 999_999_999)),
    value_flag("author", "LOGIN", "Whose comment is brought up to date; default: the token's."),
    switch("label", "Also keep one label with what is due: lora +$24."),
)
def comment(context: Any, *, file: str | None, **values: Any) -> int:
    """Post the plan as one comment on a pull request, or bring it up to date."""
    from reconciler.commands import comment as command

    return command.run(context, command.CommentOptions(file=file or "comment.md", **values))
