"""Laws of the plan, over worlds nobody thought of: pure, order-free, empty after apply, never the same thing bought twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.job import Phase
from reconciler.model import Adoption, Catalog, Moved, Removed
from reconciler.plan.action import Action
from reconciler.plan.document import plan_document, read_plan
from reconciler.plan.premises import approved_plan
from reconciler.policy import Policy
from reconciler.reports.document import json_text
from reconciler.state import State

from .world import PRICES, Ledger, catalog, model, plan_of

NAMES = [f"n{i}" for i in range(6)]
PLACE = model("x").place
QUIET = {Action.WAIT, Action.HELD, Action.IN_DOUBT}
SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

models = st.builds(
    model,
    st.sampled_from(NAMES),
    st.sampled_from("ab"),
    steps=st.sampled_from([1000, 2000]),
    generation=st.sampled_from([1, 1, 1, 2]),
    labels=st.sampled_from([{}, {"team": "x"}, {"team": "y"}]),
    prevent_retrain=st.sampled_from([None, None, True]),
    on_failure=st.sampled_from(["hold", "retry"]),
    max_attempts=st.sampled_from([1, 3]),
    ignore_changes=st.sampled_from([(), (), ("steps",)]),
    on_remove=st.sampled_from(["forget", "hold"]),
    suspend=st.sampled_from([False, False, True]),
    reuse=st.sampled_from([True, True, False]),
)
environments = st.sampled_from(["prod", "prod", "dev"])


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    chosen = {m.name: m for m in draw(st.lists(models, max_size=6))}
    gone = [n for n in NAMES if n not in chosen]
    moved = [Moved(a, b, PLACE) for a, b in draw(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=3)) if a not in chosen]
    removed = [Removed(n, "over", PLACE) for n in gone if draw(st.booleans())]
    adoptions = [Adoption(n, f"elsewhere-{n}", "", PLACE) for n in draw(st.lists(st.sampled_from(NAMES), max_size=1)) if n in chosen]
    return catalog(*chosen.values(), moved=tuple(moved), removed=tuple(removed), adoptions=tuple(adoptions))


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    ledger = Ledger()
    for wanted in draw(st.lists(models, max_size=8)):
        environment = draw(environments)
        job = ledger.job(wanted, draw(st.sampled_from(list(Phase))), environment=environment, superseded=draw(st.sampled_from([False, False, False, True])))
        if draw(st.booleans()):
            ledger.bind(wanted, job, environment=environment)
    for wanted in draw(st.lists(models, max_size=1)):
        ledger.doubt(wanted, environment=draw(environments))
    return ledger


@given(catalogs(), ledgers(), st.randoms(use_true_random=False))
@SETTINGS
def test_a_plan_does_not_depend_on_the_order_of_anything(wanted, ledger, random):
    def shuffled(mapping):
        items = list(mapping.items())
        random.shuffle(items)
        return dict(items)

    state = ledger.state
    other = replace(state, attempts=shuffled(state.attempts), jobs=shuffled(state.jobs), bindings=shuffled(state.bindings))
    mixed = replace(wanted, models=shuffled(wanted.models), removed=tuple(reversed(wanted.removed)), adoptions=tuple(reversed(wanted.adoptions)))
    assert json_text(plan_document(plan_of(mixed, other))) == json_text(plan_document(plan_of(wanted, state)))


@given(catalogs(), ledgers(), st.sampled_from([Phase.QUEUED, Phase.SUCCEEDED]))
@SETTINGS
def test_after_apply_the_plan_is_empty(wanted, ledger, phase):
    ledger.phase = phase
    before = plan_of(wanted, ledger.state)
    ledger.carry_out(before)
    after = plan_of(wanted, ledger.state)
    assert {c.name: c.action.value for c in after.changes if c.action not in QUIET} == {}
    assert after.cost.due == 0


@given(catalogs(), ledgers())
@SETTINGS
def test_nothing_is_bought_twice_and_nothing_that_exists_is_bought(wanted, ledger):
    plan = plan_of(wanted, ledger.state)
    paid = [c for c in plan.changes if c.action.is_paid]
    assert len({c.spec_digest for c in paid}) == len(paid)
    doubtful = {a.spec_digest for a in ledger.attempts.values()}
    for change in paid:
        known = [j for j in ledger.jobs.values() if j.spec_digest == change.spec_digest]
        assert change.spec_digest not in doubtful
        assert not any(j.phase.is_usable and not j.superseded for j in known)
        assert {j.id for j in known if not j.superseded} == set(change.consents)


@given(catalogs(), ledgers(), st.sets(st.sampled_from(NAMES), min_size=1))
@SETTINGS
def test_replace_buys_what_it_names_once_a_spec_with_consent_and_never_over_a_doubt(wanted, ledger, names):
    asked = tuple(sorted(names & wanted.models.keys()))
    plan = plan_of(wanted, ledger.state, replace=asked, allow_retrain=("*",) if wanted.models else ())
    paid = Counter(c.spec_digest for c in plan.changes if c.action.is_paid)
    assert all(count == 1 for count in paid.values())
    assert not paid.keys() & {a.spec_digest for a in ledger.attempts.values()}
    ledger.carry_out(plan)
    adopted = {a.request_id for a in wanted.adoptions}
    left = Counter(j.spec_digest for j in ledger.jobs.values() if not j.superseded and j.request_id not in adopted)
    assert all(left[digest] == 1 for digest in paid)


@given(catalogs(), st.lists(st.tuples(catalogs(), st.booleans(), st.sampled_from(list(Phase))), max_size=6))
@SETTINGS
def test_a_spec_is_bought_at_most_once_and_once_more_for_each_consent(first, later):
    ledger = Ledger()
    for wanted, forced, phase in [(first, False, Phase.SUCCEEDED), *later]:
        ledger.phase = phase
        ledger.carry_out(plan_of(wanted, ledger.state, replace=("*",) if forced and wanted.models else (), allow_retrain=("*",) if wanted.models else ()))
    bought, consents = Counter(ledger.bought), Counter(ledger.consents)
    assert all(count <= 1 + consents[digest] for digest, count in bought.items())


@given(catalogs(), st.permutations(NAMES))
@SETTINGS
def test_renames_reverts_and_promotions_are_free(wanted, names):
    plain = [
        replace(m, lifecycle=m.lifecycle._replace(suspend=False, reuse=True), spec=model("x", m.spec.dataset[-5], steps=dict(m.spec.parameters)["steps"]).spec)
        for m in wanted.models.values()
    ]
    ledger = Ledger(phase=Phase.SUCCEEDED)
    original = catalog(*plain)
    ledger.carry_out(plan_of(original, ledger.state))
    renamed = catalog(*(replace(m, name=names[NAMES.index(m.name)]) for m in plain))
    for wanted_now in (renamed, original, replace(original, environment="dev"), renamed):
        plan = plan_of(wanted_now, ledger.state)
        assert plan.cost.due == 0
        ledger.carry_out(plan)


@given(catalogs(), ledgers())
@SETTINGS
def test_an_approved_plan_is_carried_out_once_and_is_then_done(wanted, ledger):
    saved = read_plan(json_text(plan_document(plan_of(wanted, ledger.state))))

    def today():
        return approved_plan(saved, wanted, ledger.state, prices=PRICES, policy=Policy(), now="2026-11-26T00:00:00Z")

    plan = today()
    assert (plan.spend_digest, plan.plan_digest) == (saved.plan.spend_digest, saved.plan.plan_digest)
    ledger.carry_out(plan)
    assert today().cost.due == 0


@given(catalogs(), ledgers())
@SETTINGS
def test_each_name_has_one_row_and_the_sums_are_those_of_the_rows(wanted, ledger):
    plan = plan_of(wanted, ledger.state)
    names = [c.name for c in plan.changes]
    assert names == sorted(set(names))
    assert plan.cost.due == sum(c.cost for c in plan.changes)
    assert sum(c.at_risk for c in plan.changes) <= plan.cost.in_doubt
    assert all(c.model is not None and c.metadata is not None for c in plan.changes if c.name in wanted.models)


def test_the_empty_world_has_the_empty_plan():
    plan = plan_of(catalog(), State("lineage-1"))
    assert (plan.changes, plan.unchanged, plan.applyable, plan.complete) == ((), 0, True, True)
