"""What is fuzzed, each as a function of bytes that ends in a value or in an error of ours; anything else that it raises is a finding.

`test_fuzz.py` feeds them through hypothesis within bounds. `python -m tests.fuzz.targets NAME [CORPUS…]` feeds one of them
through atheris for as long as one likes, where that is installed.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from reconciler.diagnostics import in_order
from reconciler.errors import ReconcilerError, StateProblem
from reconciler.journal.chain import decode
from reconciler.journal.chain import in_order as in_chain_order
from reconciler.manifest.front import decode as decode_text
from reconciler.manifest.load import load
from reconciler.manifest.parse import parse_map
from reconciler.manifest.source import Problems
from reconciler.pixazo.answer import Unreadable, read_object
from reconciler.pixazo.endpoint import parse_endpoint
from reconciler.pixazo.exchange import Exchange, Stage
from reconciler.pixazo.observe import observation_of
from reconciler.pixazo.request_id import MOST_CHARACTERS, is_usable_id
from reconciler.pixazo.verdict import judge
from reconciler.plan.saved import read_plan
from reconciler.state import fold_all
from reconciler.text import safe
from reconciler.verdict import Accepted, InDoubt

ENDPOINT = parse_endpoint("https://gateway.example.com")
ID = "a1b2c3d4"


def yaml(data: bytes) -> None:
    """A manifest's bytes to a tree: every problem has a place within the file and a message that can be shown."""
    problems = Problems()
    source = decode_text("a.yaml", data, problems)
    tree = parse_map(source, problems) if source is not None else None
    assert tree is not None or problems.found
    lines = data.count(b"\n") + data.count(b"\r") + 1
    for found in in_order(problems.found):
        assert (found.summary + found.detail).isprintable()
        assert found.place is not None
        assert 1 <= found.place.line <= lines + 1
        assert found.place.column >= 1


def manifest(data: bytes) -> None:
    """A whole project whose only manifest it is."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "models").mkdir()
        (root / "reconciler.yaml").write_text("version: 1\n")
        (root / "models" / "a.yaml").write_bytes(data)
        loaded = load(root, environment="default")
    assert (loaded.catalog is None) == any(d.severity == "error" for d in loaded.diagnostics)


def saved_plan(data: bytes) -> None:
    """A plan file is read, or refused with an error of ours."""
    with contextlib.suppress(ReconcilerError):
        read_plan(data.decode("utf-8", "replace"))


def journal(data: bytes) -> None:
    """Lines of a journal fold to a state, or are refused."""
    with contextlib.suppress(StateProblem):
        lines = in_chain_order([decode(raw, number) for number, raw in enumerate(data.split(b"\n"), 1)])
        fold_all(line.fact for line in lines)


def answer(data: bytes) -> None:
    """An answer to a purchase: a verdict at every status, and accepted only with an id that can be used."""
    status = 100 + (data[0] * 3 + len(data)) % 500 if data else 200
    for code in (200, status):
        for stage in (Stage.COMPLETE, Stage.ANSWERED, Stage.TOO_LONG):
            verdict = judge(Exchange(stage, code, (("content-type", "application/json"),), data[1:]), ENDPOINT)
            if isinstance(verdict, Accepted):
                assert stage is Stage.COMPLETE
                assert 200 <= code < 300
                assert is_usable_id(verdict.request_id)
                assert read_object(data[1:])
            elif 200 <= code < 300 or code >= 500:
                assert isinstance(verdict, InDoubt)
                assert verdict.salvaged is None or len(verdict.salvaged) <= MOST_CHARACTERS


def poll(data: bytes) -> None:
    """An answer to a poll: an observation whose texts can be shown."""
    seen = observation_of(Exchange(Stage.COMPLETE, 200, (), data), ID)
    for text in (seen.error, seen.trouble, seen.stop, *seen.warnings):
        assert text.isprintable()
    try:
        read_object(data)
    except Unreadable:
        assert seen.phase is None


def text(data: bytes) -> None:
    """Foreign text is one inert line in every medium."""
    value = data.decode("utf-8", "surrogateescape")
    for target in ("terminal", "log", "markdown", "html", "xml", "csv", "annotation", "json"):
        shown = safe(value, target)
        assert "\n" not in shown
        assert "\x1b" not in shown
        shown.encode("utf-8")


TARGETS: dict[str, Callable[[bytes], None]] = {
    "yaml": yaml,
    "manifest": manifest,
    "saved_plan": saved_plan,
    "journal": journal,
    "answer": answer,
    "poll": poll,
    "text": text,
}

if __name__ == "__main__":
    import atheris

    target = TARGETS[sys.argv.pop(1)]
    atheris.instrument_all()
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
