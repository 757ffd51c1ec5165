"""A flag: its canonical spelling, its place on the help page, and the values that flags take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from reconciler.cli.spelling import Known

Declared = Callable[[Callable[..., Any]], Callable[..., Any]]
SPENDING, SELECTION, INPUT, RUNNING, OUTPUT, API, GLOBAL = "Spending", "Selection", "Input", "Running", "Output", "API", "Everywhere"
GROUPS = ("", SELECTION, INPUT, API, SPENDING, RUNNING, OUTPUT, GLOBAL)
FOREVER = "forever"


class Flag(click.Option):
    """An option that always reaches click as `--name=value`; `bare` is the value that it has when none is written."""

    def __init__(self, *args: Any, group: str = "", bare: str | None = None, short: str = "", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.group = group
        self.bare = bare
        self.short = short

    @property
    def spelled(self) -> str:
        """`-name`, as people write it."""
        return self.opts[0][1:]

    @property
    def known(self) -> dict[str, Known]:
        """What the spelling must know about it, under each of its names."""
        flag = Known(self.opts[0][2:], self.bare, isinstance(self.type, click.types.BoolParamType))
        return {flag.name: flag} | ({self.short: flag} if self.short else {})

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """`-out=FILE` and its sentence."""
        del ctx
        value = self.metavar or ""
        shown = self.spelled + (f"[={value}]" if value and self.bare is not None else f" {value}" if "=" in value else f"={value}" if value else "")
        return (f"-{self.short}, {shown}" if self.short else shown), self.help or ""


def value_flag(name: str, metavar: str, text: str, *, group: str = "", convert: click.ParamType[Any] | None = None, **attributes: Any) -> Declared:
    """A flag with a value; None when it was not given."""
    return click.option(f"--{name}", cls=Flag, metavar=metavar, help=text, group=group, type=convert or click.STRING, default=None, **attributes)


def list_flag(name: str, metavar: str, text: str, *, group: str = "", convert: click.ParamType[Any] | None = None) -> Declared:
    """A flag with a value that may be repeated; a tuple."""
    return click.option(f"--{name}", cls=Flag, metavar=metavar, help=text, group=group, type=convert or click.STRING, multiple=True)


def switch(name: str, text: str, *, group: str = "", default: bool = False, metavar: str | None = None) -> Declared:
    """A flag that is true when it is written bare; `-name=false` takes it back."""
    return click.option(f"--{name}", cls=Flag, metavar=metavar, help=text, group=group, type=click.BOOL, default=default, bare="true", is_flag=False)


def _origin(param: click.Parameter | None) -> str:
    return param.spelled if isinstance(param, Flag) else "the argument"


class Whole(click.ParamType[int]):
    """A whole number between two bounds."""

    name = "number"

    def __init__(self, minimum: int, maximum: int) -> None:
        self.minimum, self.maximum = minimum, maximum

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number. Raises Usage."""
        from reconciler.errors import Usage
        from reconciler.text import safe

        del ctx
        text = str(value)
        if not (text.isascii() and text.isdigit() and len(text) < 10 and self.minimum <= int(text) <= self.maximum):
            raise Usage(f"{_origin(param)}={safe(text, limit=80)}: not a whole number from {self.minimum} to {self.maximum}")
        return int(text)


class Factor(click.ParamType[float]):
    """A number above 0."""

    name = "factor"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number. Raises Usage."""
        from reconciler.errors import Usage
        from reconciler.text import safe

        del ctx
        try:
            number = float(str(value))
        except ValueError:
            number = 0.0
        if not 0 < number < float("inf"):
            raise Usage(f"{_origin(param)}={safe(value, limit=80)}: not a number above 0")
        return number


class Duration(click.ParamType[float]):
    """Seconds, written `90`, `90s`, `40m`, `2h`; infinity for the bare flag."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds. Raises Usage."""
        from reconciler.settings import parse_duration

        del ctx
        return float("inf") if value == FOREVER else parse_duration(str(value), origin=_origin(param))


class Amount(click.ParamType[str]):
    """USD."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The amount as it was written, checked. Raises Usage."""
        from reconciler.settings import parse_amount

        del ctx
        parse_amount(str(value), origin=_origin(param))
        return str(value)


class Size(click.ParamType[int]):
    """Bytes, written `800MB`, `4GiB`, `500000`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The bytes. Raises Usage."""
        import re

        from reconciler.errors import Usage
        from reconciler.text import safe

        del ctx
        match = re.fullmatch(r"([0-9]{1,15})\s*(B|[kMGT]B|[KMGT]iB)?", str(value))
        number = int(match[1]) * _UNITS[match[2] or "B"] if match is not None else 0
        if not 0 < number < 2**60:
            raise Usage(f"{_origin(param)}={safe(value, limit=80)}: not a size like 800MB or 4GiB")
        return number


_UNITS = {"B": 1} | {f"{sign}B": 1000**n for n, sign in enumerate("kMGT", 1)} | {f"{sign}iB": 1024**n for n, sign in enumerate("KMGT", 1)}


class Pair(click.ParamType[tuple[str, str]]):
    """`KEY=VALUE`; neither side is empty. `alone`: keys that may stand without a value, and the value they then have."""

    name = "pair"

    def __init__(self, alone: Mapping[str, str] | None = None) -> None:
        self.alone = alone or {}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Key and value. Raises Usage."""
        from reconciler.errors import Usage
        from reconciler.text import safe

        del ctx
        key, sign, rest = str(value).partition("=")
        if not sign:
            rest = self.alone.get(key, "")
        if not key or not rest:
            shape = param.metavar if isinstance(param, Flag) else "KEY=VALUE"
            raise Usage(f"{_origin(param)} {safe(value, limit=80)}: it has the form {shape}")
        return key, rest


class OneOf(click.ParamType[str]):
    """One of a few words."""

    name = "word"

    def __init__(self, *words: str) -> None:
        self.words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word. Raises Usage with the nearest."""
        from reconciler.cli.spelling import near_names
        from reconciler.errors import Usage
        from reconciler.text import safe

        del ctx
        if value in self.words:
            return str(value)
        near = near_names(str(value), self.words)
        shown = f"{_origin(param)}={safe(value, limit=80)}" if isinstance(param, Flag) else safe(value, limit=80)
        raise Usage(f"{shown}: " + (f"did you mean {near[0]}?" if near else f"one of {', '.join(self.words)}"))
