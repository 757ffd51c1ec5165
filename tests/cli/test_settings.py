"""Settings: precedence, origins, and what is refused before anything is done."""

from __future__ import annotations

from decimal import Decimal

import pytest

from reconciler.errors import Usage
from reconciler.settings import (
    DEFAULT,
    PROJECT,
    Flags,
    Provenance,
    check_endpoint,
    parse_amount,
    parse_duration,
    parse_variable,
    provenance,
    resolve,
    unknown_variables,
)
from reconciler.trainer import DEFAULT_ENDPOINT


def test_flag_beats_variable_beats_project_beats_default() -> None:
    variable = {"RECONCILER_ENDPOINT": "https://variable.example.com"}
    project = {"endpoint": "https://project.example.com", "state_path": "s/x.db"}
    flag = resolve(Flags(endpoint="https://flag.example.com/"), variable).with_project(**project).endpoint
    assert (flag.value, flag.origin) == ("https://flag.example.com", "-endpoint")
    named = resolve(Flags(), variable).with_project(**project).endpoint
    assert (named.value, named.origin) == ("https://variable.example.com", "RECONCILER_ENDPOINT")
    filed = resolve(Flags(), {}).with_project(**project).endpoint
    assert (filed.value, filed.origin) == ("https://project.example.com", PROJECT)
    plain = resolve(Flags(), {}).with_project(endpoint=None, state_path="state/reconciler.db").endpoint
    assert (plain.value, plain.origin) == (DEFAULT_ENDPOINT, DEFAULT)


def test_the_state_path_of_the_environment_beats_the_project_file() -> None:
    settings = resolve(Flags(), {"RECONCILER_STATE": "elsewhere/r.db"}).with_project(endpoint=None, state_path="state/reconciler.db")
    assert (settings.state_path.value, settings.state_path.origin) == ("elsewhere/r.db", "RECONCILER_STATE")


def test_an_empty_variable_says_nothing() -> None:
    settings = resolve(Flags(), {"RECONCILER_ENVIRONMENT": "", "RECONCILER_MAX_COST": "", "RECONCILER_ENDPOINT": "", "CI": "", "NO_COLOR": ""})
    assert settings.environment.value is None
    assert settings.max_cost.value is None
    assert settings.prompts.value
    assert settings.colour.value == "auto"


def test_max_cost_is_money_from_flag_or_variable() -> None:
    assert resolve(Flags(max_cost="$80"), {"RECONCILER_MAX_COST": "1"}).max_cost.value == Decimal("80.00")
    assert resolve(Flags(), {"RECONCILER_MAX_COST": "12.50"}).max_cost.value == Decimal("12.50")
    with pytest.raises(Usage, match="RECONCILER_MAX_COST"):
        resolve(Flags(), {"RECONCILER_MAX_COST": "a lot"})


@pytest.mark.parametrize(
    ("environment", "no_color", "colour"),
    [
        ({}, False, "auto"),
        ({"FORCE_COLOR": "1"}, False, "always"),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, "never"),
        ({"FORCE_COLOR": "1"}, True, "never"),
        ({"FORCE_COLOR": "0"}, False, "auto"),
    ],
)
def test_colour_is_decided_in_this_order(environment: dict[str, str], no_color: bool, colour: str) -> None:
    assert resolve(Flags(no_color=no_color), environment).colour.value == colour


def test_variables_keep_where_they_were_set() -> None:
    settings = resolve(Flags(variables={"bucket": ("flag", "-var")}), {"RECONCILER_VAR_bucket": "env", "RECONCILER_VAR_size": "3"})
    assert {n: (s.value, s.origin) for n, s in settings.variables.items()} == {"bucket": ("flag", "-var"), "size": ("3", "RECONCILER_VAR_size")}


@pytest.mark.parametrize(
    "good", ["https://gateway.pixazo.ai", "http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:99", "https://h.example.com/prefix"]
)
def test_endpoints_that_may_be_used(good: str) -> None:
    assert check_endpoint(good + "/", origin="-endpoint") == good


@pytest.mark.parametrize(
    "bad",
    [
        "http://example.com",
        "http://127.0.0.1.example.com",
        "https://user:hunter2@example.com",
        "https://example.com?key=1",
        "https://example.com#x",
        "ftp://example.com",
        "example.com",
        "https://",
        "https://h:0",
        "https://h:70000",
        "https://h\n",
        "https://h/ /x",
        "file:///etc/passwd",
        "http://2130706433",
    ],
)
def test_endpoints_that_would_lose_the_key_are_refused(bad: str) -> None:
    with pytest.raises(Usage) as caught:
        check_endpoint(bad, origin="RECONCILER_ENDPOINT")
    assert "RECONCILER_ENDPOINT" in caught.value.message
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("40m", 2400), ("2h", 7200), ("1d", 86400), ("1.5m", 90), ("0", 0)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text, origin="-wait") == seconds


@pytest.mark.parametrize("text", ["", "-1", "1w", "m", "1e3", "inf", "nan", "1 m", "٣m", "99999999999"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(Usage, match="not a duration"):
        parse_duration(text, origin="-wait")


@pytest.mark.parametrize("text", ["-1", "inf", "nan", "1,000", "1e30", "x", ""])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(Usage, match="-max-cost"):
        parse_amount(text, origin="-max-cost")


def test_a_variable_on_the_command_line() -> None:
    assert parse_variable("a=b=c") == ("a", "b=c")
    assert parse_variable("empty=") == ("empty", "")
    for bad in ("a", "=b", "a-b=c", "1a=b"):
        with pytest.raises(Usage):
            parse_variable(bad)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("RECONCILER_ENDPIONT", "RECONCILER_ENDPOINT"),
        ("RECONCILER_MAXCOST", "RECONCILER_MAX_COST"),
        ("RECONCILER_CLI_ARGS_aply", "RECONCILER_CLI_ARGS_apply"),
        ("RECONCILER_CLI_ARG", "RECONCILER_CLI_ARGS"),
        ("RECONCILER_VARS_bucket", "RECONCILER_VAR_NAME"),
    ],
)
def test_an_unknown_variable_is_named_with_the_nearest(name: str, nearest: str) -> None:
    (sentence,) = unknown_variables({name: "secret"}, ["plan", "apply"])
    assert name in sentence
    assert nearest in sentence
    assert "secret" not in sentence


def test_known_variables_are_silent() -> None:
    known = ["RECONCILER_ENDPOINT", "RECONCILER_VAR_anything", "RECONCILER_CLI_ARGS", "RECONCILER_CLI_ARGS_plan", "PIXAZO_API_KEY", "HOME"]
    assert unknown_variables(dict.fromkeys(known, "x"), ["plan"]) == []


def test_the_ledger_learns_who_and_where_from_the_forge() -> None:
    github = {"GITHUB_ACTOR": "a", "GITHUB_SHA": "c" * 40, "GITHUB_SERVER_URL": "https://g", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "7", "USER": "root"}
    assert provenance(github) == Provenance("a", "c" * 40, "https://g/o/r/actions/runs/7")
    assert provenance({"GITLAB_USER_LOGIN": "b", "CI_COMMIT_SHA": "d", "CI_JOB_URL": "https://l/1"}).actor == "b"
    assert provenance({"USER": "me"}).actor == "me"
    assert provenance({}).actor == "unknown"
