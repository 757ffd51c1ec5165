"""`plan -explain NAME`: the facts behind one decision; and how the work of a plan grows."""

from __future__ import annotations

import sys

import pytest

from reconciler.errors import Invalid
from reconciler.job import Phase
from reconciler.plan.explain import explain

from .world import Ledger, catalog, model, plan_of


def told(name, wanted, ledger):
    return dict(explain(name, plan_of(wanted, ledger.state), wanted, ledger.state))


def test_it_tells_what_was_asked_and_answered():
    ledger = Ledger()
    ledger.bound(model("otter", steps=500))
    ledger.job(model("otter"), Phase.FAILED)
    answers = told("otter", catalog(model("otter")), ledger)
    assert answers["declared"].startswith("in models/a.yaml:1, spec ")
    assert answers["  steps"] == "1000 (models/a.yaml:2)"
    assert answers["points to"].startswith("j-001 succeeded, $8.00")
    assert "j-002 failed" in answers["bought for this spec"]
    assert answers["of these, usable"] == "none"
    assert answers["decision"].startswith("held (last_failed): last job failed")


def test_unchanged_undeclared_and_doubtful_names_are_told_too():
    ledger = Ledger()
    ledger.bound(model("same"))
    ledger.bound(model("gone", "2"))
    ledger.doubt(model("doubt", "3"))
    wanted = catalog(model("same"), model("doubt", "3"))
    assert told("same", wanted, ledger)["decision"].startswith("unchanged")
    assert told("gone", wanted, ledger)["declared"] == "no longer"
    assert told("doubt", wanted, ledger)["in doubt"] == "at-001 for doubt (prod), $8.00"


def test_a_name_that_nobody_knows_is_an_error_with_the_nearest():
    with pytest.raises(Invalid) as caught:
        told("oter", catalog(model("otter")), Ledger())
    assert "otter" in caught.value.diagnostics[0].detail


def calls_of(count: int) -> int:
    """Function calls of a plan over a world of that size: every second model changed, some renamed, doubtful, failed, shared."""
    ledger = Ledger()
    for i in range(count):
        wanted = model(f"m-{i:05}", str(i % (count - count // 8)))
        if i % 16 == 3:
            ledger.doubt(wanted)
        else:
            ledger.bound(wanted, Phase.FAILED if i % 16 == 5 else Phase.SUCCEEDED)
    names = [f"{'x' if i % 16 == 7 else 'm'}-{i:05}" for i in range(count)]
    now = catalog(*(model(name, str(i % (count - count // 8)), steps=2000 if i % 2 else 1000, labels={"team": "a"}) for i, name in enumerate(names)))
    calls = 0

    def count_call(frame, event, argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count_call)
    try:
        plan_of(now, ledger.state, targets=("m-*", "x-*"), selectors=(("team", "a"),))
    finally:
        sys.setprofile(before)
    return calls


def test_the_work_of_a_plan_grows_with_its_size_and_no_faster():
    assert calls_of(1600) < 5 * calls_of(400)
