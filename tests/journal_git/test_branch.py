"""The branch as memory: missing, foreign, rewritten, out of reach, hostile; and what git is never allowed to do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reconciler.emulator.server import Emulator
from reconciler.errors import Invalid
from reconciler.journal.plumbing import check_branch
from tests.journal_git.clones import BRANCH, Forge, facts, git, template
from tests.life.folder import Folder

Make = Callable[[int], Forge]


def set_journal(folder: Folder, value: str) -> None:
    manifest = folder.path / "reconciler.yaml"
    manifest.write_text(manifest.read_text().replace(f"git:{BRANCH}", value))


# missing memory


def test_an_absent_branch_is_missing_memory_and_never_a_new_catalog(forge: Make, emulator: Emulator) -> None:
    """P4."""
    here = forge(1)
    git(here.bare, "branch", "-D", BRANCH)
    runner = here.clone("runner")
    for words in ("apply -auto-approve", "refresh", "journal pull", "journal push", "plan", "status"):
        result = runner.run(*words.split())
        assert result.code == 1, (words, result)
        assert "missing" in result.text
    assert not emulator.books.charges()


def test_init_starts_no_second_history_beside_a_branch(forge: Make) -> None:
    here = forge(1)
    clone = here.clone("clone")
    before = here.tip()
    assert clone.run("init").code == 1
    assert here.tip() == before
    assert not (clone.path / "state" / "purchases.jsonl").exists()


def test_a_branch_of_another_project_is_refused(forge: Make, emulator: Emulator, tmp_path: Path) -> None:
    here = forge(1)
    other = template(tmp_path / "other") / "origin.git"
    git(here.bare, "fetch", "-q", str(other), f"+{BRANCH}:{BRANCH}")
    result = here.clone("clone").apply()
    assert result.code == 1
    assert "another project" in result.text
    assert not emulator.books.charges()
    assert here.first.run("journal", "push").code == 1


def test_a_damaged_branch_is_refused(forge: Make, emulator: Emulator) -> None:
    """P4: whatever a fresh runner finds there, nothing of it is taken over."""
    here = forge(2)
    assert here.clone("buyer").apply("-target=m00").code == 0
    fresh = here.clone("fresh")
    lines = here.journal().splitlines(keepends=True)
    damages = {
        "a line is missing": "".join(lines[:2] + lines[3:]),
        "a bit flipped": "".join(lines).replace('"price":"8.00"', '"price":"9.00"', 1),
        "empty": "",
        "no file": None,
        "a link": None,
        "half a line": "".join(lines)[:-20],
        "binary": "\x00\x01" * 1000 + "\n",
    }
    for damage, bad in damages.items():
        rewrite(here, bad, link=damage == "a link")
        result = fresh.apply()
        assert result.code == 1, (damage, result)
        assert "Traceback" not in result.text
        assert not (fresh.path / "state" / "purchases.jsonl").exists(), damage
    assert len(emulator.books.charges()) == 1


def rewrite(here: Forge, content: str | None, *, link: bool = False) -> None:
    """Put another commit there, as somebody with too many rights would."""
    rows = "100644 blob {}\tREADME.md\n".format(blob(here, "readme"))
    if content is not None or link:
        rows += f"{'120000' if link else '100644'} blob {blob(here, '/etc/passwd' if link else content or '')}\tpurchases.jsonl\n"
    tree = run_git(here.bare, "mktree", stdin=rows)
    commit = git(here.bare, "commit-tree", "-p", BRANCH, "-m", "rewritten", tree).strip()
    git(here.bare, "update-ref", f"refs/heads/{BRANCH}", commit)


def blob(here: Forge, content: str) -> str:
    return run_git(here.bare, "hash-object", "-w", "--stdin", stdin=content)


def run_git(folder: Path, *words: str, stdin: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, input=stdin, capture_output=True, text=True, check=True).stdout.strip()


def test_a_branch_that_lost_facts_is_refused_by_whoever_knew_them_and_healed_by_a_push(forge: Make, emulator: Emulator) -> None:
    """P4: a cut tail does not show to a fresh machine, but to everybody else."""
    here = forge(3)
    runner = here.clone("runner")
    before = here.tip()
    assert runner.apply().code == 0
    git(here.bare, "update-ref", f"refs/heads/{BRANCH}", before)
    result = runner.apply()
    assert result.code == 1
    assert "rewritten" in result.text
    assert "journal push" in result.text
    assert runner.run("journal", "status", "-json").json["only_here"] > 0
    pushed = runner.run("journal", "push", "-json")
    assert pushed.code == 0, pushed
    assert pushed.json["went"] > 0
    assert runner.apply().code == 0
    assert here.clone("fresh").apply().code == 0
    assert len(emulator.books.charges()) == 3


# switching on, merging


def test_the_branch_holds_the_journal_and_a_word_about_it_and_nothing_else_of_the_project(forge: Make) -> None:
    here = forge(1)
    assert git(here.bare, "ls-tree", "--name-only", BRANCH).split() == ["README.md", "purchases.jsonl"]
    assert git(here.bare, "rev-list", "--max-parents=0", "--count", BRANCH).strip() == "1"
    again = here.first.run("journal", "push", "-json")
    assert again.code == 0
    assert (again.json["went"], again.json["is_new"]) == (0, False)


def test_two_local_histories_are_joined_by_union_and_what_was_bought_twice_is_named(forge: Make, emulator: Emulator) -> None:
    """P6: two copies bought apart with local journals; both push."""
    here = forge(3)
    git(here.bare, "branch", "-D", BRANCH)
    state = here.first.path / "state" / "purchases.jsonl"
    folders = [here.clone("left"), here.clone("right")]
    for folder, target in zip(folders, ("m00", "m01"), strict=True):
        set_journal(folder, "file")
        (folder.path / "state").mkdir()
        (folder.path / "state" / "purchases.jsonl").write_bytes(state.read_bytes())
        assert folder.apply(f"-target={target}", "-target=m02").code == 0
        manifest = folder.path / "reconciler.yaml"
        manifest.write_text(manifest.read_text().replace("journal: file", f"journal: git:{BRANCH}"))
    assert len(emulator.books.charges()) == 4
    for folder in folders:
        done = folder.run("journal", "push")
        assert done.code == 0, done
    for folder in (folders[1], here.clone("fresh")):
        done = folder.apply()
        assert done.code == 0, done
        for told in (done, folder.run("plan"), folder.run("refresh")):
            assert "bought the same twice, $8.00" in told.err, told
        assert len(folder.jobs()) == 4
    assert len(emulator.books.charges()) == 4


def test_other_files_on_the_branch_stay_as_they_are(forge: Make, emulator: Emulator, tmp_path: Path) -> None:
    here = forge(1)
    git(tmp_path, "clone", "-q", "-b", BRANCH, str(here.bare), "by-hand")
    (tmp_path / "by-hand" / "sub").mkdir()
    (tmp_path / "by-hand" / "sub" / "notes.txt").write_text("mine")
    git(tmp_path / "by-hand", "add", "-A")
    git(tmp_path / "by-hand", "commit", "-qm", "notes")
    git(tmp_path / "by-hand", "push", "-q")
    assert here.clone("runner").apply().code == 0
    assert git(here.bare, "show", f"{BRANCH}:sub/notes.txt") == "mine"


# out of reach


def vanish_after_the_intent(here: Forge) -> Path:
    """The remote takes one push and is gone; where it went."""
    away = here.path / "away.git"
    hook = here.bare / "hooks" / "post-receive"
    hook.write_text(f"#!/bin/sh\nmv '{here.bare}' '{away}'\n")
    hook.chmod(0o755)
    return away


def come_back(here: Forge, away: Path) -> None:
    (away / "hooks" / "post-receive").unlink()
    away.rename(here.bare)


def test_an_answer_that_finds_the_remote_gone_is_kept_and_enters_the_journal_at_the_next_start(forge: Make, emulator: Emulator) -> None:
    """P2: the remote vanishes between the intent and the answer."""
    here = forge(2)
    runner = here.clone("runner")
    away = vanish_after_the_intent(here)
    done = runner.apply("-target=m00")
    assert done.code == 1, done
    request_id = emulator.books.charges()[0].request_id
    assert f"answered as {request_id}" in done.err, "said before it travels"
    assert f"is request id {request_id}" in done.err
    assert "enters the journal at the next start" in done.err
    assert "nothing was bought" not in done.err
    waiting = runner.run("journal", "status", "-json").json["waiting"]
    assert [row["request_id"] for row in waiting if row["kind"] == "outcome"] == [request_id]
    assert runner.apply().code == 1, "nothing is bought while nobody can be asked"
    come_back(here, away)
    done = runner.apply()
    assert done.code == 0, done
    assert request_id in {row.get("request_id") for row in facts(here.journal(), "outcome")}
    assert len(emulator.books.charges()) == 2
    assert runner.run("journal", "status", "-json").json["waiting"] == []


def test_a_push_at_the_end_of_a_pipeline_brings_what_the_apply_could_not(forge: Make, emulator: Emulator) -> None:
    here = forge(1)
    runner = here.clone("runner")
    away = vanish_after_the_intent(here)
    assert runner.apply().code == 1
    come_back(here, away)
    done = runner.run("journal", "push")
    assert done.code == 0, done
    assert "waited" in done.text
    assert emulator.books.charges()[0].request_id in {row.get("request_id") for row in facts(here.journal(), "outcome")}


def test_an_intent_that_cannot_be_pushed_is_not_sent(forge: Make, emulator: Emulator) -> None:
    """A branch that is protected against this runner: nothing is bought, and the remote's words are told."""
    here = forge(1)
    hook = here.bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'the branch is \033[31mprotected' >&2\nexit 1\n")
    hook.chmod(0o755)
    runner = here.clone("runner")
    result = runner.apply()
    assert result.code == 1
    assert "protected" in result.text
    assert "\033" not in result.text
    assert not emulator.books.charges()
    hook.unlink()
    assert runner.apply().code == 0
    assert len(emulator.books.charges()) == 1


