"""One command line from words to exit code: globals, command, flags from the environment, context, call."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.cli.spelling import Known, near_names, spell, unknown
from reconciler.errors import Usage

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.cli.command import Command
    from reconciler.commands.context import Context
    from reconciler.commands.streams import Output

GLOBAL_FLAGS = {
    "chdir": Known("chdir", None, is_switch=False),
    "no-color": Known("no-color", "true", is_switch=True),
    "help": Known("help", "true", is_switch=True),
    "h": Known("help", "true", is_switch=True),
    "version": Known("version", "true", is_switch=True),
}


GLOBAL_PARAMETERS = ("chdir", "no_color", "help", "version")


class Process(NamedTuple):
    """What this process was started with."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    out: Output
    err: Output


class Line(NamedTuple):
    """A command line: global flags in front of the command, the command, and its own words."""

    front: list[str]
    command: str | None
    words: list[str]


def run(words: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """Run one command line in this process; the exit code. Never raises."""
    from reconciler.commands.streams import Output

    environment = os.environ if environment is None else environment
    process = Process(tuple(words), environment, Output(sys.stdout, environment), Output(sys.stderr, environment))
    try:
        code = _dispatch(process)
    except (Exception, KeyboardInterrupt) as error:
        code = _close(error, process)
    return _finish(code, process.out, process.err)


def _close(error: BaseException, process: Process) -> int:
    try:
        from reconciler.cli.door import close

        return close(error, arguments=process.arguments, environment=process.environment, out=process.out, err=process.err)
    except Exception as worse:
        # The door itself is broken. Class names only: a message could hold anything.
        process.err.line(f"Error: a bug in reconciler ({type(worse).__name__} after {type(error).__name__}); what was recorded before is safe")
        return 70


def _finish(code: int, out: Output, err: Output) -> int:
    out.flush()
    if out.trouble:
        err.line(f"Error: stdout could not be written ({out.trouble}); the result is not complete")
        code = code or 1
    err.flush()
    return code


def _dispatch(process: Process) -> int:
    line = split(process.arguments)
    if line.command is None:
        return _front(line.front, process.out, process.err)
    if line.command == "help":
        return _help(line.words, process.out)
    name = resolve_name(line.command)
    if name == "version" and not line.words and not line.front and not any(word.startswith("RECONCILER_CLI_ARGS") for word in process.environment):
        from reconciler.commands.version import run as tell_versions

        return tell_versions(process.out, json=False)  # what says only this needs no parser of flags
    from reconciler.cli.table import load

    command = load(name)
    flags, rest = _spelled(command, line, process.environment)
    if "--help=true" in flags:
        process.out.write(command.page())
        return 0
    if "--version=true" in flags:
        process.out.line(_version())
        return 0
    return _call(command, command.values([*flags, "--", *rest]), process)


def split(arguments: Sequence[str]) -> Line:
    """Where the command stands: the first word that is no global flag and not the value of one. Raises Usage."""
    at = 0
    while at < len(arguments):
        word = arguments[at]
        name = word.lstrip("-").partition("=")[0]
        if not word.startswith("-"):
            return Line(spell(arguments[:at], GLOBAL_FLAGS, command="").flags, word, list(arguments[at + 1 :]))
        if name not in GLOBAL_FLAGS:
            hint = "flags of a command stand behind it: reconciler COMMAND -flag"
            raise Usage(unknown(name, GLOBAL_FLAGS, command="").message, hint=hint)
        at += 2 if "=" not in word and GLOBAL_FLAGS[name].bare is None else 1
    return Line(spell(arguments, GLOBAL_FLAGS, command="").flags, None, [])


def _front(flags: list[str], out: Output, err: Output) -> int:
    from reconciler.cli.table import front_page

    if "--version=true" in flags:
        out.line(_version())
        return 0
    if "--help=true" in flags:
        out.write(front_page())
        return 0
    err.write(front_page())
    return Usage.exit_code


def _help(words: list[str], out: Output) -> int:
    from reconciler.cli.table import front_page, load

    out.write(load(resolve_name(words[0])).page() if words else front_page())
    return 0


def _version() -> str:
    from reconciler import __version__

    return f"reconciler {__version__}"


def resolve_name(word: str) -> str:
    """The command that `word` names. Raises Usage with what to use instead, or with the nearest command."""
    from reconciler.cli.table import ALIASES, COMMANDS, INSTEAD

    name = ALIASES.get(word, word)
    if name in COMMANDS:
        return name
    if word in INSTEAD:
        raise Usage(f"there is no `{word}`: {INSTEAD[word]}")
    from reconciler.text import safe

    near = near_names(word, [*COMMANDS, *ALIASES])
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    raise Usage(f"there is no command {safe(word, limit=80)!r}{meant}", hint="reconciler -help")


def _spelled(command: Command, line: Line, environment: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Flags in the order of precedence, lowest first: variables, in front of the command, behind it. The last one counts."""
    from reconciler.cli.command import spelled

    own, rest = spelled(command, line.words)
    if "--help=true" in (*line.front, *own):
        return ["--help=true"], []  # the page is there also for somebody whose variables are wrong
    flags: list[str] = []
    for variable in ("RECONCILER_CLI_ARGS", f"RECONCILER_CLI_ARGS_{command.name}"):
        more, words = spelled(command, _words_of(variable, environment), origin=variable)
        if words:
            raise Usage(f"{variable} may hold flags only; it holds a plain word", hint="write values behind `=`: -out=plan.json")
        flags += more
    return [*flags, *line.front, *own], rest


def _words_of(variable: str, environment: Mapping[str, str]) -> list[str]:
    text = environment.get(variable, "")
    if not text:
        return []
    import shlex

    try:
        return shlex.split(text)
    except ValueError as error:
        raise Usage(f"{variable} cannot be split into words: {error}") from None


def _call(command: Command, values: dict[str, Any], process: Process) -> int:
    assert command.callback is not None, "every command is declared with a function"
    if command.is_bare:
        code = command.callback(process.out, **{k: v for k, v in values.items() if k not in GLOBAL_PARAMETERS})
    else:
        from reconciler.cli.table import COMMANDS
        from reconciler.settings import unknown_variables

        for sentence in unknown_variables(process.environment, list(COMMANDS)):
            process.err.line(f"Warning: {sentence}")
        code = _logged(command, _context(values, process), values)
    assert isinstance(code, int), "a command returns its exit code"
    return code


def _logged(command: Command, context: Context, values: dict[str, Any]) -> int:
    """Run the command, with its log where one was asked for."""
    assert command.callback is not None, "every command is declared with a function"
    settings = context.settings
    if settings.log.value == "off":
        return int(command.callback(context, **values))
    from pathlib import Path

    from reconciler.cli.door import code_of, without_keys
    from reconciler.log import opened

    path = None if settings.log_path.value is None else Path(settings.log_path.value)

    def redact(text: str) -> str:
        return without_keys(text, context.environment)

    with opened(settings.log.value, path, err=context.err.write, redactor=redact) as log:
        log.info("command", extra={"data": {"command": command.name, "flags": sorted(k for k, v in values.items() if v), "pid": os.getpid()}})
        try:
            code = int(command.callback(context, **values))
        except BaseException as error:
            data = {"command": command.name, "exit_code": code_of(error), "error": type(error).__name__}
            log.error("command failed", extra={"data": data})  # noqa: TRY400 (a traceback could hold anything)
            raise
        log.info("command done", extra={"data": {"command": command.name, "exit_code": code}})
        return code


def _context(values: dict[str, Any], process: Process) -> Context:
    """The context; what belongs to it is taken out of `values`."""
    from reconciler.cli.table import COMMANDS
    from reconciler.commands.context import Context
    from reconciler.commands.variables import read_variables
    from reconciler.settings import Flags, resolve

    folder = values.pop("chdir")
    no_color = values.pop("no_color")
    del values["help"], values["version"]
    root = _enter(folder)
    variables = read_variables(root, values.pop("var", ()), values.pop("var_file", ()))
    flags = Flags(values.pop("environment", None), values.get("endpoint"), values.get("max_cost"), no_color, variables)
    return Context(
        root, resolve(flags, process.environment), process.environment, process.out, process.err, arguments=process.arguments, commands=tuple(COMMANDS)
    )


def _enter(folder: str | None) -> Path:
    from pathlib import Path

    from reconciler.text import safe

    try:
        if folder is not None:
            os.chdir(folder)
        return Path.cwd()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a folder"
        what = f"-chdir={safe(folder, limit=200)}" if folder is not None else "the current folder"
        raise Usage(f"{what}: {reason}") from None
