"""artifacts, catalog, dataset, pin: their flags."""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli.command import declare
from reconciler.cli.flag import OUTPUT, SPENDING, OneOf, Size, list_flag, switch, value_flag
from reconciler.cli.shared import emulate_flag, endpoint_flag, environment_flag, json_flag, together, variables


@declare(
    "artifacts",
    epilog="pull saves the files of succeeded jobs below artifacts/JOB/, checks them, and goes on where it broke off; what is here is not fetched again. "
    "verify reads what is here again. NAME is a model or a job. No key is needed, and none is sent. Exit 1 when a file could not be saved, is missing or has changed.",
)
@click.argument("what", type=OneOf("pull", "verify"), metavar="pull|verify")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@together(
    value_flag("max-size", "SIZE", "Refuse larger files; default 4GiB. pull only.", convert=Size()),
    switch("json", "pull: events as JSON, one a line. verify: one document.", group=OUTPUT),
    environment_flag,
    emulate_flag,
)
def artifacts(context: Any, *, what: str, names: tuple[str, ...], max_size: int | None, json: bool, emulate: bool) -> int:
    """Download the weights of succeeded jobs, and check what is here."""
    from reconciler.commands import artifacts as command
    from reconciler.errors import Usage

    if what == "pull":
        return command.run_pull(context, names=names, json=json, emulate=emulate, most_bytes=max_size)
    if max_size is not None:
        raise Usage("-max-size goes with `artifacts pull`; verify downloads nothing")
    return command.run_verify(context, names=names, json=json)


@declare(
    "dataset",
    epilog="check opens the local data sets (`path:`, data: URLs) of the models, or of all, and tells counts, formats by content, captions, damaged images, "
    "and what makes a zip dangerous. Nothing is fetched without -fetch, and then only over https from the public network. Exit 1 when something would fail.",
)
@click.argument("what", type=OneOf("check"), metavar="check")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@together(
    switch("fetch", "Fetch remote data sets too, into a temporary file."),
    value_flag("max-size", "SIZE", "Refuse to fetch more than this; default 4GiB.", convert=Size()),
    json_flag,
    variables,
    endpoint_flag,
)
def dataset(context: Any, *, what: str, names: tuple[str, ...], fetch: bool, max_size: int | None, json: bool, endpoint: str | None) -> int:
    """Open data sets and say what would fail at the trainer."""
    from reconciler.commands import dataset as command
    from reconciler.errors import Usage

    del what, endpoint
    if max_size is not None and not fetch:
        raise Usage("-max-size goes with -fetch; nothing else is fetched")
    return command.run_check(context, names=names, json=json, fetch=fetch, most_bytes=max_size)


@declare(
    "pin",
    epilog="A digest is part of what is trained: nothing is written that would make any plan, in any environment, buy what it would not buy without it. "
    "Comments stay. Local data sets are opened, remote ones with -fetch.",
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@together(
    switch("fetch", "Fetch remote data sets too, into a temporary file."),
    value_flag("max-size", "SIZE", "Refuse to fetch more than this; default 4GiB.", convert=Size()),
    list_flag("allow-retrain", "NAME", "Write a digest although it buys this model again. Repeatable.", group=SPENDING),
    switch("check", "Write nothing; exit 3 when something is not pinned.", group=OUTPUT),
    variables,
    endpoint_flag,
)
def pin(context: Any, *, names: tuple[str, ...], fetch: bool, max_size: int | None, allow_retrain: tuple[str, ...], check: bool, endpoint: str | None) -> int:
    """Write sha256 and image count of data sets into the manifests."""
    from reconciler.commands import pin as command
    from reconciler.errors import Usage

    del endpoint
    if max_size is not None and not fetch:
        raise Usage("-max-size goes with -fetch; nothing else is fetched")
    return command.run(context, command.Options(names, check, fetch, allow_retrain, max_size))


@declare(
    "catalog",
    epilog="build writes catalog.json and index.html: one page with search, made from the manifests and the state alone, without a request to anybody. "
    "Equal inputs give equal bytes. Whoever sees the page sees the addresses of the weights.",
)
@click.argument("what", type=OneOf("build"), metavar="build")
@together(value_flag("out", "DIR", "Write into this folder; default: catalog.", group=OUTPUT), variables)
def catalog(context: Any, *, what: str, out: str | None) -> int:
    """All models as one browsable page and as data."""
    from reconciler.commands import catalog as command

    del what
    return command.run_build(context, out=out)