# plan asks nobody


@pytest.fixture
def trap() -> Iterator[tuple[int, list[str]]]:
    """A port that notes who comes."""
    came: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        done = threading.Event()

        def listen() -> None:
            while not done.is_set():
                try:
                    server.accept()[0].close()
                    came.append("somebody")
                except TimeoutError:
                    pass

        thread = threading.Thread(target=listen)
        thread.start()
        yield server.getsockname()[1], came
        done.set()
        thread.join()


def test_reading_commands_ask_nobody(forge: Make, emulator: Emulator, trap: tuple[int, list[str]]) -> None:
    """P9: they read the copy, and what a fetch has brought."""
    port, came = trap
    here = forge(1)
    runner = here.clone("runner")
    assert runner.apply().code == 0
    git(runner.path, "remote", "set-url", "origin", f"git://127.0.0.1:{port}/x")
    for words in ("plan", "status", "jobs list", "journal status", "state verify", "show -resolved m00"):
        assert runner.run(*words.split()).code == 0, words
    assert came == []
    assert runner.run("refresh").code == 1
    assert came


def test_plan_reads_what_a_git_fetch_has_brought(forge: Make, emulator: Emulator) -> None:
    """A pipeline that fetched the branch needs no copy in the work tree."""
    here = forge(2)
    assert here.clone("buyer").apply().code == 0
    fresh = here.clone("fresh")
    git(fresh.path, "fetch", "-q", "origin", f"{BRANCH}:refs/remotes/origin/{BRANCH}")
    before = sorted(fresh.path.rglob("*"))
    assert fresh.actions() == {}
    assert [p for p in sorted(fresh.path.rglob("*")) if ".reconciler" not in p.parts] == [p for p in before if ".reconciler" not in p.parts]


