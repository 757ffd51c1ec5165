"""What was set where: flag > environment variable > project file > default, each value with its origin.

Pure: the environment comes in as a mapping. The API key is deliberately not a setting; it is read by whoever sends.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, Literal, TypeVar

from reconciler.errors import Usage
from reconciler.money import Money, parse_money
from reconciler.text import nearest, safe
from reconciler.trainer import DEFAULT_ENDPOINT

T = TypeVar("T")

PREFIX = "RECONCILER_"
VARIABLE_PREFIX = "RECONCILER_VAR_"
ARGUMENTS = "RECONCILER_CLI_ARGS"
STATE_VARIABLE = "RECONCILER_STATE"
KEY_VARIABLES = ("PIXAZO_API_KEY", "PIXAZO_SUBSCRIPTION_KEY")
"""Variables whose value is the key itself: never shown, redacted from every report."""
KNOWN_VARIABLES = (
    "RECONCILER_API_KEY_COMMAND",
    "RECONCILER_API_KEY_FILE",
    "RECONCILER_CACHE_DIR",
    "RECONCILER_CLI_ARGS",
    "RECONCILER_EMULATE_SPEED",
    "RECONCILER_ENDPOINT",
    "RECONCILER_ENVIRONMENT",
    "RECONCILER_LOG",
    "RECONCILER_LOG_PATH",
    "RECONCILER_MAX_COST",
    "RECONCILER_STATE",
)
DEFAULT = "default"
PROJECT = "reconciler.yaml"
LOG_LEVELS = ("off", "error", "warn", "info", "debug", "trace")
Colour = Literal["auto", "never", "always"]
_LOOPBACK = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|\[::1\]", re.IGNORECASE)
_ENDPOINT = re.compile(r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?(?P<path>(?:/[A-Za-z0-9._~-]+)*)/?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_DURATION = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,3})?)(?P<unit>s|m|h|d)?")
_UNIT_SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """A value and where it was set: the flag, the variable's name, `reconciler.yaml` or `default`."""

    value: T
    origin: str = DEFAULT


@dataclass(frozen=True, slots=True)
class Flags:
    """What flags said; None or empty where they said nothing."""

    environment: str | None = None
    endpoint: str | None = None
    max_cost: str | None = None
    no_color: bool = False
    variables: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Name → (value, the flag that set it)."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set in more than one place. Money in USD."""

    endpoint: Setting[str]
    state_path: Setting[str]
    environment: Setting[str | None]
    max_cost: Setting[Money | None]
    cache_dir: Setting[str]
    log: Setting[str]
    log_path: Setting[str | None]
    colour: Setting[Colour]
    prompts: Setting[bool]
    """False where `CI` is set: nobody can answer."""
    variables: Mapping[str, Setting[str]] = field(default_factory=dict)

    def with_project(self, *, endpoint: str | None, state_path: str) -> Settings:
        """These settings with the project file's values where neither a flag nor a variable said anything.

        Raises Usage when the project file's endpoint cannot be used.
        """
        settings = self
        if endpoint is not None and self.endpoint.origin == DEFAULT:
            settings = replace(settings, endpoint=Setting(check_endpoint(endpoint, origin=PROJECT), PROJECT))
        if self.state_path.origin == DEFAULT:
            settings = replace(settings, state_path=Setting(state_path, PROJECT))
        return settings


def resolve(flags: Flags, environment: Mapping[str, str]) -> Settings:
    """The settings as flags and environment variables have them. Raises Usage for a value that cannot be used."""

    def text(variable: str, default: str) -> Setting[str]:
        value = environment.get(variable, "")
        return Setting(_inert(value, variable), variable) if value else Setting(default)

    endpoint = _first(flags.endpoint, "-endpoint", environment, "RECONCILER_ENDPOINT")
    max_cost = _first(flags.max_cost, "-max-cost", environment, "RECONCILER_MAX_COST")
    log_path = environment.get("RECONCILER_LOG_PATH")
    return Settings(
        endpoint=Setting(check_endpoint(endpoint.value, origin=endpoint.origin), endpoint.origin) if endpoint.value else Setting(DEFAULT_ENDPOINT),
        state_path=_file_name(text(STATE_VARIABLE, "state/reconciler.db")),
        environment=_first(flags.environment, "-environment", environment, "RECONCILER_ENVIRONMENT"),
        max_cost=Setting(parse_amount(max_cost.value, origin=max_cost.origin), max_cost.origin) if max_cost.value is not None else Setting(None),
        cache_dir=text("RECONCILER_CACHE_DIR", ".reconciler"),
        log=_log(environment),
        log_path=Setting(log_path, "RECONCILER_LOG_PATH") if log_path else Setting(None),
        colour=colour_of(environment, no_color=flags.no_color),
        prompts=Setting(False, "CI") if environment.get("CI", "") not in ("", "0", "false") else Setting(True),
        variables=_variables(flags, environment),
    )


def _file_name(setting: Setting[str]) -> Setting[str]:
    if not names_a_file(setting.value):
        raise Usage(f"{setting.origin}={safe(setting.value, limit=80)}: not the name of a file", hint=f"for example {setting.origin}=state/reconciler.db")
    return setting


def names_a_file(path: str) -> bool:
    """Whether the last part of `path` can be a file, which `.`, `..` and a slash at the end are not."""
    return path.rpartition("/")[2] not in ("", ".", "..")


