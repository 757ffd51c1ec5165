"""Git as a place for a file at the tip of a branch: plumbing commands only, so work tree, index and current branch are never touched.

No shell, no hooks, no prompt, no terminal, never a forced push. Every call has a deadline; what git says is made inert
before it stands in a message. What the file means, and who wins a race, is decided in `git.py`.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from reconciler.errors import Invalid, StateProblem
from reconciler.text import safe

LOCAL_SECONDS = 60.0
REMOTE_SECONDS = 60.0
MAX_BLOB_BYTES = 4 << 30
REMOTE = "origin"
_HOUSE = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.askPass="),
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
    *("-c", "push.gpgSign=false"),
    *("-c", "push.recurseSubmodules=no"),
    *("-c", "fetch.recurseSubmodules=no"),
    *("-c", "http.lowSpeedLimit=100"),
    *("-c", "http.lowSpeedTime=20"),
    *("-c", "user.name=reconciler"),
    *("-c", "user.email=reconciler@localhost"),
    *("-c", "user.useConfigOnly=true"),
)
_DROPPED = re.compile(r"(?i)(PIXAZO_|RECONCILER_|SSH_ASKPASS|GIT_(?!SSH|SSL_|HTTP_|PROXY_|CONFIG)).*|DISPLAY|WAYLAND_DISPLAY")
"""The API key is nobody's business, nothing may ask, and variables that point git elsewhere do not hold here."""
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+-]{0,199}")
_DISGUISED = re.compile(r"^-|^[A-Za-z0-9+.-]*::|://-|@-|[\x00-\x1f\x7f]")
_PROTOCOLS = "file:git:http:https:ssh"
NO_PROTOCOL = "none"
"""Git may not talk to anybody, not even to fetch an object that a partial clone lacks."""


class Done(NamedTuple):
    """What a git command came to. `said` is its stderr, inert and short."""

    code: int
    out: bytes
    said: str


def check_branch(branch: str) -> None:
    """Raise Invalid for what cannot be a branch, or could be taken for anything else."""
    parts = branch.split("/")
    bad = any(not part or part.startswith(".") or part.endswith((".", ".lock")) for part in parts)
    if bad or ".." in branch or branch == "HEAD" or not _BRANCH.fullmatch(branch):
        raise Invalid((), f"`state.journal: git:{safe(branch, limit=80)}`: this is no branch name", hint="letters, digits and . _ / + -, like git:lora-state")