# what git is never allowed to do


def test_work_tree_index_branch_and_config_are_never_touched(forge: Make, emulator: Emulator) -> None:
    here = forge(3)
    runner = here.clone("runner")
    (runner.path / "models" / "half-done.yaml.txt").write_text("x")
    git(runner.path, "add", "models/half-done.yaml.txt")
    (runner.path / ".gitignore").write_text("state/\n.reconciler/\n# edited\n")
    seen = [("status", "--porcelain"), ("rev-parse", "HEAD"), ("symbolic-ref", "HEAD"), ("config", "--local", "--list"), ("branch", "-a")]
    before = [git(runner.path, *words) for words in seen]
    index = (runner.path / ".git" / "index").read_bytes()
    assert runner.apply().code == 0
    assert (runner.path / ".git" / "index").read_bytes() == index
    assert [git(runner.path, *words) for words in seen] == before
    assert not (runner.path / ".git" / "FETCH_HEAD").exists()
    assert not (runner.path / "purchases.jsonl").exists()


def test_no_hook_of_the_clone_runs(forge: Make, emulator: Emulator, tmp_path: Path) -> None:
    here = forge(1)
    runner = here.clone("runner")
    mark = tmp_path / "hook-ran"
    for name in ("pre-push", "reference-transaction", "post-commit", "pre-commit", "commit-msg", "post-checkout"):
        hook = runner.path / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {mark}\nexit 1\n")
        hook.chmod(0o755)
    assert runner.apply().code == 0
    assert not mark.exists()


BAD_BRANCHES = [
    "--upload-pack=touch x",
    "-x",
    "a..b",
    "../main",
    "a b",
    "a:b",
    "+main",
    "HEAD",
    "refs/heads/../x",
    "a.lock",
    "/x",
    "x/",
    "a//b",
    "@{1}",
    "x" * 300,
    "a~1",
    "é",
]


