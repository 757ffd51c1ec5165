"""The one door: whatever went wrong becomes text or one JSON document, and an exit code. Never a traceback.

A bug is what nobody foresaw: one line, and a report in the temporary folder that holds no key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from reconciler.commands.streams import Output
from reconciler.errors import Interrupted, Invalid, ReconcilerError

if TYPE_CHECKING:
    from reconciler.diagnostics import Diagnostic
    from reconciler.reports.style import Style

BUG = 70
SHORTEST_KEY = 4
"""Of a shorter value nothing is a secret, and everything would be taken out."""
EVENT_COMMANDS = ("apply", "refresh")
"""Their `-json` is a stream of events, so their errors are events too."""


def close(error: BaseException, *, arguments: Sequence[str], environment: Mapping[str, str], out: Output, err: Output) -> int:
    """Say what happened, on stderr, or on stdout as JSON where `-json` was asked for. The exit code."""
    known = _as_known(error)
    if known is None:
        assert isinstance(error, Exception)
        message, hint = _bug(error, arguments, environment), ""
        code, reason = BUG, "bug"
        diagnostics: tuple[Diagnostic, ...] = ()
    else:
        message, hint = known.message, known.hint
        code = code_of(known)
        reason = known.failure_reason
        diagnostics = known.diagnostics if isinstance(known, Invalid) else ()
    if wants_json(arguments):
        out.write(without_keys(_document(arguments, message, hint, code=code, reason=reason, diagnostics=diagnostics), environment))
    else:
        err.write(without_keys(_text(message, hint, diagnostics, _style(err, arguments, environment) if diagnostics else None), environment))
    return code


def code_of(error: BaseException) -> int:
    """The exit code that an error ends with."""
    known = _as_known(error)
    if known is None:
        return BUG
    return known.code if isinstance(known, Interrupted) else known.exit_code


def _as_known(error: BaseException) -> ReconcilerError | None:
    import signal

    if isinstance(error, ReconcilerError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Interrupted(signal.SIGINT, "interrupted")
    if isinstance(error, OSError):
        # A file or a disk, not a bug: the rooms turn what they expect into better words.
        name = f": {_shown(error.filename)}" if error.filename else ""
        return ReconcilerError(f"{error.strerror or type(error).__name__}{name}")
    return None


def _shown(value: object) -> str:
    from reconciler.text import safe

    return safe(value, limit=200)


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the command line asks for JSON, even when it cannot be read otherwise."""
    flags = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return any(word in ("-json", "--json", "-json=true", "--json=true") for word in flags)


def _style(err: Output, arguments: Sequence[str], environment: Mapping[str, str]) -> Style:
    from reconciler.commands.style import style_of
    from reconciler.settings import colour_of

    no_color = "-no-color" in arguments or "--no-color" in arguments
    return style_of(err, colour=colour_of(environment, no_color=no_color).value, environment=environment)


def _text(message: str, hint: str, diagnostics: Sequence[Diagnostic], style: Style | None) -> str:
    lines = []
    if style is not None:
        from reconciler.reports.diagnostics_text import diagnostics_text

        lines.append(diagnostics_text(diagnostics, style).rstrip("\n"))
    if message and not (diagnostics and message == (Invalid.__doc__ or "").strip()):
        lines.append(f"Error: {_lines(message)}")
    elif diagnostics:
        lines.append(f"\n{_lines(message)}")
    if hint:
        lines.append(f"       {_lines(hint)}")
    return "\n".join(lines) + "\n"


def _lines(text: str) -> str:
    """Our own line breaks stay; everything else in a message is made inert."""
    from reconciler.text import inert_line, safe

    return "\n".join(inert_line(safe(line, limit=2000)) for line in text.split("\n")[:200])


def _document(arguments: Sequence[str], message: str, hint: str, *, code: int, reason: str, diagnostics: Sequence[Diagnostic]) -> str:
    from reconciler.commands.clock import SystemClock
    from reconciler.diagnostics import Diagnostic
    from reconciler.event import Event
    from reconciler.plan.document import diagnostic_document
    from reconciler.reports.document import FORMAT_VERSION, json_text
    from reconciler.reports.events import event_json

    found = list(diagnostics) or [Diagnostic("error", reason, _lines(message), _lines(hint))]
    end = {"exit_code": code, "failure_reason": reason}
    if arguments and arguments[0] in EVENT_COMMANDS:
        now = SystemClock().now()
        events = [Event("diagnostic", now, d.summary, level="error", data={"diagnostic": diagnostic_document(d)} | end) for d in found]
        return "".join(event_json(event) + "\n" for event in events)
    document = {"format_version": FORMAT_VERSION, "kind": "error", **end, "message": _lines(message), "hint": _lines(hint)}
    return json_text(document | {"diagnostics": [diagnostic_document(d) for d in found]})


def without_keys(text: str, environment: Mapping[str, str]) -> str:
    """`text` without the values of key variables, raw, quoted or encoded."""
    from reconciler.secret import MARK, pattern_of
    from reconciler.settings import KEY_VARIABLES

    for variable in KEY_VARIABLES:
        value = environment.get(variable, "").strip()
        if len(value) >= SHORTEST_KEY:
            text = pattern_of(value).sub(MARK, text)
    return text


def _bug(error: Exception, arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    from reconciler import __version__

    text = without_keys(_report(error, arguments, __version__), environment)
    where = _written(text)
    kept = f"the report is in {where}" if where else "no report could be written"
    return f"a bug in reconciler {__version__} ({type(error).__name__}); what was recorded before is safe, and {kept}"


def _report(error: Exception, arguments: Sequence[str], version: str) -> str:
    import platform
    import traceback

    from reconciler.text import redact

    frames = "".join(traceback.format_exception(error))
    words = " ".join(repr(a) for a in arguments)
    return redact(f"reconciler {version}\nPython {platform.python_version()} on {platform.platform()}\n\nreconciler {words}\n\n{frames}")


def _written(text: str) -> str | None:
    import os
    import tempfile

    try:
        number, path = tempfile.mkstemp(prefix="reconciler-bug-", suffix=".txt")
        with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        return None
    return path
