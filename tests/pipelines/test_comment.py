"""`reconciler comment` against a forge on loopback."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.forge import wire
from reconciler.money import ZERO
from reconciler.reports.comment import label_of, read_marker
from tests.life.folder import Result
from tests.pipelines.forge import BOT, READ_ONLY, TOKEN, Forge
from tests.pipelines.shell import comment_body, run_here
from tests.pixazo.raw_server import RawServer, after_reading

GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/loras", "GITHUB_REF": "refs/pull/7/merge", "GITHUB_SHA": "ab" * 20, "GITHUB_TOKEN": TOKEN}
GITLAB = {"GITLAB_CI": "true", "CI_PROJECT_ID": "42", "CI_MERGE_REQUEST_IID": "7", "CI_COMMIT_SHA": "ab" * 20, "GITLAB_TOKEN": TOKEN}


@pytest.fixture(params=["github", "gitlab"])
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def forge(request: pytest.FixtureRequest) -> Iterator[Forge]:
    provider = request.getfixturevalue("provider") if "provider" in request.fixturenames else "github"
    with Forge(me=None if provider == "github" else "gitlab-bot") as server:
        yield server


@pytest.fixture
def comment(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forge: Forge) -> Callable[..., Result]:
    """Write a body to comment.md and run the command on it."""
    provider = request.getfixturevalue("provider") if "provider" in request.fixturenames else "github"
    base = {**GITHUB, "GITHUB_API_URL": forge.url} if provider == "github" else {**GITLAB, "CI_API_V4_URL": forge.url}

    def run(body: str, *words: str, without: str = "", **environment: str) -> Result:
        (tmp_path / "comment.md").write_text(body, encoding="utf-8")
        chosen = {k: v for k, v in {**base, **environment}.items() if k != without}
        return run_here(tmp_path, "comment", *words, **chosen)

    return run


def who(forge: Forge) -> str:
    return forge.me or BOT


def test_the_first_run_posts_one_comment_and_the_second_changes_nothing(comment: Callable[..., Result], forge: Forge, provider: str) -> None:
    assert comment(comment_body(due="24.00", at="2026-11-22T07:45:00Z", sha="9f3c2ab")).code == 0
    (posted,) = forge.bodies(who(forge))
    assert "**+$24.00**  |" in posted
    assert "<!--since-->" not in posted
    again = comment(comment_body(due="24.00", at="2026-11-22T08:00:00Z", sha="1111111"))
    assert "says the same" in again.out
    assert len(forge.writes) == 1


def test_another_amount_is_brought_up_to_date_with_the_difference(comment: Callable[..., Result], forge: Forge, provider: str) -> None:
    comment(comment_body(due="24.00", at="2026-11-22T07:45:00Z", sha="9f3c2ab"))
    assert comment(comment_body(due="8.00", at="2026-11-22T07:46:00Z", sha="2222222")).code == 0
    assert comment(comment_body(due="40.00", at="2026-11-22T07:47:00Z", sha="3333333")).code == 0
    (posted,) = forge.bodies(who(forge))
    assert "**+$40.00** (+$32.00 since `2222222`)" in posted
    assert "says the same" in comment(comment_body(due="40.00", at="2026-11-22T07:48:00Z", sha="4444444")).out


def test_ours_is_found_behind_130_comments_and_only_by_marker_and_author(comment: Callable[..., Result], forge: Forge, provider: str) -> None:
    stranger = forge.add("mallory", comment_body(due="1.00", at="2027-01-01T00:00:00Z"))
    for i in range(130):
        forge.add("ann", f"looks good {i}")
    forge.add(who(forge), "some other bot's text\n" + comment_body(due="1.00", at="2026-01-01T00:00:00Z"))
    other = forge.add(who(forge), comment_body(due="1.00", at="2026-01-01T00:00:00Z", key="0f0c7a52/dev"))
    ours = forge.add(who(forge), comment_body(due="1.00", at="2026-01-01T00:00:00Z"))
    before = dict(forge.posted)
    assert comment(comment_body(due="24.00", at="2026-11-22T07:45:00Z")).code == 0
    assert "+$24.00" in forge.posted[ours][1]
    assert {i: forge.posted[i] for i in forge.posted if i != ours} == {i: before[i] for i in before if i != ours}
    assert {stranger, other} < set(before)


def test_an_older_run_never_overwrites_a_newer_one(comment: Callable[..., Result], forge: Forge, provider: str) -> None:
    comment(comment_body(due="24.00", at="2026-11-22T07:45:00Z"))
    late = comment(comment_body(due="8.00", at="2026-11-22T07:44:59Z"))
    assert (late.code, len(forge.writes)) == (0, 1)
    assert "newer" in late.out


def test_nothing_to_do_begins_no_comment_but_ends_one(comment: Callable[..., Result], forge: Forge, provider: str) -> None:
    quiet = comment_body(due="0.00", at="2026-11-22T07:45:00Z", title="### ✅ LoRA catalog `prod`: no changes")
    assert comment(quiet).code == 0
    assert not forge.writes
    comment(comment_body(due="8.00", at="2026-11-22T07:44:00Z"))
    comment(quiet)
    (posted,) = forge.bodies(who(forge))
    assert "no changes" in posted
    assert "(−$8.00 since the last comment)" in posted


def test_invalid_manifests_take_the_same_comment(comment: Callable[..., Result], forge: Forge) -> None:
    comment(comment_body(due="8.00", at="2026-11-22T07:44:00Z"))
    comment(comment_body(due="", key="", at="2026-11-22T07:45:00Z", title="### ⛔ LoRA catalog: the manifests are not valid"))
    comment(comment_body(due="8.00", at="2026-11-22T07:46:00Z"))
    assert len(forge.bodies()) == 1
    assert len(forge.writes) == 3


def test_a_token_that_may_only_read_is_told_and_is_no_error(comment: Callable[..., Result], forge: Forge, provider: str) -> None:
    variable = "GITHUB_TOKEN" if provider == "github" else "GITLAB_TOKEN"
    done = comment(comment_body(due="8.00"), **{variable: READ_ONLY})
    assert done.code == 0
    assert "may only read" in done.err
    assert not forge.posted


def test_a_job_token_that_does_not_know_itself_posts_nothing(comment: Callable[..., Result], forge: Forge, provider: str) -> None:
    """Without knowing the author each run would add another comment."""
    forge.me = None
    if provider == "gitlab":
        done = comment(comment_body(due="8.00"), without="GITLAB_TOKEN", CI_JOB_TOKEN=TOKEN)
        assert (done.code, forge.writes) == (0, [])
        assert "-author" in done.out
        assert all("private-token" not in seen.headers for seen in forge.seen)


def test_after_the_merge_the_comment_of_the_request_becomes_the_result(comment: Callable[..., Result], forge: Forge, provider: str) -> None:
    comment(comment_body(due="8.00", at="2026-11-22T07:44:00Z"))
    forge.pulls["ab" * 20] = 7
    gone = "GITHUB_REF" if provider == "github" else "CI_MERGE_REQUEST_IID"
    done = comment(comment_body(due="8.00", at="2026-11-22T09:00:00Z", title="### ✅ LoRA catalog `prod`: applied"), without=gone)
    assert done.code == 0
    (posted,) = forge.bodies(who(forge))
    assert "applied" in posted
    forge.pulls.clear()
    assert "no pull request" in comment(comment_body(due="9.00", at="2026-11-22T10:00:00Z"), without=gone).out


def test_the_label_follows_what_is_due(comment: Callable[..., Result], forge: Forge, provider: str) -> None:
    forge.labels = ["bug", "lora +$99"]
    comment(comment_body(due="1240.00", at="2026-11-22T07:44:00Z"), "-label")
    assert forge.labels == ["bug", "lora +$1240"]
    comment(comment_body(due="0.00", at="2026-11-22T07:45:00Z"), "-label")
    assert forge.labels == ["bug"]
    assert label_of(ZERO) is None


def test_the_key_of_the_trainer_never_reaches_the_forge(comment: Callable[..., Result], forge: Forge, suite_key: str) -> None:
    """The suite's key stands in the environment of the command."""
    comment(comment_body(due="8.00"), PIXAZO_API_KEY=suite_key)
    assert forge.writes
    sent = "".join(f"{seen.path}{seen.headers}{seen.body!r}" for seen in forge.seen)
    assert suite_key not in sent
    assert {seen.headers["authorization"] for seen in forge.seen} == {f"Bearer {TOKEN}"}