class Git:
    """One repository, seen from a folder in it, and its remote `origin`."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._is_checked = False
        kept = {name: value for name, value in environment.items() if not _DROPPED.fullmatch(name)}
        self._environment = kept | {
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_INDEX_FILE": os.devnull,
            "SSH_ASKPASS_REQUIRE": "never",
            "GCM_INTERACTIVE": "never",
            "LC_ALL": "C",
        }

    def commit_of(self, ref: str) -> str | None:
        """The commit that a full reference name stands for here, without asking anybody; None when there is none."""
        done = self._run("rev-parse", "--quiet", "--verify", f"{ref}^{{commit}}")
        if done.code == 0:
            return done.out.decode("ascii", "replace").strip()
        if done.said:
            raise self._problem("rev-parse", done)
        return None

    def content(self, commit: str, name: str) -> bytes | None:
        """The file `name` at the top of a commit; None when it is not there. Raises StateProblem when the object is not here."""
        row = self._tree(commit).get(name)
        if row is None:
            return None
        if not row.startswith("100"):
            raise StateProblem(f"{name} at {commit[:12]} is not a regular file")
        blob = row.split(" ")[2]
        if int(self._must("cat-file", "-s", blob)) > MAX_BLOB_BYTES:
            raise StateProblem(f"{name} at {commit[:12]} has more than {MAX_BLOB_BYTES} bytes")
        return self._must("cat-file", "blob", blob)

    def commit(self, files: Mapping[str, bytes], parent: str | None, message: str) -> str:
        """A commit on top of `parent` in which these files have this content and all others are as they were. Moves nothing."""
        rows = {} if parent is None else self._tree(parent)
        for name, content in files.items():
            blob = self._must("hash-object", "-w", "-t", "blob", "--stdin", stdin=content).decode("ascii").strip()
            rows[name] = f"100644 blob {blob}"
        listing = b"".join(f"{row}\t".encode("ascii") + os.fsencode(name) + b"\0" for name, row in rows.items())
        tree = self._must("mktree", "--missing", "-z", stdin=listing).decode("ascii").strip()
        parents = () if parent is None else ("-p", parent)
        return self._must("commit-tree", tree, *parents, stdin=message.encode("utf-8")).decode("ascii").strip()

    def fetch(self, branch: str, into: str) -> str | None:
        """Fetch the remote's branch into the reference `into`; its commit, or None when the remote has no such branch.

        Raises StateProblem when the remote cannot be reached. Nothing else is fetched, and no other reference moves.
        """
        self._check_remote()
        words = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--refmap=", "--", REMOTE)
        done = self._run("fetch", *words, f"+refs/heads/{branch}:{into}", seconds=REMOTE_SECONDS, protocols=_PROTOCOLS)
        if done.code == 0:
            return self.commit_of(into)
        if self._lacks(branch):
            return None
        raise self._problem("fetch", done)

    def point(self, ref: str, commit: str) -> None:
        """Let one of our own references stand for `commit`."""
        self._must("update-ref", ref, commit)

    def push(self, commit: str, branch: str) -> Done:
        """A plain push: it moves the remote's branch to `commit` only when that is ahead of it. Code 0 when it did."""
        self._check_remote()
        target = f"{commit}:refs/heads/{branch}"
        return self._run("push", "--quiet", "--porcelain", "--no-verify", "--", REMOTE, target, seconds=REMOTE_SECONDS, protocols=_PROTOCOLS)

    def remote_urls(self) -> list[str]:
        """Where `origin` is fetched from and pushed to. Raises StateProblem outside of a repository or without an origin.

        An address that is an option or a command in disguise is refused, whoever configured it.
        """
        urls: list[str] = []
        for words in (("--all",), ("--push", "--all")):
            done = self._run("remote", "get-url", *words, "--", REMOTE)
            if done.code:
                raise self._problem("remote get-url", done)
            urls += done.out.decode("utf-8", "replace").split("\n")
        for url in filter(None, urls):
            if _DISGUISED.search(url):
                raise StateProblem(f"the git remote {REMOTE} has an address that is none, {safe(url, limit=80)}; nothing was sent")
        return list(dict.fromkeys(filter(None, urls)))

    def _check_remote(self) -> None:
        if not self._is_checked:
            self.remote_urls()
            self._is_checked = True

    def _lacks(self, branch: str) -> bool:
        """Whether the remote was reached and has no such branch."""
        words = ("--quiet", "--exit-code", "--", REMOTE, f"refs/heads/{branch}")
        return self._run("ls-remote", *words, seconds=REMOTE_SECONDS, protocols=_PROTOCOLS).code == 2

    def _tree(self, commit: str) -> dict[str, str]:
        """File name → `mode type object` of everything at the top of a commit."""
        rows = self._must("ls-tree", "--full-tree", "-z", commit).split(b"\0")
        pairs = (row.partition(b"\t") for row in rows if row)
        return {os.fsdecode(name): head.decode("ascii", "replace") for head, _, name in pairs}

    def _must(self, *words: str, stdin: bytes = b"") -> bytes:
        done = self._run(*words, stdin=stdin)
        if done.code:
            raise self._problem(words[0], done)
        return done.out

    def _problem(self, what: str, done: Done) -> StateProblem:
        hint = "`git:BRANCH` keeps the journal in the repository that holds the project, at its remote `origin`"
        return StateProblem(f"git {what} failed: {done.said or f'exit code {done.code}'}", hint=hint)

    def _run(self, *words: str, stdin: bytes = b"", seconds: float = LOCAL_SECONDS, protocols: str = NO_PROTOCOL) -> Done:
        environment = self._environment | {"GIT_ALLOW_PROTOCOL": protocols}
        try:
            # A session of its own: no terminal to ask at, and Ctrl-C does not cut a push in two.
            process = subprocess.Popen(
                ["git", *_HOUSE, *words],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise StateProblem(f"git cannot be started: {error.strerror}", hint="install git, or use `state.journal: file`") from error
        with process:
            try:
                out, err = process.communicate(stdin, timeout=seconds)
            except subprocess.TimeoutExpired:
                _end(process)
                return Done(124, b"", f"no answer within {seconds:g} s")
        return Done(process.returncode, out, said(err))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and what it started; its session is its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.communicate()


def said(err: bytes) -> str:
    """What git and the remote wrote to stderr as one inert line: what says why, without advice."""
    lines = [line.strip() for line in err.decode("utf-8", "replace").splitlines()]
    why = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "!"))] or [line for line in lines if line]
    return safe("; ".join(why[-4:]), limit=300)
