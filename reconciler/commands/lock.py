"""`lock status`: who works on the state right now. Takes no lock and changes nothing."""

from __future__ import annotations

from reconciler.commands.context import Context, open_project, state_file


def run(context: Context, *, json: bool) -> int:
    """Say who holds the lock, or that nobody does."""
    from reconciler.store.lock import describe, holder, is_held

    path = state_file(context, open_project(context)).with_name("lock")
    held = is_held(path)
    owner = holder(path) if held else None
    if json:
        from reconciler.reports.document import FORMAT_VERSION, json_text

        document = {"format_version": FORMAT_VERSION, "locked": held, "holder": None if owner is None else vars_of(owner)}
        context.out.write(json_text(document))
    else:
        context.out.line(f"locked by {describe(owner)}" if held else "not locked")
    return 0


def vars_of(owner: object) -> dict[str, object]:
    """The fields of a value, by name."""
    from dataclasses import asdict, is_dataclass

    assert is_dataclass(owner)
    assert not isinstance(owner, type)
    return asdict(owner)
