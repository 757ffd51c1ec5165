"""Warnings and notes on their way out: to stderr, where they disturb no document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from reconciler.text import safe

if TYPE_CHECKING:
    from reconciler.commands.context import Context
    from reconciler.diagnostics import Diagnostic


class Noted(Protocol):
    """Something of which its reader should be told."""

    @property
    def notes(self) -> tuple[str, ...]:
        """The sentences."""
        ...


def show_problems(context: Context, diagnostics: Sequence[Diagnostic]) -> None:
    """Print diagnostics, if there are any."""
    from reconciler.commands.style import error_style
    from reconciler.reports.diagnostics_text import diagnostics_text

    if diagnostics:
        context.err.write(diagnostics_text(diagnostics, error_style(context)))


def show_notes(context: Context, state: Noted) -> None:
    """Print what a reader of the state should be told: that it was folded from the journal, that its history forked."""
    for note in state.notes:
        context.err.line(f"Note: {safe(note)}")
