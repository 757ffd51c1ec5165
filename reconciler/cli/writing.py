"""fmt: its flags."""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli.command import declare
from reconciler.cli.flag import OUTPUT, switch
from reconciler.cli.shared import together


@declare(
    "fmt", epilog="PATH is a file, a folder, or - for stdin to stdout. Nothing is written when one file cannot be read. Comments, quotes and anchors stay."
)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@together(
    switch("check", "Write nothing; exit 3 when something is not in order.", group=OUTPUT),
    switch("diff", "Show what changes.", group=OUTPUT),
)
def fmt(context: Any, *, paths: tuple[str, ...], check: bool, diff: bool) -> int:
    """Write manifests and the project file in canonical form."""
    from reconciler.commands import fmt as command

    return command.run(context, paths=paths, check=check, diff=diff)
