"""The protocol, broken on purpose: each mutant is one promise taken out of the source, and the tests that must notice.

`old` stands exactly once in its file: whoever changes that line is told to look after its mutant.
"""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """`checks` are the tests that are run against it; one failure is enough."""

    name: str
    file: str
    old: str
    new: str
    checks: tuple[str, ...]


ORDER = "tests/model/test_order.py"
STORE = "tests/memory/test_store.py"
CONFORMANCE = "tests/memory/test_conformance.py"
SUBMIT = "tests/pixazo/test_pixazo_submit.py"

MUTANTS = (
    Mutant(
        "no intent",
        "engine/purchase.py",
        "            self.writer.record([intent(attempt)])\n            written = True\n",
        "            written = True\n",
        (ORDER,),
    ),
    Mutant(
        "the intent is written after the request was sent",
        "engine/purchase.py",
        "            self.writer.record([intent(attempt)])\n            written = True\n",
        "            written = True\n            import threading\n\n"
        "            threading.Timer(0.02, lambda: self.writer.record([intent(attempt)])).start()\n",
        (ORDER,),
    ),
    Mutant(
        "the intent is not synced",
        "journal/file.py",
        "            _write_all(descriptor, data, head.length)\n            _sync(descriptor)\n",
        "            _write_all(descriptor, data, head.length)\n",
        (f"{CONFORMANCE}::test_an_append_is_synced_behind_its_last_byte",),
    ),
    Mutant(
        "a failed sync is tried again",
        "journal/file.py",
        "            _write_all(descriptor, data, head.length)\n            _sync(descriptor)\n",
        "            _write_all(descriptor, data, head.length)\n            try:\n                _sync(descriptor)\n"
        "            except OSError:\n                with contextlib.suppress(OSError):\n                    _sync(descriptor)\n",
        (f"{CONFORMANCE}::test_a_sync_that_fails_is_never_tried_again_and_ends_all_purchases",),
    ),
    Mutant(
        "orphans are forgotten",
        "store/sqlite.py",
        "        sending = [a for a in state.doubts if a.status is Sent.SENDING]\n",
        "        sending = []\n",
        (f"{STORE}::test_what_was_being_sent_is_in_doubt_at_the_next_start",),
    ),
    Mutant(
        "said before it is committed",
        "engine/purchase.py",
        "        try:\n            self.writer.record_outcome(",
        "        self._say(attempt, verdict, now)\n        try:\n            self.writer.record_outcome(",
        (ORDER,),
    ),
    Mutant(
        "a doubt does not block its spec",
        "job.py",
        "DOUBTFUL = frozenset({Sent.SENDING, Sent.IN_DOUBT})",
        "DOUBTFUL = frozenset({Sent.SENDING})",
        (f"{STORE}::test_a_doubt_ends_both_ways", f"{STORE}::test_what_was_being_sent_is_in_doubt_at_the_next_start", "tests/model/test_model.py"),
    ),
    Mutant(
        "a doubt is bought again by the next apply",
        "engine/purchase.py",
        "outcome(now, attempt.id, Sent.IN_DOUBT, http_status",
        "outcome(now, attempt.id, Sent.NOT_SENT, http_status",
        ("tests/model/test_model.py::test_a_sample_of_histories_in_memory",),
    ),
    Mutant(
        "a read that timed out counts as not sent",
        "pixazo/verdict.py",
        '            return InDoubt(f"after the request left, before an answer: {exchange.problem}")\n',
        "            return NotSent(exchange.problem)\n",
        (f"{SUBMIT}::test_anything_after_the_first_byte_that_proves_nothing_is_in_doubt_and_sent_once",),
    ),
    Mutant(
        "a 500 counts as refused and is tried again",
        "pixazo/verdict.py",
        "def _by_status(exchange: Exchange, status: int, endpoint: Endpoint) -> Verdict:\n",
        "def _by_status(exchange: Exchange, status: int, endpoint: Endpoint) -> Verdict:\n    if status >= 500:\n"
        '        return Rejected(status, "try again", retry_after_seconds=1.0)\n    return _by_other_status(exchange, status, endpoint)\n\n\n'
        "def _by_other_status(exchange: Exchange, status: int, endpoint: Endpoint) -> Verdict:\n",
        (f"{SUBMIT}::test_anything_after_the_first_byte_that_proves_nothing_is_in_doubt_and_sent_once",),
    ),
    Mutant(
        "purchases share connections",
        "pixazo/send.py",
        "Line(wire, keep_alive=False)",
        "Line(wire, keep_alive=True)",
        (f"{SUBMIT}::test_the_request_on_the_wire_is_the_documented_one", f"{SUBMIT}::test_each_purchase_has_a_connection_of_its_own"),
    ),
    Mutant(
        "the lock file is deleted",
        "store/lock.py",
        "        _sign(descriptor, owner)\n",
        "        _sign(descriptor, owner)\n        path.unlink(missing_ok=True)\n",
        (f"{CONFORMANCE}::test_the_lock_file_stays_where_it_is",),
    ),
    Mutant(
        "a missing journal is begun anew by whoever needs one",
        "journal/file.py",
        "    def _content(self) -> bytes:\n",
        "    def _content(self) -> bytes:\n"
        "        from reconciler.journal.create import create_journal\n\n"
        '        create_journal(self.path, lineage="0", at="2026-01-01T00:00:00Z")\n',
        ("tests/memory/test_journal.py::test_a_missing_journal_is_an_error_that_names_init",),
    ),
    Mutant(
        "the budget is asked once",
        "engine/allowance.py",
        "            limit.left -= change.cost\n",
        "            pass\n",
        (ORDER,),
    ),
    Mutant(
        "a moved head is overwritten",
        "journal/file.py",
        "            if os.fstat(descriptor).st_size != head.length:\n",
        "            if False:\n",
        (f"{CONFORMANCE}::TestFile::test_a_stale_head_writes_nothing",),
    ),
    Mutant(
        "an answer that the journal cannot take is dropped",
        "store/writer.py",
        "            write_waiting(self._connection, drafts)\n",
        "            pass\n",
        (f"{STORE}::test_an_answer_that_the_journal_cannot_take_is_kept_in_the_state_and_flushed_later",),
    ),
    Mutant(
        "a consent outlives the attempt that it was given for",
        "state.py",
        "        superseded = any(status in DOUBTFUL or status is Sent.ACCEPTED for status in rivals)\n",
        "        superseded = any(True for _ in rivals)\n",
        (f"{STORE}::test_consent_lapses_when_the_attempt_came_to_nothing",),
    ),
    Mutant(
        "the last fact about an attempt wins",
        "job.py",
        "    return _WEIGHT[seen] > _WEIGHT[current]\n",
        "    return seen is not current\n",
        ("tests/memory/test_forks.py::test_what_is_known_better_wins_whoever_was_first",),
    ),
    Mutant(
        "a journal that is shorter than the state is taken for the truth",
        "store/load.py",
        "    if held.head is not None and (missing := [h for h in held.head.hashes if h not in known]):\n",
        "    if held.head is not None and (missing := [h for h in held.head.hashes if h not in known]) and False:\n",
        (f"{STORE}::test_a_journal_behind_its_state_is_an_error", f"{STORE}::test_a_rebuild_never_forgets_what_the_old_state_knew"),
    ),
)
