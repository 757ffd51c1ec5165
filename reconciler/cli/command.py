"""A command: its flags as the spelling knows them, its help page at 80 columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from reconciler.cli.flag import GLOBAL, GROUPS, Flag, switch, value_flag
from reconciler.cli.spelling import Known, spell
from reconciler.errors import Usage

HELP_WIDTH = 80
GLOBALS = (
    value_flag("chdir", "DIR", "Work in this folder as if the command had been started there.", group=GLOBAL),
    switch("no-color", "Never write colour.", group=GLOBAL),
    switch("help", "Show this page.", group=GLOBAL),
    switch("version", "Show the version.", group=GLOBAL),
)


class Command(click.Command):
    """A click command that is fed canonical words only. `is_bare`: it is called with stdout alone, and so starts at once."""

    is_bare = False

    @property
    def flags(self) -> list[Flag]:
        """Its flags, the global ones last."""
        return [p for p in self.params if isinstance(p, Flag)]

    @property
    def known(self) -> dict[str, Known]:
        """Its flags as the spelling needs them."""
        return {name: flag for f in self.flags for name, flag in f.known.items()} | {"h": Known("help", "true", is_switch=True)}

    def values(self, words: Sequence[str]) -> dict[str, Any]:
        """The parameters that canonical `words` amount to. Raises Usage."""
        try:
            with self.make_context(f"reconciler {self.name}", list(words), terminal_width=HELP_WIDTH) as ctx:
                return dict(ctx.params)
        except click.UsageError as error:
            raise Usage(_sentence(error), hint=f"reconciler {self.name} -help") from None

    def page(self) -> str:
        """Its help page."""
        ctx = click.Context(self, info_name=f"reconciler {self.name}", terminal_width=HELP_WIDTH)
        formatter = click.HelpFormatter(width=HELP_WIDTH, max_width=HELP_WIDTH)
        formatter.write_usage(f"reconciler {self.name}", " ".join(self._pieces(ctx)), prefix="Usage: ")
        formatter.write_paragraph()
        formatter.write_text((self.help or "").strip())
        for group in GROUPS:
            rows = [f.get_help_record(ctx) for f in self.flags if f.group == group]
            if rows:
                with formatter.section(group or "Flags"):
                    formatter.write_dl(rows, col_max=26)
        if self.epilog:
            formatter.write_paragraph()
            formatter.write_text(self.epilog)
        return formatter.getvalue()

    def _pieces(self, ctx: click.Context) -> list[str]:
        return ["[FLAGS]", *(p.make_metavar(ctx) for p in self.params if isinstance(p, click.Argument))]


def _sentence(error: click.UsageError) -> str:
    from reconciler.text import safe

    if isinstance(error, click.MissingParameter) and error.param is not None:
        return f"{error.param.human_readable_name.upper()} is missing"
    text = error.format_message().rstrip(".")
    return safe(text[:1].lower() + text[1:], limit=300)


def declare(name: str, *, epilog: str = "", bare: bool = False) -> Callable[[Callable[..., int]], Command]:
    """Make a command of a function that is called with the Context (a bare one: with stdout) and its parameters by keyword."""

    def decorate(function: Callable[..., int]) -> Command:
        for add in reversed(GLOBALS):
            function = add(function)
        # click lists the decorators nearest to the function first; ours stand outermost, and so last, on the page.
        command = click.command(name, cls=Command, add_help_option=False, epilog=epilog)(function)
        assert isinstance(command, Command)
        command.is_bare = bare
        return command

    return decorate


def spelled(command: Command, words: Sequence[str], *, origin: str = "") -> tuple[list[str], list[str]]:
    """The flags and the other words of `words` in canonical spelling. Raises Usage."""
    return spell(words, command.known, command=command.name or "", origin=origin)
