"""`pause` and `resume`: stop all purchases, also those of an apply that is running right now.

The fact stands in the journal; it needs the lock. A file beside the state speaks at once to whoever holds it. Where others
share the journal the fact alone lasts: whoever resumes elsewhere cannot remove our file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.commands.context import Context, open_journal, open_project, open_store, state_file
from reconciler.commands.infile import read_regular
from reconciler.errors import Locked, StateProblem
from reconciler.text import safe

if TYPE_CHECKING:
    from reconciler.project import Project

MOST_REASON_BYTES = 4096
WAIT_SECONDS = 600.0
"""An apply that sees the file ends its purchases within its answers in flight."""


def pause_file(context: Context, project: Project) -> Path:
    """The file whose presence stops purchases."""
    return state_file(context, project).with_name("paused")


def standing_pause(path: Path) -> str | None:
    """Why purchases are stopped right now, or None."""
    try:
        # Never through a link: a repository could point it at any file of this machine, and the reason is shown.
        reason = read_regular(path, most_bytes=MOST_REASON_BYTES, follow_links=False).decode("utf-8", "replace")[:500]
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"pause: {path.name} cannot be read ({error.strerror})"
    return f"pause: {reason.strip() or 'all purchases are paused'}"


def run_pause(context: Context, *, reason: str, wait_seconds: float = WAIT_SECONDS) -> int:
    """Stop all purchases from now on. The fact is written once the lock is free, for which it is waited so long; raises Locked after that."""
    from reconciler.fact import pause

    project = open_project(context)
    store = open_store(context, project)
    is_shared = open_journal(context, project).shared is not None
    path = pause_file(context, project)
    try:
        if is_shared:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        else:
            store.view()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(reason)
    except OSError as error:
        raise StateProblem(f"{path}: {error.strerror}; purchases are not paused") from error
    try:
        with store.hold(context.owner, wait_seconds=wait_seconds) as writer:
            writer.record([pause(context.clock.now(), reason=reason, actor=context.provenance.actor)])
            if is_shared:
                path.unlink(missing_ok=True)
    except Locked as error:
        standing = f"purchases from this folder are stopped by {path.name} already, but the journal does not say so yet"
        raise Locked(f"{error.message.removesuffix('; nothing was done')}; {standing}", hint="run it again with a longer -lock-timeout") from None
    context.out.line(f"Paused: {safe(reason)}. No purchase is made until `reconciler resume`; polling goes on.")
    return 0


def run_resume(context: Context) -> int:
    """Let purchases go on."""
    from reconciler.fact import resume

    project = open_project(context)
    with open_store(context, project).hold(context.owner, wait_seconds=WAIT_SECONDS) as writer:
        path = pause_file(context, project)
        if writer.state().pause is None and not path.exists():
            context.out.line("Nothing is paused.")
            return 0
        if writer.state().pause is not None:
            writer.record([resume(context.clock.now(), actor=context.provenance.actor)])
        path.unlink(missing_ok=True)
    context.out.line("Resumed: purchases may go on.")
    return 0
