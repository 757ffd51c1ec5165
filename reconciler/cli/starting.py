"""init, validate: their flags."""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli.command import declare
from reconciler.cli.flag import value_flag
from reconciler.cli.shared import compact_flag, json_flag, report_flag, together, variables


@declare("init", epilog="Never overwrites a file. The only command that starts a state.")
@click.argument("folder", required=False, metavar="[DIR]")
@together(value_flag("from-requests", "FILE", "Take over what a script bought: a folder of recorded requests (JSON), or a CSV."))
def init(context: Any, *, folder: str | None, from_requests: str | None) -> int:
    """Make a project: reconciler.yaml, an example manifest, an empty state."""
    from reconciler.commands import init as command

    return command.run(context, folder=folder, from_requests=from_requests)


@declare("validate", epilog="Offline; needs no key and no state.")
@together(json_flag, report_flag, compact_flag, variables)
def validate(context: Any, *, json: bool, report: Any, compact_warnings: bool) -> int:
    """Read everything and report every problem at once."""
    from reconciler.commands import validate as command

    return command.run(context, json=json, reports=report, compact_warnings=compact_warnings)
