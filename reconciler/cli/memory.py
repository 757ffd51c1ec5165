"""state: its flags."""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli.command import declare
from reconciler.cli.flag import OneOf, switch
from reconciler.cli.shared import environment_flag, json_flag, lock_timeout_flag, together
from reconciler.errors import Usage

WORDS: dict[str, tuple[str, int, int]] = {
    "list": ("", 0, 0),
    "show": ("NAME", 1, 1),
    "mv": ("OLD NEW", 2, 2),
    "rm": ("NAME...", 1, 10_000),
    "verify": ("", 0, 0),
    "rebuild": ("", 0, 0),
    "merge": ("OTHER", 1, 1),
    "backup": ("[FILE]", 0, 1),
}
"""What stands behind each word: as it is written, at least and at most how many."""


@declare(
    "state",
    epilog="list; show NAME; mv OLD NEW; rm NAME...; verify: compare journal and state, whole; rebuild: a new state from the journal; "
    "merge OTHER: take over what another copy of this project bought, OTHER is its folder or its journal; backup [FILE]. A job is never deleted.",
)
@click.argument("what", type=OneOf(*WORDS), metavar="|".join(WORDS))
@click.argument("words", nargs=-1, metavar="[NAME|OTHER|FILE]...")
@together(switch("dry-run", "Say what would be done; change nothing."), json_flag, lock_timeout_flag, environment_flag)
def state(context: Any, *, what: str, words: tuple[str, ...], dry_run: bool, json: bool, lock_timeout: float | None) -> int:
    """Look at the state and repair it; nothing here costs money."""
    takes, least, most = WORDS[what]
    if not least <= len(words) <= most:
        raise Usage(f"state {what} takes {takes or 'nothing more'}", hint=f"reconciler state {what} {takes}".rstrip())
    if dry_run and what in ("list", "show", "verify"):
        raise Usage(f"state {what} never changes anything; -dry-run says nothing there")
    if what in ("list", "show", "verify"):
        return _look(context, what, words, json=json)
    common: dict[str, Any] = {"dry_run": dry_run, "json": json, "lock_timeout_seconds": lock_timeout or 0.0}
    return _change(context, what, words, common)


def _look(context: Any, what: str, words: tuple[str, ...], *, json: bool) -> int:
    from reconciler.commands import state as command

    if what == "show":
        return command.run_show(context, name=words[0], json=json)
    return command.run_list(context, json=json) if what == "list" else command.run_verify(context, json=json)


def _change(context: Any, what: str, words: tuple[str, ...], common: dict[str, Any]) -> int:
    from reconciler.commands import backup, merge
    from reconciler.commands import state as command

    match what:
        case "mv":
            return command.run_mv(context, old=words[0], new=words[1], **common)
        case "rm":
            return command.run_rm(context, names=words, **common)
        case "rebuild":
            return command.run_rebuild(context, **common)
        case "merge":
            return merge.run(context, other=words[0], **common)
        case _:
            return backup.run(context, file=words[0] if words else None, **common)
