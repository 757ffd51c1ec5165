"""What apply and refresh print without a terminal, how they end, and the same as JSON."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import get_args

import pytest

from reconciler.event import Event, EventType
from reconciler.reports.events import event_json
from reconciler.reports.lines import event_line
from reconciler.reports.style import Style
from reconciler.reports.summary import summary_text

STYLE = Style.plain(100)
AT = "2026-11-22T07:46:02Z"
ID = "a1b2c3d4-e5f6-7890-g1h2-i3j4k5l6m7n8"


def line(kind: EventType, name: str | None = "portrait-cold", **data) -> str:
    return event_line(Event(kind, AT, "a message", name, data=data), STYLE)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            ("purchase_accepted", {"request_id": ID, "price": "8.00", "count": 1, "of": 3, "spent": Decimal(8), "due": "24.00", "serial": 119}),
            f"07:46:02Z portrait-cold   accepted   {ID}  $8.00  1 of 3, $8.00 of $24.00, serial 119",
        ),
        (
            ("purchase_rejected", {"http_status": 429, "message": "rate limit", "retry_after_seconds": 8}),
            "07:46:02Z portrait-cold   rejected   429 rate limit, again in 8 s; nothing charged",
        ),
        (
            ("purchase_rejected", {"message": "connection refused", "retry_after_seconds": 1, "final": True}),
            "07:46:02Z portrait-cold   rejected   not sent: connection refused; nothing charged",
        ),
        (
            ("purchase_in_doubt", {"price": "8.00", "evidence": "no answer after the request was sent"}),
            "07:46:02Z portrait-cold   in doubt   no answer after the request was sent; not sent again; $8.00 counts as spent",
        ),
        (("poll", {"phase": "queued", "elapsed_seconds": 900}), "07:46:02Z portrait-cold   poll       queued for 15 min"),
        (
            ("poll", {"phase": "running", "elapsed_seconds": 300, "expected_seconds": 1905.0, "trouble": "HTTP 502"}),
            "07:46:02Z portrait-cold   poll       running for 5 min of about 31 min; no news: HTTP 502",
        ),
        (
            ("job_settled", {"phase": "succeeded", "artifacts": 1, "size_bytes": 317_000_000}),
            "07:46:02Z portrait-cold   settled    succeeded, 1 file, 317 MB; reconciler artifacts pull portrait-cold",
        ),
        (
            ("job_settled", {"phase": "failed", "error": "captions missing", "price": "8.00"}),
            "07:46:02Z portrait-cold   settled    failed: captions missing; $8.00 stays spent",
        ),
        (
            ("budget", {"limit": "budget.per_month", "message": "$8.00 more would be over $400.00"}),
            "07:46:02Z portrait-cold   refused    budget.per_month: $8.00 more would be over $400.00; nothing more is bought",
        ),
        (
            ("diagnostic", {"severity": "warning", "code": "W1", "summary": "odd", "file": "a.yaml", "line": 3, "column": 1}),
            "07:46:02Z portrait-cold   warning    a.yaml:3:1: [W1] odd",
        ),
        (
            ("artifact_saved", {"path": "artifacts/j-1/lora.safetensors", "size_bytes": 1400, "sha256": "ab"}),
            "07:46:02Z portrait-cold   saved      artifacts/j-1/lora.safetensors  1.4 kB; sha256 ab",
        ),
        (("planned_change", {"action": "reuse", "cost": "0.00", "reason": "same_spec"}), "07:46:02Z portrait-cold   reuse      same spec, $0.00"),
    ],
)
def test_every_event_is_one_line_with_time_name_and_verb(event, expected):
    kind, data = event
    assert line(kind, **data) == expected


def test_a_tick_of_the_clock_is_no_line():
    assert event_line(Event("poll", AT, "", data={"tick": True}), STYLE) == ""


def test_an_intent_says_nothing_to_people():
    assert line("purchase_intent", attempt="at-1") == ""


@pytest.mark.parametrize("kind", get_args(EventType))
@pytest.mark.parametrize("data", [{}, {"price": "x", "count": None, "artifacts": [], "elapsed_seconds": "soon"}])
def test_missing_or_odd_keys_never_break_the_printing_side(kind, data):
    text = event_line(Event(kind, "not a time", "a message", data=data), STYLE)
    assert "\n" not in text
    assert json.loads(event_json(Event(kind, "not a time", "a message", data=data)))["type"] == kind


def test_an_event_in_json_is_terraforms_envelope_with_our_keys():
    event = Event(
        "purchase_accepted", AT, "portrait-cold accepted", "portrait-cold", data={"price": Decimal("8.00"), "count": 1, "type": "other", "@level": "x"}
    )
    text = event_json(event)
    assert "\n" not in text
    document = json.loads(text)
    assert list(document) == ["@level", "@message", "@module", "@timestamp", "type", "name", "count", "price"]
    assert document["type"] == "purchase_accepted"
    assert document["@level"] == "info"
    assert document["price"] == "8.00"


def test_an_event_in_json_is_ascii_and_holds_no_secret_and_no_command():
    event = Event("poll", AT, "\x1b[31m ##[error]\u202e", "n", data={"url": "https://u:pw@h/p?sig=s3cret", "deep": [{"x": "data:image/png;base64,AAAA"}]})
    text = event_json(event)
    assert text.isascii()
    assert "##[" not in text
    assert not any(secret in text for secret in ("s3cret", "pw@", "AAAA"))
    assert json.loads(text)["@message"] == "\x1b[31m ##[error]\u202e"


def test_the_summary_says_what_was_bought_and_what_comes_next():
    data = {
        "bought": 2,
        "bought_amount": "16.00",
        "in_doubt": 1,
        "in_doubt_amount": "8.00",
        "in_doubt_names": ["product-shoes"],
        "adopted": 1,
        "reused": 1,
        "moved": 1,
        "updated": 1,
        "forgotten": 1,
        "training": 2,
    }
    lines = summary_text(data, STYLE).splitlines()
    assert lines[0] == "Apply: 2 bought $16.00, 1 in doubt $8.00, 1 adopted, 1 reused, 1 moved, 1 updated, 1 forgotten; 2 training."
    assert lines[1] == "Next: reconciler resolve product-shoes -request-id ID -reason TEXT, or -not-submitted -reason TEXT"
    assert lines[2] == "Next: reconciler refresh -wait"


def test_a_stopped_apply_says_what_was_and_was_not_bought():
    data = {
        "bought": 1,
        "bought_amount": "8.00",
        "not_bought": 12,
        "not_bought_amount": "96.00",
        "not_bought_names": [f"n{i}" for i in range(12)],
        "stopped": "SIGINT",
    }
    text = summary_text(data, STYLE)
    assert "Apply: 1 bought $8.00, 12 not bought $96.00.\n" in text
    assert "Stopped SIGINT; 1 purchase ($8.00) made before that is recorded\n" in text
    assert "Unsent  n0, n1, n2, n3, n4, n5, n6, n7, n8, n9 and 2 more\n" in text
    assert text.endswith("Next: reconciler plan\n")


def test_an_apply_that_was_stopped_at_once_bought_nothing_and_says_so():
    assert "nothing was bought" in summary_text({"stopped": "budget.per_apply"}, STYLE)
    assert summary_text({}, STYLE) == "Apply: nothing to do.\n"
    assert summary_text({"command": "refresh", "failed": 1, "failed_names": ["a"]}, STYLE) == "Refresh: 1 failed.\nFailed  a\n"


def test_a_change_that_was_carried_out_is_said_in_the_past():
    """What costs nothing is done at the end of an apply; its line must not look like a plan."""
    done = Event(
        "planned_change", "2026-11-22T07:46:02Z", "moved", "otter", data={"action": "move", "cost": "0.00", "reason": "renamed", "job": "j-12", "done": True}
    )
    assert event_line(done, Style.plain(100)) == "07:46:02Z otter           moved      renamed; job j-12"
