"""Reading a fault plan from JSON, strictly: every problem is reported, nothing is guessed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, cast

from reconciler.diagnostics import Diagnostic, Place
from reconciler.emulator.faults import KINDS, ROUTES, Fault, Kind, Route, When
from reconciler.errors import Invalid
from reconciler.text import nearest, safe

MAX_FAULTS = 1000
MAX_NUMBER = 1e9
MAX_BYTES = 2**28
_CODE = "fault_plan"
_WHEN = ("call", "body", "probability", "seed")


def parse_faults(text: str, *, file: str = "faults") -> tuple[Fault, ...]:
    """The faults of a JSON list such as `[{"when": {"call": 3}, "on": "submit", "do": "accept_then_close"}]`.

    `on` is submit when left out, `when` every call; `times` and the settings of a kind stand beside `do`.
    Raises Invalid with every problem.
    """
    try:
        value = json.loads(text, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        line, column = (error.lineno, error.colno) if isinstance(error, json.JSONDecodeError) else (1, 1)
        raise _invalid([f"not JSON: {error}"], Place(file, line, column)) from None
    if not isinstance(value, list) or len(value) > MAX_FAULTS:
        raise _invalid([f"a fault plan is a JSON list of at most {MAX_FAULTS} objects"], Place(file))
    problems: list[str] = []
    faults = [_fault(item, f"fault {index}", problems) for index, item in enumerate(value, start=1)]
    if problems:
        raise _invalid(problems, Place(file))
    return tuple(f for f in faults if f is not None)


def _fault(item: Any, where: str, problems: list[str]) -> Fault | None:
    if not isinstance(item, dict):
        problems.append(f"{where}: not an object")
        return None
    kind = KINDS.get(item["do"]) if isinstance(item.get("do"), str) else None
    if kind is None:
        problems.append(f"{where}: `do` is not a kind of fault{_meant(item.get('do'), list(KINDS))}")
        return None
    before = len(problems)
    route = _route(item.get("on", "submit"), kind, where, problems)
    when = _when(item.get("when", {}), kind, where, problems)
    times = item.get("times")
    if times is not None and not _whole(times):
        problems.append(f"{where}: `times` is not a whole number of at least 1")
    settings = {key: item[key] for key in item if key not in ("do", "on", "when", "times")}
    _check_settings(settings, kind, where, problems)
    return Fault(kind.name, route, when, times, settings) if len(problems) == before else None


def _route(value: Any, kind: Kind, where: str, problems: list[str]) -> Route:
    if value not in ROUTES:
        problems.append(f"{where}: `on` is not one of {', '.join(ROUTES)}")
    elif value not in kind.routes:
        problems.append(f"{where}: {kind.name} applies to {', '.join(kind.routes)} only")
    return cast("Route", value)


def _when(value: Any, kind: Kind, where: str, problems: list[str]) -> When:
    if not isinstance(value, dict):
        problems.append(f"{where}: `when` is not an object")
        return When()
    call, body, probability, seed = (value.get(key) for key in _WHEN)
    problems += [f"{where}: `when.{safe(key, limit=60)}` is not known{_meant(key, list(_WHEN))}" for key in value if key not in _WHEN]
    if call is not None and not _whole(call):
        problems.append(f"{where}: `when.call` is not a whole number of at least 1")
    if body is not None and (not isinstance(body, str) or not body):
        problems.append(f"{where}: `when.body` is not a text")
    if body is not None and kind.name == "close_before_reading":
        problems.append(f"{where}: close_before_reading cannot look at the body; close_before_accepting can")
    if probability is not None and not (_number(probability) and 0 <= probability <= 1):
        problems.append(f"{where}: `when.probability` is not a number from 0 to 1")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool) or probability is None):
        problems.append(f"{where}: `when.seed` is not a whole number beside a probability")
    return When(call, body, probability, seed or 0)


def _check_settings(settings: Mapping[str, Any], kind: Kind, where: str, problems: list[str]) -> None:
    for key, value in settings.items():
        expected = kind.settings.get(key)
        if expected is None:
            problems.append(f"{where}: {kind.name} has no setting `{safe(key, limit=60)}`{_meant(key, [*kind.settings, 'times', 'when', 'on'])}")
        elif not (("number" in expected and _number(value)) or ("text" in expected and isinstance(value, str))):
            problems.append(f"{where}: `{key}` is not a {expected}")
        elif isinstance(value, str) and key in ("location", "retry_after", "url") and not _header_text(value):
            problems.append(f"{where}: `{key}` holds characters that a header cannot")
        elif key == "status" and not (_whole(value) and 200 <= value <= 599):
            problems.append(f"{where}: `status` is not a whole number from 200 to 599")
        elif key == "bytes" and value > MAX_BYTES:
            problems.append(f"{where}: `bytes` is more than {MAX_BYTES}")
        elif key == "shape" and value not in ("gateway", "backend"):
            problems.append(f"{where}: `shape` is not gateway or backend")


def _meant(word: Any, known: list[str]) -> str:
    near = nearest(word, known, most=1) if isinstance(word, str) else []
    return f"; did you mean `{near[0]}`?" if near else ""


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_NUMBER


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= MAX_NUMBER


def _header_text(value: str) -> bool:
    return value.isascii() and value.isprintable()


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _invalid(problems: list[str], place: Place) -> Invalid:
    return Invalid([Diagnostic("error", _CODE, problem, place=place) for problem in problems], f"the fault plan cannot be used: {'; '.join(problems)}")
