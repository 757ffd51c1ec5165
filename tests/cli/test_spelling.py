"""Spellings: every way in which Terraform's hands write a flag, and every way in which click alone would misread one."""

from __future__ import annotations

import pytest

from reconciler.cli.spelling import Known, spell
from reconciler.cli.table import COMMANDS, load
from reconciler.errors import Usage

KNOWN = {
    "out": Known("out", None, is_switch=False),
    "json": Known("json", "true", is_switch=True),
    "emulate": Known("emulate", "true", is_switch=True),
    "exclude": Known("exclude", None, is_switch=False),
    "environment": Known("environment", None, is_switch=False),
    "e": Known("environment", None, is_switch=False),
    "wait": Known("wait", "forever", is_switch=False),
    "var": Known("var", None, is_switch=False),
}


def spelled(*words: str) -> tuple[list[str], list[str]]:
    return spell(words, KNOWN, command="plan")


@pytest.mark.parametrize("words", [["-out=p"], ["--out=p"], ["-out", "p"], ["--out", "p"]])
def test_four_spellings_are_one(words: list[str]) -> None:
    assert spelled(*words) == (["--out=p"], [])


@pytest.mark.parametrize("words", [["-e=prod"], ["-e", "prod"], ["-environment=prod"], ["--environment", "prod"], ["--e=prod"]])
def test_the_short_environment_flag_takes_its_value_either_way(words: list[str]) -> None:
    assert spelled(*words) == (["--environment=prod"], [])


@pytest.mark.parametrize(("word", "nearest"), [("-emulat", "-emulate"), ("-exlude=a", "-exclude"), ("-enviroment", "-environment"), ("-jsn", "-json")])
def test_a_mistyped_long_flag_is_never_an_environment(word: str, nearest: str) -> None:
    with pytest.raises(Usage, match=f"did you mean .*{nearest}"):
        spelled(word)


@pytest.mark.parametrize("word", ["-eprod", "-j", "-o", "-ou=p", "---json", "-x", "-json=maybe", "-out="])
def test_nothing_is_guessed(word: str) -> None:
    with pytest.raises(Usage):
        spelled(word)


def test_nothing_behind_two_dashes_is_a_flag() -> None:
    assert spelled("-json", "--", "-out=p", "-rf") == (["--json=true"], ["-out=p", "-rf"])


def test_an_abbreviation_names_the_flag_but_is_refused() -> None:
    with pytest.raises(Usage, match="did you mean -emulate"):
        spelled("-em")


def test_a_bare_wait_does_not_eat_the_plan_file() -> None:
    assert spelled("-wait", "plan.json") == (["--wait=forever"], ["plan.json"])
    assert spelled("-wait=40m", "plan.json") == (["--wait=40m"], ["plan.json"])


def test_a_switch_can_be_taken_back() -> None:
    assert spelled("-json", "-json=false") == (["--json=true", "--json=false"], [])


def test_a_flag_is_not_taken_for_a_value() -> None:
    with pytest.raises(Usage, match="next word is the flag -json"):
        spelled("-out", "-json")
    assert spelled("-out", "-").flags == ["--out=-"]


def test_a_value_keeps_its_equal_signs() -> None:
    assert spelled("-var", "a=b=c").flags == ["--var=a=b=c"]


@pytest.mark.parametrize("word", ["-force", "-lock=false", "-destroy", "-refresh=false", "-refresh-only", "-api-key=secret-value"])
def test_flags_of_other_tools_say_what_to_use(word: str) -> None:
    with pytest.raises(Usage) as caught:
        spelled(word)
    assert "did you mean" not in caught.value.message
    assert "secret-value" not in caught.value.message


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_of_every_command_is_read_in_all_spellings(name: str) -> None:
    command = load(name)
    for flag in command.flags:
        known = flag.known[flag.opts[0][2:]]
        sample = known.bare or "1"
        for word in (f"-{known.name}={sample}", f"--{known.name}={sample}"):
            assert spell([word], command.known, command=name).flags == [f"--{known.name}={sample}"]
        if known.bare is None:
            assert spell([f"-{known.name}", sample], command.known, command=name).flags == [f"--{known.name}={sample}"]
        else:
            assert spell([f"-{known.name}", "word"], command.known, command=name) == ([f"--{known.name}={known.bare}"], ["word"])
