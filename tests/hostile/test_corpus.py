"""Bad journals, plan files and answers of a server as files, each with what it must end in; the manifests have a test of their own.

`journal/NAME.jsonl`: words of the one error (with the line, where there is one). `plan/NAME.json`: exit code and words.
`answer/NAME.http`, the raw bytes of an answer to a purchase: the verdict that is recorded.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reconciler.journal.file import FileJournal
from reconciler.store.sqlite import SqliteStore
from tests.pixazo.raw_server import RawServer, answer, raw

from .conftest import Line, memory

CORPUS = Path(__file__).parent.parent / "corpus"
LINEAGE = "00000000-0000-4000-8000-000000000000"
JOURNALS = sorted((CORPUS / "journal").glob("*.jsonl"))
PLANS = sorted((CORPUS / "plan").glob("*.json"))
ANSWERS = sorted((CORPUS / "answer").glob("*.http"))
BUY = ("apply", "-auto-approve", "-max-cost=8")
CODES = {"accepted": (0,), "rejected": (1,), "in_doubt": (7,)}


def expected(path: Path) -> str:
    return path.with_suffix(".expect").read_text().strip()


@pytest.mark.parametrize("path", JOURNALS, ids=lambda p: p.stem)
def test_a_bad_journal_is_one_error_sends_nothing_and_stays_as_it_is(line: Line, project: Path, path: Path) -> None:
    """Damaged memory is never "nothing exists"."""
    text = (project / "reconciler.yaml").read_text()
    [pinned] = [row for row in text.splitlines() if "lineage:" in row]
    (project / "reconciler.yaml").write_text(text.replace(pinned, f"  lineage: {LINEAGE}"))
    (project / "state" / "reconciler.db").unlink()
    shutil.copyfile(path, project / "state" / "purchases.jsonl")
    before = memory(project)
    with RawServer([answer(200, {"request_id": "x"})]) as server:
        for words in (("plan",), ("status",), BUY, ("state", "rebuild"), ("doctor",)):
            result = line(*words, RECONCILER_ENDPOINT=server.url)
            assert result.code == 1, (words, result)
            assert expected(path) in " ".join(result.text.split()), (words, result)
        assert server.connections == 0
    assert memory(project) == before


@pytest.mark.parametrize("path", PLANS, ids=lambda p: p.stem)
def test_a_bad_plan_file_is_one_error_and_buys_nothing(line: Line, project: Path, path: Path) -> None:
    code, _, words = expected(path).partition(" ")
    shutil.copyfile(path, project / "p.json")
    before = memory(project)
    with RawServer([answer(200, {"request_id": "x"})]) as server:
        result = line("apply", "p.json", RECONCILER_ENDPOINT=server.url)
        assert (result.code, server.connections) == (int(code), 0), result
    assert words in " ".join(result.text.split())
    assert line("show", "p.json").code in (1, 5, 64)
    assert memory(project) == before


@pytest.mark.parametrize("path", ANSWERS, ids=lambda p: p.stem)
def test_an_answer_has_its_verdict(line: Line, project: Path, path: Path) -> None:
    with RawServer([raw(path.read_bytes()), answer(404, {})]) as server:
        result = line(*BUY, RECONCILER_ENDPOINT=server.url)
        assert sum(r.path.endswith("-trainer-request") for r in server.requests) == 1
    state = SqliteStore(project / "state" / "reconciler.db", FileJournal(project / "state" / "purchases.jsonl"), now=str).view()
    assert [str(a.status) for a in state.attempts.values()] == [expected(path)], result
    assert result.code in CODES[expected(path)], result


def test_the_corpus_is_not_lost() -> None:
    assert len(JOURNALS) >= 30
    assert len(PLANS) >= 20
    assert len(ANSWERS) >= 40
