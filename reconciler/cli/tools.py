"""emulator, schema, doctor, completion, version: their flags."""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli.command import declare
from reconciler.cli.flag import OneOf
from reconciler.cli.shared import json_flag, together

SCHEMAS = ("manifest", "project", "plan", "events")
SHELLS = ("bash", "zsh", "fish")
PROTOCOLS = ("g1", "g2", "both")


@declare("schema", bare=True)
@click.argument("kind", type=OneOf(*SCHEMAS), metavar="|".join(SCHEMAS))
def schema(out: Any, *, kind: str) -> int:
    """JSON Schema of manifests, the project file, plans or events."""
    from reconciler.commands import schema as command

    return command.run(out, kind=kind)


@declare("doctor", epilog="Sends nothing and shows no key. Exit 1 when something must be done.")
@together(json_flag)
def doctor(context: Any, *, json: bool) -> int:
    """Look for what is wrong with this machine or this project."""
    from reconciler.commands import doctor as command

    return command.run(context, json=json)


@declare("completion", epilog="bash: source <(reconciler completion bash)", bare=True)
@click.argument("shell", type=OneOf(*SHELLS), metavar="|".join(SHELLS))
def completion(out: Any, *, shell: str) -> int:
    """A completion script for a shell."""
    from reconciler.cli.table import words_of_commands
    from reconciler.commands import completion as command

    return command.run(out, shell=shell, words=words_of_commands())


@declare("version", bare=True)
@together(json_flag)
def version(out: Any, *, json: bool) -> int:
    """Versions of the program and what it stands on."""
    from reconciler.commands import version as command

    return command.run(out, json=json)
