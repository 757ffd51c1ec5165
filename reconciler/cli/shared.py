"""Flags that several commands share, each declared once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reconciler.cli.flag import API, FOREVER, INPUT, OUTPUT, RUNNING, SELECTION, Declared, Duration, Pair, Whole, list_flag, switch, value_flag

LONGEST_LOCK_TIMEOUT = 86400


def together(*flags: Declared) -> Declared:
    """Several flags as one decorator, in the order in which they are shown."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for add in reversed(flags):
            function = add(function)
        return function

    return decorate


json_flag = switch("json", "One JSON document on stdout.", group=OUTPUT)
events_flag = switch("json", "Events as JSON, one a line, on stdout.", group=OUTPUT)
report_flag = list_flag("report", "FORMAT=PATH", "Also write a report; PATH may be - for stdout. Repeatable.", group=OUTPUT, convert=Pair({"github": "-"}))
compact_flag = switch("compact-warnings", "Warnings without details and source lines.", group=OUTPUT)
detailed_flag = switch("detailed-exitcode", "Exit 2 when there are changes, 0 when there are none.", group=OUTPUT)
selection = together(
    list_flag("target", "NAME", "Only models of this name or glob. Repeatable.", group=SELECTION),
    list_flag("exclude", "NAME", "Not models of this name or glob. Repeatable.", group=SELECTION),
    list_flag("selector", "KEY=VALUE", "Only models with this label. Repeatable.", group=SELECTION, convert=Pair()),
    list_flag("replace", "NAME", "Buy this model's spec once more, on purpose. Repeatable.", group=SELECTION),
)
environment_flag = value_flag("environment", "ENV", "The environment of reconciler.yaml to work on.", group=INPUT, short="e")
variables = together(
    environment_flag,
    list_flag("var", "NAME=VALUE", "Set a variable; wins over every other place. Repeatable.", group=INPUT),
    list_flag("var-file", "FILE", "Set the variables of a YAML or JSON file. Repeatable.", group=INPUT),
)
emulate_flag = switch("emulate", "Use the built-in emulator: no key, no cost, no network.", group=API)
endpoint_flag = value_flag("endpoint", "URL", "The API's address: https, or http to loopback.", group=API)
api = together(endpoint_flag, emulate_flag)
wait_flag = value_flag("wait", "DURATION", "Poll until all jobs are settled, or for at most 90s, 40m, 2h.", group=RUNNING, convert=Duration(), bare=FOREVER)
lock_timeout_flag = value_flag(
    "lock-timeout", "DURATION", "Wait so long for another process to finish; default: not at all.", group=RUNNING, convert=Duration()
)
poll_parallelism_flag = value_flag("poll-parallelism", "N", "Polls at the same time.", group=RUNNING, convert=Whole(1, 256))
