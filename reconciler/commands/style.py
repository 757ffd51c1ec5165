"""How an output looks: found out here, from terminal, encoding and settings; what that means is `reports/style.py`."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.commands.context import Context
from reconciler.commands.streams import Output
from reconciler.reports.style import Style
from reconciler.settings import Colour


def style_of(output: Output, *, colour: Colour, environment: Mapping[str, str]) -> Style:
    """The style of one stream: colour only on a terminal that is not dumb unless it is forced, our signs only in UTF-8."""
    on_terminal = output.is_terminal and environment.get("TERM", "") != "dumb"
    return Style(width=output.width, color=colour == "always" or (colour == "auto" and on_terminal), unicode=output.is_utf8)


def style(context: Context) -> Style:
    """The style of stdout."""
    return style_of(context.out, colour=context.settings.colour.value, environment=context.environment)


def error_style(context: Context) -> Style:
    """The style of stderr."""
    return style_of(context.err, colour=context.settings.colour.value, environment=context.environment)
