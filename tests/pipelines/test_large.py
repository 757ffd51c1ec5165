"""Documents of very large plans are the same to the byte, and never held whole."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from reconciler.plan.document import plan_document
from reconciler.reports.document import json_text
from reconciler.reports.formats import pieces
from reconciler.reports.plan_json import plan_json
from tests.reports.catalog import plan
from tests.reports.hostile import HOSTILE, hostile_plan
from tests.reports.test_formats import trains


@pytest.mark.parametrize("made", [plan(), plan(()), trains(3), *(hostile_plan(text) for text in HOSTILE.values())], ids=lambda p: p.environment[:20])
def test_a_document_in_pieces_is_the_document(made):
    text = "".join(plan_json(made))
    assert text == json_text(plan_document(made))
    assert json.loads(text)["document_digest"] == plan_document(made)["document_digest"]


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_no_document_is_held_whole(form):
    made = trains(3_000)
    tracemalloc.start()
    size = sum(len(piece) for piece in pieces(form, made))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 600_000
    assert peak < size / 4
