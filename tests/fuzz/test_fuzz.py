"""Nothing that comes from outside ends in anything but a value or an error of ours: generated, mutated and spliced inputs, within bounds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.canonical import digest_of
from reconciler.fact import Draft, Kind, genesis
from reconciler.journal.chain import encode_all
from reconciler.plan.digests import DOCUMENT_DIGEST, FORMAT_VERSION

from .targets import TARGETS, answer, journal, poll, saved_plan

BOUNDED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
CORPUS = sorted((Path(__file__).parent.parent / "corpus").rglob("*.yaml"))
SPLICES = [
    b"\x00", b"\xff", b"\x1b[31m", b"\xe2\x80\xae", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"&a ", b"*a", b"<<: ", b"!!python/object:os.system ", b"%YAML 1.3\n",
    b"---\n", b"...\n", b"? ", b": ", b"- ", b"|\n", b">\n", b"'", b'"', b"{", b"}", b"[", b"]", b"\t", b"\r", b"\xc2\x85", b"#", b"${var.x}", b"${", b"{{ x }}",
    b"1e999", b"0o17", b".nan", b"2024-13-45", b"9" * 50, b"\\ud800", b"<<<<<<< a\n", b"~", b"null", b",", b"=",
]  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4), max_leaves=12)
WORDS = st.sampled_from(
    [
        "IN_QUEUE",
        "COMPLETED",
        "FAILED",
        "running",
        "error",
        "expired",
        "https://c.example.com/a.safetensors",
        "http://127.0.0.1/x",
        "a1b2c3d4",
        "../x",
        "\x1b[2J",
    ]
)
NAMES = [
    "request_id",
    "id",
    "status",
    "task_status",
    "state",
    "error",
    "message",
    "output",
    "data",
    "result",
    "polling_url",
    "diffusers_lora_file",
    "lora_url",
    "weights",
    "config_file",
    "media_url",
    "url",
    "images",
]
ANSWERS = st.recursive(WORDS | SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6), max_leaves=15)


@st.composite
def mutated(draw: Callable[..., Any]) -> bytes:
    """A file of the corpus, cut, doubled or spliced in a few places."""
    data = draw(st.sampled_from(CORPUS)).read_bytes()[:4000]
    for _ in range(draw(st.integers(1, 4))):
        at, end = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        piece = draw(st.sampled_from(SPLICES) | st.just(data[at:end]) | st.just(b""))
        data = data[:at] + piece + data[draw(st.sampled_from([at, end])) :]
    return data[:10_000]


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes(name: str) -> None:
    @settings(BOUNDED, max_examples=60)
    @given(st.binary(max_size=300) | st.lists(st.sampled_from(SPLICES), max_size=20).map(b"".join))
    def run(data: bytes) -> None:
        TARGETS[name](data)

    run()


@pytest.mark.parametrize("name", ["yaml", "manifest"])
def test_mutated_manifests(name: str) -> None:
    @BOUNDED
    @given(mutated())
    def run(data: bytes) -> None:
        TARGETS[name](data)

    run()


@BOUNDED
@given(ANSWERS, st.integers(0, 255), st.integers(0, 60))
def test_answers_of_every_shape(value: Any, status: int, cut: int) -> None:
    data = json.dumps(value).encode()
    for body in (data, data[: len(data) - cut], data + data, b"\xef\xbb\xbf" + data):
        answer(bytes([status]) + body)
        poll(body)


PLAN = {
    "format_version": FORMAT_VERSION, "kind": "plan", "environment": "default", "state": {"lineage": "x", "serial": 1}, "prices": [], "summary": {"unchanged": 0},
    "cost": {}, "refusals": [], "budgets": [], "changes": [], "diagnostics": [], "complete": True, "endpoint": "emulated", "spend_digest": "", "plan_digest": "",
    "created_at": "", "selection": {},
}  # fmt: skip


@BOUNDED
@given(st.dictionaries(st.sampled_from(sorted(PLAN)), JSON, max_size=4))
def test_plans_whose_digest_fits_but_whose_content_does_not(parts: dict[str, Any]) -> None:
    """Somebody who computes the digest anew gets as far as the digests of the changes, and no further."""
    try:
        document = {**PLAN, **parts}
        document[DOCUMENT_DIGEST] = digest_of(document)
    except (ValueError, TypeError):
        return  # our own canonical form has no such values
    saved_plan(json.dumps(document).encode())


@BOUNDED
@given(st.lists(st.tuples(st.sampled_from(list(Kind)), st.dictionaries(st.sampled_from(FIELDS := sorted(
    ["attempt", "job", "environment", "name", "trainer", "spec_digest", "spec", "price", "endpoint", "world", "body", "body_sha256", "actor", "commit", "run_url", "key", "consent", "verdict", "request_id", "http_status", "evidence", "salvaged", "phase", "artifacts", "error", "charged", "metadata", "reason", "note", "poll_url", "format", "lineage"]
)), JSON, max_size=8)), max_size=4))  # fmt: skip
def test_facts_that_chain_but_say_nonsense(drafts: list[tuple[Kind, dict[str, Any]]]) -> None:
    """Whoever can compute hashes can lie in a journal, but cannot crash its readers."""
    try:
        lines = encode_all([genesis("2026-01-01T00:00:00Z", lineage="x"), *(Draft(kind, "2026-01-01T00:00:00Z", data) for kind, data in drafts)], ())
    except (ValueError, TypeError):
        return
    journal(b"\n".join(line.raw for line in lines))
