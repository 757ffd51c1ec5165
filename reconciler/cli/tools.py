"""emulator, schema, doctor, completion, version: their flags."""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli.command import declare
from reconciler.cli.flag import Factor, OneOf, Whole, value_flag
from reconciler.cli.shared import endpoint_flag, environment_flag, json_flag, together, variables

SCHEMAS = ("manifest", "project", "plan", "events", "validate", "status", "jobs", "artifacts", "datasets", "catalog", "error")
SHELLS = ("bash", "zsh", "fish")
PROTOCOLS = ("g1", "g2", "both")


@declare("emulator", epilog="Until it is stopped. The URL is the first line on stdout.")
@together(
    value_flag("port", "N", "Default 0: any free port.", convert=Whole(0, 65535)),
    value_flag("protocol", "P", "g1, g2 or both (default).", convert=OneOf(*PROTOCOLS)),
    value_flag("speed", "X", "1 is the vendor's pace; 250 ends 1000 steps in 5 s.", convert=Factor()),
    value_flag("ledger", "PATH", "Keep its books here; default: thrown away at the end."),
    value_flag("faults", "FILE", "A fault plan: what goes wrong with which request."),
)
def emulator(context: Any, *, port: int | None, protocol: str | None, speed: float | None, ledger: str | None, faults: str | None) -> int:
    """Serve the trainer API on loopback: nothing is trained, nothing is charged."""
    from reconciler.commands import emulator as command
    from reconciler.commands.context import trainers_here

    return command.run(
        port=port or 0,
        protocol=protocol or "both",
        speed=speed or 1.0,
        ledger=context.root / ledger if ledger is not None else None,
        faults=context.root / faults if faults is not None else None,
        out=context.out,
        err=context.err,
        trainers=trainers_here(context),
    )


@declare("schema")
@click.argument("kind", type=OneOf(*SCHEMAS), metavar="|".join(SCHEMAS))
def schema(context: Any, *, kind: str) -> int:
    """JSON Schema of manifests (with this project's trainers), the project file, or a document that -json prints."""
    from reconciler.commands import schema as command

    return command.run(context, kind=kind)


@declare("doctor", epilog="Sends nothing and shows no key. Exit 1 when something must be done.")
@together(json_flag, variables, endpoint_flag)
def doctor(context: Any, *, json: bool, endpoint: str | None) -> int:
    """Look for what is wrong with this machine or this project."""
    from reconciler.commands import doctor as command

    del endpoint  # it is a setting of the context by now
    return command.run(context, json=json)


@declare("completion", epilog="bash: source <(reconciler completion bash). `models` prints what the scripts offer as names.")
@click.argument("shell", type=OneOf(*SHELLS, "models"), metavar="|".join((*SHELLS, "models")))
@together(environment_flag)
def completion(context: Any, *, shell: str) -> int:
    """A completion script for a shell; it offers commands, flags and the names of models."""
    if shell == "models":
        from reconciler.commands import names

        return names.run(context)
    from reconciler.cli.table import places_of_names, words_of_commands
    from reconciler.commands import completion as command

    return command.run(context.out, shell=shell, words=words_of_commands(), names=places_of_names())


@declare("version", bare=True)
@together(json_flag)
def version(out: Any, *, json: bool) -> int:
    """Versions of the program and what it stands on."""
    from reconciler.commands import version as command

    return command.run(out, json=json)