def test_a_redirect_is_not_followed_and_takes_no_token_along(comment: Callable[..., Result], forge: Forge) -> None:
    with Forge() as other:
        forge.answers = [(302, {"Location": f"{other.url}/user"})]
        done = comment(comment_body(due="8.00"))
        assert done.code == 1
        assert not other.seen


def test_faults_of_the_way_are_tried_again_for_reading_and_not_for_writing(comment: Callable[..., Result], forge: Forge) -> None:
    forge.answers = [(502, {}), (403, {"Retry-After": "0"})]
    assert comment(comment_body(due="8.00", at="2026-11-22T07:44:00Z"), "-author", BOT).code == 0
    forge.seen.clear()
    real = forge.answer
    forge.answer = lambda seen: (502, {"message": "later"}) if seen.method != "GET" else real(seen)  # type: ignore[method-assign]
    failed = comment(comment_body(due="9.00", at="2026-11-22T07:45:00Z"))
    assert failed.code == 1
    assert "502" in failed.err
    assert len(forge.writes) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"without": "GITHUB_TOKEN"}, 64),
        ({"GITHUB_TOKEN": "a\nb"}, 64),
        ({"GITHUB_TOKEN": "wrong-token"}, 1),
        ({"GITHUB_REPOSITORY": "../../x"}, 64),
        ({"GITHUB_API_URL": "http://forge.example.com"}, 64),
        ({"GITHUB_API_URL": "http://127.0.0.1:1"}, 1),
        ({"without": "GITHUB_ACTIONS"}, 64),
    ],
    ids=str,
)
def test_what_cannot_work_is_said_without_the_token(comment: Callable[..., Result], changes: dict[str, str], code: int) -> None:
    done = comment(comment_body(due="8.00"), **changes)
    assert done.code == code, done
    assert TOKEN not in done.text
    assert "Traceback" not in done.text


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no marker\n",
        "<!-- reconciler {} -- >\n",
        '<!-- reconciler {"due":"NaN"} -->\nx',
        "<!-- reconciler [1] -->\n",
        comment_body(due="1.00") + "x" * 60_000,
    ],
    ids=["empty", "none", "broken", "nan", "list", "long"],
)
def test_a_file_that_is_no_comment_of_ours_is_refused(comment: Callable[..., Result], forge: Forge, body: str) -> None:
    assert comment(body).code == 1
    assert not forge.seen
    assert comment("x", "-file=missing.md").code == 64