def _first(flag: str | None, flag_name: str, environment: Mapping[str, str], variable: str) -> Setting[str | None]:
    if flag is not None:
        return Setting(_inert(flag, flag_name), flag_name)
    value = environment.get(variable)
    return Setting(_inert(value, variable), variable) if value else Setting(None)


def _inert(value: str, origin: str) -> str:
    if "\0" in value or "\n" in value:
        raise Usage(f"{origin} holds a line break or a NUL")
    return value


def colour_of(environment: Mapping[str, str], *, no_color: bool) -> Setting[Colour]:
    """Whether to write colour: `-no-color`, `NO_COLOR`, `FORCE_COLOR`, else only to a terminal."""
    if no_color:
        return Setting("never", "-no-color")
    if environment.get("NO_COLOR"):
        return Setting("never", "NO_COLOR")
    if environment.get("FORCE_COLOR", "") not in ("", "0"):
        return Setting("always", "FORCE_COLOR")
    return Setting("auto")


def _log(environment: Mapping[str, str]) -> Setting[str]:
    level = environment.get("RECONCILER_LOG", "").lower()
    if not level:
        return Setting("off")
    if level not in LOG_LEVELS:
        raise Usage(f"RECONCILER_LOG={safe(level, limit=80)}: not a log level", hint="one of " + ", ".join(LOG_LEVELS))
    return Setting(level, "RECONCILER_LOG")


def _variables(flags: Flags, environment: Mapping[str, str]) -> dict[str, Setting[str]]:
    found = {n.removeprefix(VARIABLE_PREFIX): Setting(v, n) for n, v in sorted(environment.items()) if n.startswith(VARIABLE_PREFIX)}
    found.pop("", None)
    found.update({name: Setting(value, origin) for name, (value, origin) in flags.variables.items()})
    return found


def check_endpoint(text: str, *, origin: str) -> str:
    """`text` without a trailing slash: https, or http to loopback only; no user name, query or fragment. Raises Usage."""
    found = _ENDPOINT.fullmatch(text)
    if found is None:
        without = " without a user name" if "@" in text else ""
        raise Usage(f"{origin}: {safe(text, limit=80)!r} is not an endpoint", hint=f"write https://HOST[:PORT][/PATH]{without}, or http:// to loopback")
    if found["scheme"] == "http" and not _LOOPBACK.fullmatch(found["host"]):
        raise Usage(f"{origin}: {safe(text, limit=80)} would send the key in clear", hint="use https://; http:// is for loopback only")
    if found["port"] is not None and not 0 < int(found["port"]) <= 65535:
        raise Usage(f"{origin}: {safe(text, limit=80)}: there is no port {found['port']}")
    return text.rstrip("/")


def parse_amount(text: str, *, origin: str) -> Money:
    """USD as a person writes them: `80`, `80.00`, `$80`. Raises Usage."""
    try:
        return parse_money(text)
    except ValueError as error:
        raise Usage(f"{origin}={safe(text, limit=80)}: {error}", hint=f"for example {origin}=80.00") from None


def parse_duration(text: str, *, origin: str) -> float:
    """Seconds of `90`, `90s`, `40m`, `2h`, `1d`. Raises Usage."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise Usage(f"{origin}={safe(text, limit=80)}: not a duration", hint="write 90, 90s, 40m or 2h")
    return float(found["number"]) * _UNIT_SECONDS[found["unit"]]


def parse_variable(text: str, *, origin: str = "-var") -> tuple[str, str]:
    """`name=value` of one `-var`. Raises Usage."""
    name, sign, value = text.partition("=")
    if not sign or not _VARIABLE.fullmatch(name):
        raise Usage(f"{origin} {safe(text.partition('=')[0], limit=80)}: not a variable", hint=f"write {origin} NAME=VALUE")
    return name, value


def unknown_variables(environment: Mapping[str, str], commands: Collection[str]) -> list[str]:
    """One sentence for each `RECONCILER_*` variable that nothing reads, with the nearest name that something reads."""
    per_command = [f"{ARGUMENTS}_{command}" for command in commands]
    known = [*KNOWN_VARIABLES, *per_command, f"{VARIABLE_PREFIX}NAME"]
    sentences = []
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in known or _VARIABLE.fullmatch(name.removeprefix(VARIABLE_PREFIX) if name.startswith(VARIABLE_PREFIX) else ""):
            continue
        near = nearest(name, known, most=1)
        sentences.append(f"the environment variable {safe(name, limit=80)} is not read by anything" + (f"; did you mean {near[0]}?" if near else ""))
    return sentences


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who did it and where, for the ledger: all of it is only shown, nothing is decided by it."""

    actor: str
    commit: str = ""
    run_url: str = ""


def provenance(environment: Mapping[str, str]) -> Provenance:
    """Actor, commit and run as the forge tells them, else the login name."""
    get = environment.get
    if actor := get("GITHUB_ACTOR"):
        run = "/".join([get("GITHUB_SERVER_URL", ""), get("GITHUB_REPOSITORY", ""), "actions/runs", get("GITHUB_RUN_ID", "")])
        return Provenance(actor[:200], get("GITHUB_SHA", "")[:64], run[:500] if get("GITHUB_RUN_ID") else "")
    if actor := get("GITLAB_USER_LOGIN"):
        return Provenance(actor[:200], get("CI_COMMIT_SHA", "")[:64], (get("CI_JOB_URL") or get("CI_PIPELINE_URL") or "")[:500])
    return Provenance((get("LOGNAME") or get("USER") or "unknown")[:200], get("CI_COMMIT_SHA", "")[:64])
