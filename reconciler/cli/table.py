"""All commands by name, in the order of the help page, each with the file that declares its flags."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from reconciler.cli.command import Command


class Entry(NamedTuple):
    """One command: its group on the help page, its sentence there, and the module in `cli/` that declares it."""

    group: str
    summary: str
    module: str


START, BUY, LOOK, SETTLE, TOOLS = "Start", "Plan and buy", "Look", "Settle", "Tools"
COMMANDS: dict[str, Entry] = {
    "init": Entry(START, "Make a project: reconciler.yaml, an example, an empty state", "starting"),
    "validate": Entry(START, "Read everything and report every problem at once", "starting"),
    "fmt": Entry(START, "Manifests in canonical form; comments stay", "writing"),
    "dataset": Entry(START, "Open data sets and say what would fail at the trainer", "files"),
    "pin": Entry(START, "Write sha256 and image count of data sets into the manifests", "files"),
    "plan": Entry(BUY, "Show what would happen and what it costs; reads files only", "buying"),
    "apply": Entry(BUY, "Buy and bind what the plan says", "buying"),
    "refresh": Entry(BUY, "Ask how far the jobs are; never buys", "buying"),
    "status": Entry(LOOK, "Phases, ages, expected ends, request ids, artifacts, doubts", "looking"),
    "show": Entry(LOOK, "What the state holds, or a saved plan", "looking"),
    "output": Entry(LOOK, "Artifact URLs and ids for programs", "looking"),
    "artifacts": Entry(LOOK, "Download the files of succeeded jobs; check what is here", "files"),
    "catalog": Entry(LOOK, "All models as one browsable page and as data", "files"),
    "jobs": Entry(LOOK, "Every job ever bought, bound to a name or not", "looking"),
    "history": Entry(LOOK, "The ledger: who, when, at which commit, why, how much", "forge"),
    "cost": Entry(LOOK, "What was spent, by month, model or label", "forge"),
    "resolve": Entry(SETTLE, "End a doubt about a purchase", "settling"),
    "adopt": Entry(SETTLE, "Take over a job that was bought elsewhere", "settling"),
    "pause": Entry(SETTLE, "Stop all purchases everywhere", "settling"),
    "resume": Entry(SETTLE, "Let purchases go on", "settling"),
    "lock": Entry(SETTLE, "Who works on the state right now", "settling"),
    "state": Entry(SETTLE, "Inspect and repair the state; merge, verify, rebuild, back up", "memory"),
    "comment": Entry(TOOLS, "The plan as one comment on a pull or merge request", "forge"),
    "journal": Entry(SETTLE, "The journal on a git branch: status, pull, push", "journal"),
    "emulator": Entry(TOOLS, "Serve the trainer API on loopback: no key, no cost", "tools"),
    "schema": Entry(TOOLS, "JSON Schema of manifests, project file, plans, events", "tools"),
    "doctor": Entry(TOOLS, "Look for what is wrong with this machine or project", "tools"),
    "completion": Entry(TOOLS, "A completion script for bash, zsh or fish", "tools"),
    "version": Entry(TOOLS, "Versions of the program and what it stands on", "tools"),
}
ALIASES = {"import": "adopt"}
PAGE_WIDTH = 80
PURPOSE = "Infrastructure as code for LoRA models: declare them in YAML, see what would be trained and what it costs, buy exactly that, once."
EXIT_CODES = (
    "Exit codes: 0 done, 1 error, 2 changes (-detailed-exitcode), 4 refused, 5 plan changed, 6 locked, "
    "7 in doubt, 8 job failed, 9 wait over, 10 declined, 64 usage."
)

INSTEAD = {
    "destroy": "nothing that was bought can be destroyed or refunded. Remove the model from its manifest and apply: the name is forgotten, the job stays in the ledger",
    "taint": "to buy a model's spec once more, on purpose: `reconciler apply -replace=NAME`, or `generation: 2` in its manifest",
    "untaint": "nothing is ever tainted; a failed model is held until `-replace=NAME` or a higher `generation:` says otherwise",
    "workspace": "use `environments:` in reconciler.yaml and `-environment=NAME`; jobs are shared, so promotion costs nothing",
}
"""Words that Terraform's hands type; each says what to use."""


def load(name: str) -> Command:
    """The declared command of that name."""
    from reconciler.cli.command import Command

    command = getattr(import_module(f"reconciler.cli.{COMMANDS[name].module}"), name)
    assert isinstance(command, Command)
    return command


def front_page() -> str:
    """The help page of the program. Written without click: somebody is waiting for nothing else."""
    import textwrap

    text = textwrap.TextWrapper(PAGE_WIDTH, replace_whitespace=False, break_on_hyphens=False)
    every = [
        ("-chdir=DIR", "Work in this folder"),
        ("-no-color", "Never write colour"),
        ("-help", "This page, or that of a command: reconciler plan -help"),
        ("-version", "The version"),
    ]
    sections = [(group, [(name, entry.summary) for name, entry in COMMANDS.items() if entry.group == group]) for group in (START, BUY, LOOK, SETTLE, TOOLS)]
    lines = ["Usage: reconciler COMMAND [FLAGS] ...", "", *text.wrap(PURPOSE)]
    for title, rows in (*sections, ("Everywhere", every)):
        column = max(len(word) for word, _ in rows) + 4
        body = textwrap.TextWrapper(PAGE_WIDTH, initial_indent="", subsequent_indent=" " * column)
        lines += ["", f"{title}:"]
        for word, sentence in rows:
            lines += body.wrap(f"{f'  {word}':{column}}{sentence}")
    return "\n".join([*lines, "", *text.wrap(EXIT_CODES)]) + "\n"


def words_of_commands() -> dict[str, list[str]]:
    """Each command with its flags as they are typed, for shell completion."""
    return {name: [f"-{flag}" for flag in sorted(load(name).known)] for name in COMMANDS}


def places_of_names() -> tuple[list[str], list[str]]:
    """Where the name of a model stands, for shell completion: commands that take one as a word, and flags that take one as their value."""
    import click

    from reconciler.cli.flag import Flag

    commands = {name: load(name).params for name in COMMANDS}
    words = [name for name, params in commands.items() if any(isinstance(p, click.Argument) and "NAME" in (p.metavar or "") for p in params)]
    flags = {p.spelled for params in commands.values() for p in params if isinstance(p, Flag) and p.metavar == "NAME"}
    return words, sorted(flags)