@pytest.mark.parametrize("facts", ["[]", "1", '{"due":1e999}', '{"due":"-1"}', '{"due":{}}', '{"at":5,"key":[]}', "{" * 100])
def test_a_marker_that_somebody_edited_is_no_marker_or_an_old_one(facts: str) -> None:
    found = read_marker(f"<!-- reconciler {facts} -->\nx")
    assert found is None or (found.at, found.key) == ("", "")


def test_the_answer_of_a_hostile_forge_is_not_repeated_raw(comment: Callable[..., Result], forge: Forge) -> None:
    def answer(_seen: Any) -> tuple[int, Any]:
        return 500, {"message": "\x1b[31m\n::error::boo"}

    forge.answer = answer  # type: ignore[method-assign]
    done = comment(comment_body(due="8.00"), "-author", BOT)
    assert done.code == 1
    assert "\x1b" not in done.text
    assert not any(line.startswith("::") for line in done.text.splitlines())
    assert json.dumps(done.err)


@pytest.mark.parametrize("level", ["info", "debug", "trace"])
def test_the_log_holds_what_was_asked_and_neither_token_nor_body(
    comment: Callable[..., Result], forge: Forge, provider: str, level: str, tmp_path: Path
) -> None:
    forge.answers = [(502, {"X-Echo": TOKEN})]
    log = tmp_path / "log"
    body = comment_body(due="98765.43")
    assert comment(body, "-label", RECONCILER_LOG=level, RECONCILER_LOG_PATH=str(log)).code == 0
    rows = [json.loads(row) for row in log.read_text().splitlines()]
    asked = [row for row in rows if row["@message"] == "request"]
    assert [row["method"] for row in asked] == [seen.method for seen in forge.seen]
    assert asked[0]["status"] == 502
    assert TOKEN not in log.read_text()
    assert "98765.43" not in log.read_text()
    assert ("<key>" in log.read_text()) == (level == "trace"), "headers are logged at trace, the token in them is not"
    assert any(row["@message"] == "wire" and row["origin"] == forge.url for row in rows) == (level != "info")


@pytest.mark.parametrize("shape", [TOKEN, base64.b64encode(f"user:{TOKEN}".encode()).decode(), TOKEN.replace("-", "%2d")], ids=["plain", "base64", "url"])
def test_a_token_that_a_forge_repeats_is_not_repeated_by_us(comment: Callable[..., Result], forge: Forge, shape: str) -> None:
    def answer(_seen: Any) -> tuple[int, Any]:
        return 401, {"message": f"bad credentials: {shape}"}

    forge.answer = answer  # type: ignore[method-assign]
    done = comment(comment_body(due="8.00"), "-author", BOT)
    assert done.code == 1
    assert "bad credentials" in done.err
    assert "<key>" in done.err
    assert TOKEN not in done.text
    assert shape not in done.text


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_forge_that_drips_is_left_at_the_deadline(comment: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """A read that waits for each byte only would wait for ever."""
    monkeypatch.setattr(wire, "DEADLINE_SECONDS", 0.4)
    monkeypatch.setattr(wire, "TRIES", 1)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n"
    drops = [head + (b"" if part == "head" else b"\r\n"), *[b"x"] * 600]
    with RawServer([after_reading(lambda peer: peer.drip(iter(drops)))]) as server:
        done = comment(comment_body(due="8.00"), "-author", BOT, GITHUB_API_URL=server.url)
    assert done.code == 1
    assert "within 0.4 s" in done.err


@pytest.mark.parametrize(
    "proxy", ["foo bar", "http://", "socks5://127.0.0.1:1", "http://127.0.0.1:99999", "http://[", "http://u:hunter22@127.0.0.1:1/x?y", "\x01"]
)
def test_a_proxy_that_is_none_is_an_error_and_is_not_repeated(comment: Callable[..., Result], proxy: str) -> None:
    done = comment(comment_body(due="8.00"), "-author", BOT, GITHUB_API_URL="https://127.0.0.1:9", HTTPS_PROXY=proxy)
    assert done.code == 1
    assert "HTTPS_PROXY is not the URL" in done.err
    assert "hunter22" not in done.text
