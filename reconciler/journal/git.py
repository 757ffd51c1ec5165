"""The journal on a branch: the truth is `purchases.jsonl` at the tip of BRANCH at `origin`, the local file is a copy of it.

A plain push is the compare-and-swap: it lands only on top of what was fetched. So a fact is in the journal when it has
landed, and only then in the copy; what the copy has never seen of our own was never sent. The copy is all that readers
need; they ask nobody. An answer that was paid for is kept aside on this disk until it has landed.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from reconciler.errors import HeadMoved, StateProblem
from reconciler.fact import Draft, Fact, Kind
from reconciler.journal.aside import Aside
from reconciler.journal.chain import Line, encode_all
from reconciler.journal.copy import check_addition, extended, extends, line_start, lineage_of, lines_missing, replace_copy, whole_lines
from reconciler.journal.file import FileJournal
from reconciler.journal.plumbing import REMOTE, Git, check_branch
from reconciler.ports import Head, Shared, Whose

ASIDE_FILE = "runner.jsonl"
FILE = "purchases.jsonl"
_AGAIN_SECONDS = (0.2, 1.0, 3.0)
"""Pauses between tries when it is not known why a push did not land."""
_ATTEMPT = re.compile(r"at-[0-9a-z-]{1,64}")
MOST_REMEMBERED = 1000
"""So many attempts that never became public are remembered, should a push that seemed lost land late."""


class GitJournal(FileJournal):
    """A journal that several runners share. Everything but `read` and `close` is for the holder of the lock.

    Before `fetch`, `read` gives what is known here without asking anybody: the copy, and what a `git fetch` has brought.
    """

    def __init__(self, path: Path, git: Git, branch: str, *, lineage: str | None = None) -> None:
        check_branch(branch)
        super().__init__(path)
        self.shared: Shared | None = self
        self.branch = branch
        self.git = git
        self._lineage = lineage
        self._aside = Aside(path.with_name(ASIDE_FILE))
        self._tip: str | None = None
        self._unsent: set[str] = set()

    @property
    def where(self) -> str:
        """The branch, in words."""
        return f"branch {self.branch} at {REMOTE}"

    def fetch(self) -> None:
        """See `ports.Shared.fetch`. Raises StateProblem also when the branch has lost facts that were in it once."""
        tip = self.remote_tip()
        if tip is None:
            raise StateProblem(
                f"the journal is missing: there is no {self.where}; what was bought is not known, so nothing is bought",
                hint="`reconciler journal push` makes the branch from the local journal; if it was there before, restore it",
            )
        if tip == self._tip:
            return
        content = self.content_of(tip)
        copy = self.copy()
        missing = [] if extends(content, copy) else lines_missing(content, copy)
        if missing:
            raise StateProblem(
                f"{len(missing)} facts of the local journal are not in {self.where}: it was rewritten, or they were written elsewhere; nothing was sent",
                hint="`reconciler journal push` merges them into it",
            )
        self.take(content)
        self._tip = tip

    def append(self, drafts: Sequence[Draft], head: Head) -> tuple[Head, list[Fact]]:
        """See `ports.Journal.append`. Raises StateProblem when it cannot be known to have landed; then it may still land later."""
        if not drafts:
            return super().append(drafts, head)
        if self._tip is None:
            self.fetch()
        copy = self.copy()
        if len(copy) != head.length or sha256(copy).hexdigest() != head.digest:
            raise HeadMoved("another runner appended to the journal first")
        lines = encode_all(drafts, head.hashes)
        attempts = [str(draft.data["attempt"]) for draft in drafts if draft.kind is Kind.INTENT]
        self._aside.begin(attempts)
        self.land({FILE: copy + b"".join(line.raw + b"\n" for line in lines)}, self._tip, lines[-1].fact.hash, _subject(drafts))
        try:
            return super().append(drafts, head)
        except StateProblem as problem:
            raise StateProblem(f"it is in {self.where}, but not in the local copy: {problem.message}", hint=problem.hint) from problem

    def reserve(self, count: int) -> None:
        """See `ports.Journal.reserve`."""
        super().reserve(count)
        self._aside.reserve(count)

    def close(self) -> None:
        """See `ports.Journal.close`."""
        super().close()
        self._aside.close()

    def keep(self, drafts: Sequence[Draft]) -> None:
        """See `ports.Shared.keep`."""
        self._aside.keep(drafts)

    def kept(self) -> list[Draft]:
        """See `ports.Shared.kept`."""
        kept = self._aside.kept()
        copy = self.copy() if kept else b""
        return [draft for draft in kept if line_start(draft) not in copy]

    def whose(self, attempt: str) -> Whose:
        """See `ports.Shared.whose`."""
        if attempt in self._unsent:
            return Whose.OURS_UNSENT
        return Whose.OURS if attempt in self._aside.begun() else Whose.ANOTHERS

    def settle_up(self) -> None:
        """See `ports.Shared.settle_up`."""
        copy = self.copy()
        unseen = sorted(a for a in self._aside.begun() if _mark(a) not in copy)
        self._aside.start_again(unseen[-MOST_REMEMBERED:])

    def remote_tip(self) -> str | None:
        """The branch's commit at the remote, fetched; None when there is no such branch. Raises StateProblem when nobody answers."""
        trouble: StateProblem | None = None
        for pause in (0.0, *_AGAIN_SECONDS[:2]):
            time.sleep(pause)
            try:
                return self.git.fetch(self.branch, self._ref)
            except StateProblem as problem:
                trouble = problem
        assert trouble is not None
        raise StateProblem(f"{self.where} cannot be reached, so it is not known what others bought; {trouble.message}; nothing was sent", hint=trouble.hint)

    def content_of(self, tip: str) -> bytes:
        """The journal at a fetched commit. Raises StateProblem when it is not there or of another lineage."""
        content = self.git.content(tip, FILE)
        if not content or not content.endswith(b"\n"):
            raise StateProblem(f"{self.where} holds no whole {FILE}; nothing was sent", hint="restore the branch; only `reconciler journal push` writes it")
        found = lineage_of(content)
        if self._lineage is not None and found != self._lineage:
            raise StateProblem(f"{self.where} holds the journal of another project (lineage {found!r:.40}); nothing was sent", hint="use another branch")
        return content

    def copy(self) -> bytes:
        """The whole lines of the local copy; empty when there is none."""
        return whole_lines(super()._content()) if self.path.exists() else b""

    def take(self, content: bytes) -> None:
        """Make `content`, which has every line of it, the local copy. What of ours it shows for the first time was never sent."""
        copy = self.copy()
        self._unsent |= {a for a in self._aside.begun() if _mark(a) not in copy and _mark(a) in content}
        if content == copy and self.path.exists() and self.path.stat().st_size == len(copy):
            return
        check_addition(content, copy)
        super().close()
        if copy and content.startswith(copy):
            extended(self.path, content[len(copy) :], start=len(copy))
        else:
            replace_copy(self.path, content)

    def absorb(self, lines: Sequence[Line]) -> None:
        """See `FileJournal.absorb`: to the branch, then to the copy."""
        if self._tip is None:
            self.fetch()
        copy = self.copy()
        if len(copy) != self._end:
            raise HeadMoved("another runner appended to the journal first")
        if lines:
            addition = b"".join(line.raw + b"\n" for line in lines)
            self.land({FILE: copy + addition}, self._tip, lines[-1].fact.hash, f"journal: {len(lines)} facts of another copy")
        super().absorb(lines)

    def land(self, files: Mapping[str, bytes], parent: str | None, last: str, subject: str) -> None:
        """Push until it is known whether these files have landed on top of `parent`; `last` is the hash of the journal's last line.

        Raises HeadMoved when others were faster, StateProblem when it cannot be known.
        """
        commit = self.git.commit(files, parent, subject)
        trouble = ""
        for pause in (0.0, *_AGAIN_SECONDS):
            time.sleep(pause)
            pushed = self.git.push(commit, self.branch)
            if pushed.code == 0:
                self._tip = commit
                self.git.point(self._ref, commit)
                return
            trouble = pushed.said or "the push was refused"
            try:
                tip = self.git.fetch(self.branch, self._ref)
            except StateProblem as problem:
                trouble = problem.message
                continue
            if tip is not None and tip != parent:
                self._moved_to(tip, commit, last)
                return
        raise StateProblem(f"{self.where} did not take it: {trouble}", hint="`reconciler doctor`; the branch must take plain pushes of this runner")

    def _moved_to(self, tip: str, commit: str, last: str) -> None:
        """The answer of a push may be lost although it landed: our lines tell."""
        if tip == commit or f'"sha256":"{last}"'.encode("ascii") in self.content_of(tip):
            self._tip = commit
            return
        raise HeadMoved("another runner appended to the journal first")

    def last_seen(self) -> bytes:
        """The journal at the remote as it was seen here last, by us or by a `git fetch`. Asks nobody; empty when it never was."""
        tips = (self.git.commit_of(ref) for ref in (f"refs/remotes/{REMOTE}/{self.branch}", self._ref))
        return max((self.content_of(tip) for tip in tips if tip is not None), key=len, default=b"")

    def waiting(self) -> list[Draft]:
        """As `kept`, for readers: what was paid for and is not in the journal that is known here."""
        content = self._content() if self.path.exists() else b""
        return [draft for draft in self._aside.kept() if line_start(draft) not in content]

    def _content(self) -> bytes:
        """The copy, and before the first `fetch` whatever git has already brought."""
        if self._tip is not None:
            return super()._content()
        copy, brought = self.copy(), self._brought()
        if not brought:
            return whole_lines(super()._content())
        return brought if extends(brought, copy) else copy + b"".join(line + b"\n" for line in lines_missing(copy, brought))

    def _brought(self) -> bytes:
        """The journal at the remote-tracking branch, as it is here. Asks nobody."""
        try:
            tip = self.git.commit_of(f"refs/remotes/{REMOTE}/{self.branch}")
            return b"" if tip is None else self.content_of(tip)
        except StateProblem:
            if self.path.exists():
                return b""
            raise

    @property
    def _ref(self) -> str:
        """Where the fetched tip stands: a reference of this folder's own, so that work trees of one repository do not meet."""
        return f"refs/reconciler/{sha256(os.fsencode(self.path.absolute())).hexdigest()[:12]}/{self.branch}"


def _mark(attempt: str) -> bytes:
    return f'"attempt":"{attempt}"'.encode()


def _subject(drafts: Sequence[Draft]) -> str:
    """The commit's message: what kinds of facts it adds. No foreign text."""
    counts = {str(kind): sum(draft.kind is kind for draft in drafts) for kind in Kind}
    return "journal: " + ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