@pytest.mark.parametrize("branch", BAD_BRANCHES)
def test_what_is_no_branch_name_is_refused(branch: str) -> None:
    with pytest.raises(Invalid):
        check_branch(branch)


def test_a_branch_name_that_is_an_option_ends_every_command(forge: Make, emulator: Emulator) -> None:
    here = forge(1)
    runner = here.clone("runner")
    set_journal(runner, "'git:--upload-pack=touch x'")
    for command in (("apply", "-auto-approve"), ("plan",), ("journal", "push")):
        result = runner.run(*command)
        assert result.code == 1, result
        assert "Traceback" not in result.text
    assert not emulator.books.charges()


def test_a_remote_address_that_is_a_command_is_refused(forge: Make, emulator: Emulator, tmp_path: Path) -> None:
    here = forge(1)
    runner = here.clone("runner")
    mark = tmp_path / "mark"
    git(runner.path, "config", "protocol.ext.allow", "always")
    for url in ("--upload-pack=touch {}", "ext::sh -c 'touch {}'", "-oProxyCommand=touch {}", "ssh://-oProxyCommand=touch%20{}/x"):
        git(runner.path, "config", "remote.origin.url", url.format(mark))
        for command in (("apply", "-auto-approve"), ("journal", "push")):
            result = runner.run(*command)
            assert result.code == 1, result
            assert "address" in result.text
    git(runner.path, "config", "remote.origin.url", str(here.bare))
    git(runner.path, "config", "remote.origin.pushurl", f"ext::sh -c 'touch {mark}'")
    assert runner.apply().code == 1
    assert not mark.exists()
    assert not emulator.books.charges()


class Locked(BaseHTTPRequestHandler):
    """Wants a password of everybody."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *words: object) -> None:
        pass


def test_nobody_is_ever_asked_for_a_password_and_the_api_key_stays_with_us(forge: Make, emulator: Emulator, tmp_path: Path) -> None:
    """A remote that wants a login is an error at once; helpers see no key of ours."""
    here = forge(1)
    runner = here.clone("runner")
    asked, helped = tmp_path / "asked", tmp_path / "helped"
    askpass, helper = tmp_path / "askpass.sh", tmp_path / "helper.sh"
    askpass.write_text(f"#!/bin/sh\ntouch {asked}\necho secret\n")
    helper.write_text(f"#!/bin/sh\nenv > {helped}\n")
    for script in (askpass, helper):
        script.chmod(0o755)
    with ThreadingHTTPServer(("127.0.0.1", 0), Locked) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        git(runner.path, "remote", "set-url", "origin", f"http://127.0.0.1:{server.server_address[1]}/x.git")
        git(runner.path, "config", "credential.helper", str(helper))
        result = runner.run("apply", "-auto-approve", GIT_ASKPASS=str(askpass), SSH_ASKPASS=str(askpass), DISPLAY=":0", GIT_TERMINAL_PROMPT="1")
        server.shutdown()
    assert result.code == 1
    assert not asked.exists()
    assert helped.exists()
    assert "PIXAZO" not in helped.read_text()
    assert runner.key is not None
    assert runner.key not in helped.read_text()


def test_a_token_in_the_remotes_address_is_never_shown(forge: Make, emulator: Emulator) -> None:
    here = forge(1)
    runner = here.clone("runner")
    git(runner.path, "remote", "set-url", "origin", "http://oauth2:glpat-secret-token@127.0.0.1:1/x.git")
    for command in (("apply", "-auto-approve"), ("journal", "status"), ("journal", "status", "-json"), ("journal", "pull"), ("doctor",)):
        assert "glpat-secret-token" not in runner.run(*command).text


def test_a_folder_outside_of_any_repository_says_so(tmp_path: Path, emulator: Emulator) -> None:
    folder = Folder.new(tmp_path / "alone", emulator.url)
    manifest = folder.path / "reconciler.yaml"
    manifest.write_text(manifest.read_text().replace("state:\n", f"state:\n  journal: git:{BRANCH}\n"))
    result = folder.run("journal", "push", GIT_CEILING_DIRECTORIES=str(tmp_path))
    assert result.code == 1
    assert "repository" in result.text


@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs root")
def test_plan_works_where_there_is_no_network_at_all(forge: Make, emulator: Emulator) -> None:
    here = forge(1)
    runner = here.clone("runner")
    assert runner.apply().code == 0
    runner.key = None
    words = ["unshare", "-n", "--", sys.executable, "-m", "reconciler", "plan", "-json"]
    done = subprocess.run(words, cwd=runner.path, env=runner.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
