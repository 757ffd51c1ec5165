"""`lock status`: who works on the state right now. Takes no lock and changes nothing."""

from __future__ import annotations

from reconciler.commands.context import Context, open_project, state_file


def run(context: Context, *, json: bool) -> int:
    """Say who holds the lock, or that nobody does."""
    from reconciler.store.lock import holder, is_held

    path = state_file(context, open_project(context)).with_name("lock")
    held = is_held(path)
    owner = holder(path) if held else None
    if json:
        from dataclasses import asdict

        from reconciler.reports.document import FORMAT_VERSION, json_text

        context.out.write(json_text({"format_version": FORMAT_VERSION, "locked": held, "holder": None if owner is None else asdict(owner)}))
    elif held and owner is None:
        context.out.line("Held by a process that did not sign.")
    else:
        from reconciler.commands.style import style
        from reconciler.reports.holder import lock_text

        context.out.write(lock_text(owner, style(context), now=context.clock.now()))
    return 0
