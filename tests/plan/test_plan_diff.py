"""What happens to one model: every row of the table "what a change costs", and what is held."""

from __future__ import annotations

from decimal import Decimal

import pytest

from reconciler.errors import Invalid
from reconciler.job import Phase, Sent
from reconciler.model import Adoption, Moved, Removed, Resolution
from reconciler.money import PriceBook
from reconciler.plan.action import Action, Reason

from .world import EIGHT, NOW, Ledger, actions, catalog, model, plan_of, row

PLACE = model("x").place


def test_a_new_model_is_trained_for_the_price_of_today():
    change = row(plan_of(catalog(model("otter")), Ledger().state), "otter")
    assert (change.action, change.reason, change.cost, change.job) == (Action.TRAIN, Reason.NEW_MODEL, EIGHT, None)


def test_a_model_as_wanted_is_only_counted():
    ledger = Ledger()
    ledger.bound(model("otter"))
    plan = plan_of(catalog(model("otter")), ledger.state)
    assert (plan.changes, plan.unchanged, plan.cost.due) == ((), 1, 0)


@pytest.mark.parametrize(
    ("after", "reason", "path", "before_after"),
    [
        (model("otter", steps=2000), Reason.SPEC_CHANGED, "steps", (1000, 2000)),
        (model("otter", generation=2), Reason.GENERATION_BUMPED, "generation", (1, 2)),
        (model("otter", "b"), Reason.DATASET_CHANGED, "dataset", ("url:https://data.example.com/a.zip", "url:https://data.example.com/b.zip")),
        (model("otter", reuse=False), Reason.SPEC_CHANGED, "lifecycle.reuse", (True, False)),
    ],
)
def test_another_spec_is_a_retrain_that_says_what_differs(after, reason, path, before_after):
    ledger = Ledger()
    old = ledger.bound(model("otter"))
    change = row(plan_of(catalog(after), ledger.state), "otter")
    assert (change.action, change.reason, change.cost, change.previous_job) == (Action.RETRAIN, reason, EIGHT, old.id)
    assert [(f.path, f.before, f.after) for f in change.fields] == [(path, *before_after)]
    assert change.fields[0].place is not None
    assert change.fields[0].place.line == (2 if path == "steps" else 1)


def test_a_retrain_over_a_job_in_flight_says_that_its_money_is_gone():
    ledger = Ledger()
    ledger.bound(model("otter"), Phase.RUNNING)
    change = row(plan_of(catalog(model("otter", steps=2000)), ledger.state), "otter")
    assert change.note == "the previous $8.00 cannot be cancelled; it will finish and stay usable"


def test_a_second_name_for_the_same_spec_reuses_the_job():
    ledger = Ledger()
    job = ledger.bound(model("otter"))
    plan = plan_of(catalog(model("otter"), model("heron")), ledger.state)
    change = row(plan, "heron")
    assert (change.action, change.reason, change.job, change.avoided, plan.cost.due) == (Action.REUSE, Reason.SAME_SPEC, job.id, EIGHT, 0)
    assert change.note == "same spec as otter (job j-001)"


def test_a_revert_is_free():
    ledger = Ledger()
    first = ledger.job(model("otter"))
    ledger.bound(model("otter", steps=2000))
    change = row(plan_of(catalog(model("otter")), ledger.state), "otter")
    assert (change.action, change.job, change.previous_job) == (Action.REUSE, first.id, "j-002")


def test_promotion_binds_the_job_of_another_environment():
    ledger = Ledger()
    job = ledger.bound(model("otter"), environment="dev")
    change = row(plan_of(catalog(model("otter")), ledger.state), "otter")
    assert (change.action, change.reason, change.job) == (Action.REUSE, Reason.PROMOTED, job.id)


def test_reuse_prefers_what_succeeded_then_runs_then_waits_then_the_latest():
    ledger = Ledger()
    for phase in (Phase.QUEUED, Phase.SUCCEEDED, Phase.SUCCEEDED, Phase.RUNNING, Phase.FAILED):
        ledger.job(model("otter"), phase)
    assert row(plan_of(catalog(model("otter")), ledger.state), "otter").job == "j-003"


def test_a_rename_moves_the_binding_with_its_protection():
    ledger = Ledger()
    job = ledger.bound(model("otter", prevent_retrain=True))
    change = row(plan_of(catalog(model("mascot")), ledger.state), "mascot")
    assert (change.action, change.previous_name, change.job) == (Action.MOVE, "otter", job.id)
    assert change.metadata is not None
    assert change.metadata["lifecycle"]["prevent_retrain"] is True


def test_each_old_name_is_moved_once_and_the_rest_reuses():
    ledger = Ledger()
    ledger.bind(model("b"), ledger.bound(model("a")))
    plan = plan_of(catalog(model("x"), model("y"), model("z")), ledger.state)
    assert [(c.name, c.action, c.previous_name) for c in plan.changes] == [("x", Action.MOVE, "a"), ("y", Action.MOVE, "b"), ("z", Action.REUSE, None)]


def test_labels_are_an_update_with_a_row_for_each_field():
    ledger = Ledger()
    ledger.bound(model("otter", labels={"season": "summer", "team": "brand"}, trigger="ottr"))
    change = row(plan_of(catalog(model("otter", labels={"season": "winter"}, trigger="ottr")), ledger.state), "otter")
    assert (change.action, change.reason, change.cost) == (Action.UPDATE, Reason.METADATA_ONLY, 0)
    assert [(f.path, f.before, f.after) for f in change.fields] == [("labels.season", "summer", "winter"), ("labels.team", "brand", None)]


def test_a_binding_of_an_older_version_lacks_keys_and_that_is_no_change():
    ledger = Ledger()
    ledger.bound(model("otter"))
    binding = ledger.bindings["prod", "otter"]
    ledger.bindings["prod", "otter"] = type(binding)("prod", "otter", binding.job, binding.since, {"lifecycle": {"on_failure": "hold"}})
    assert plan_of(catalog(model("otter")), ledger.state).unchanged == 1


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.RUNNING])
def test_a_job_that_trains_is_waited_for(phase):
    ledger = Ledger()
    ledger.bound(model("otter"), phase, at="2026-11-24T09:46:00Z")
    change = row(plan_of(catalog(model("otter")), ledger.state), "otter")
    assert (change.action, change.note) == (Action.WAIT, f"{phase} for 14 min")


def test_new_labels_while_it_trains_are_an_update():
    ledger = Ledger()
    ledger.bound(model("otter"), Phase.RUNNING)
    assert actions(plan_of(catalog(model("otter", description="new")), ledger.state)) == {"otter": "update"}


@pytest.mark.parametrize(("phase", "reason"), [(Phase.FAILED, Reason.LAST_FAILED), (Phase.LOST, Reason.LOST)])
def test_a_failed_job_is_held_and_says_how_to_buy_again(phase, reason):
    ledger = Ledger()
    job = ledger.bound(model("hero"), phase, error="captions missing")
    plan = plan_of(catalog(model("hero")), ledger.state)
    change = row(plan, "hero")
    assert (change.action, change.reason, change.job, plan.cost.due) == (Action.HELD, reason, job.id, 0)
    assert "captions missing" in change.note
    assert "generation: 2" in change.note
    assert "-replace=hero" in change.note


def test_a_failed_job_holds_every_name_that_wants_the_spec():
    ledger = Ledger()
    ledger.job(model("hero"), Phase.FAILED)
    assert actions(plan_of(catalog(model("other")), ledger.state)) == {"other": "held"}


def test_a_new_generation_buys_what_failed():
    ledger = Ledger()
    ledger.bound(model("hero"), Phase.FAILED)
    change = row(plan_of(catalog(model("hero", generation=2)), ledger.state), "hero")
    assert (change.action, change.reason, change.previous_job) == (Action.RETRAIN, Reason.GENERATION_BUMPED, None)


def test_on_failure_retry_buys_again_until_max_attempts():
    ledger = Ledger()
    wanted = model("hero", on_failure="retry", max_attempts=2)
    ledger.bound(wanted, Phase.FAILED)
    change = row(plan_of(catalog(wanted), ledger.state), "hero")
    assert (change.action, change.reason, change.consents) == (Action.RETRAIN, Reason.FAILED_RETRY, ("j-001",))
    ledger.bound(wanted, Phase.LOST)
    change = row(plan_of(catalog(wanted), ledger.state), "hero")
    assert (change.action, change.reason) == (Action.HELD, Reason.MAX_ATTEMPTS)


def test_ignored_fields_keep_the_job():
    ledger = Ledger()
    ledger.bound(model("otter", ignore_changes=("steps", "description")))
    wanted = model("otter", steps=3000, description="x", ignore_changes=("steps", "description"))
    assert plan_of(catalog(wanted), ledger.state).unchanged == 1


def test_a_failed_job_is_not_bought_again_because_an_ignored_field_differs():
    ledger = Ledger()
    ledger.bound(model("otter", ignore_changes=("steps",)), Phase.FAILED)
    wanted = model("otter", steps=3000, ignore_changes=("steps",))
    assert actions(plan_of(catalog(wanted), ledger.state)) == {"otter": "held"}


def test_suspended_models_buy_nothing():
    plan = plan_of(catalog(model("otter", suspend=True)), Ledger().state)
    assert (row(plan, "otter").action, row(plan, "otter").reason, plan.cost.due) == (Action.HELD, Reason.SUSPENDED, 0)


class TestProtection:
    def test_it_outlives_the_removal_of_its_block(self):
        ledger = Ledger()
        ledger.bound(model("otter", prevent_retrain=True))
        change = row(plan_of(catalog(model("otter", steps=2000)), ledger.state), "otter")
        assert (change.action, change.reason) == (Action.HELD, Reason.PROTECTED)
        assert "-allow-retrain=otter" in change.note

    def test_removing_the_block_alone_is_no_change(self):
        ledger = Ledger()
        ledger.bound(model("otter", prevent_retrain=True))
        assert plan_of(catalog(model("otter")), ledger.state).unchanged == 1

    def test_allow_retrain_lifts_it(self):
        ledger = Ledger()
        ledger.bound(model("otter", prevent_retrain=True))
        assert actions(plan_of(catalog(model("otter", steps=2000)), ledger.state, allow_retrain=("otter",))) == {"otter": "retrain"}

    def test_an_explicit_false_is_applied_first_and_lifts_it_in_the_next_plan(self):
        ledger = Ledger()
        ledger.bound(model("otter", prevent_retrain=True))
        wanted = catalog(model("otter", steps=2000, prevent_retrain=False))
        plan = plan_of(wanted, ledger.state)
        change = row(plan, "otter")
        assert (change.action, plan.cost.due) == (Action.UPDATE, 0)
        assert [(f.path, f.before, f.after) for f in change.fields] == [("lifecycle.prevent_retrain", True, False)]
        ledger.carry_out(plan)
        assert actions(plan_of(wanted, ledger.state)) == {"otter": "retrain"}

    def test_it_does_not_stand_in_the_way_of_a_free_revert(self):
        ledger = Ledger()
        ledger.job(model("otter", steps=500))
        ledger.bound(model("otter", prevent_retrain=True))
        assert actions(plan_of(catalog(model("otter", steps=500)), ledger.state)) == {"otter": "reuse"}

    def test_it_goes_along_with_a_declared_move(self):
        ledger = Ledger()
        ledger.bound(model("otter", prevent_retrain=True))
        moved = (Moved("otter", "mascot", PLACE),)
        plan = plan_of(catalog(model("mascot", steps=2000), moved=moved), ledger.state)
        assert actions(plan) == {"mascot": "held"}


class TestReplace:
    def test_it_buys_again_and_names_what_was_bought(self):
        ledger = Ledger()
        ledger.job(model("otter"), Phase.FAILED)
        ledger.bound(model("otter"))
        change = row(plan_of(catalog(model("otter")), ledger.state, replace=("otter",)), "otter")
        assert (change.action, change.reason, change.consents, change.cost) == (Action.RETRAIN, Reason.REQUESTED, ("j-001", "j-002"), EIGHT)

    def test_it_does_not_lift_a_doubt(self):
        ledger = Ledger()
        ledger.doubt(model("otter"))
        assert actions(plan_of(catalog(model("otter")), ledger.state, replace=("otter",))) == {"otter": "in_doubt"}

    def test_a_name_that_is_not_declared_is_an_error_with_the_nearest(self):
        with pytest.raises(Invalid) as caught:
            plan_of(catalog(model("otter")), Ledger().state, replace=("oter",))
        assert "otter" in caught.value.diagnostics[0].detail

    def test_other_names_of_the_spec_stay_where_they_are(self):
        ledger = Ledger()
        ledger.bind(model("heron"), ledger.bound(model("otter")))
        wanted = catalog(model("otter"), model("heron"))
        ledger.carry_out(plan_of(wanted, ledger.state, replace=("otter",)))
        assert actions(plan_of(wanted, ledger.state)) == {"otter": "wait"}
        assert ledger.bindings["prod", "heron"].job == "j-001"

    def test_a_consent_without_a_purchase_buys_nothing_by_itself(self):
        ledger = Ledger()
        job = ledger.bound(model("otter"))
        ledger.jobs[job.id] = type(job)(**{f: getattr(job, f) for f in job.__slots__} | {"superseded": True})
        assert plan_of(catalog(model("otter")), ledger.state).unchanged == 1

    def test_a_consented_job_is_still_what_was_paid_for_until_its_successor_is_there(self):
        ledger = Ledger()
        ledger.job(model("otter"), superseded=True)
        change = row(plan_of(catalog(model("otter")), ledger.state), "otter")
        assert (change.action, change.job) == (Action.REUSE, "j-001")
        ledger.job(model("otter"), Phase.FAILED)
        assert actions(plan_of(catalog(model("otter")), ledger.state)) == {"otter": "held"}

    def test_a_name_goes_over_to_the_replacement_that_was_bought_for_it(self):
        ledger = Ledger()
        job = ledger.bound(model("otter"))
        ledger.jobs[job.id] = type(job)(**{f: getattr(job, f) for f in job.__slots__} | {"superseded": True})
        ledger.job(model("otter"), Phase.RUNNING)
        change = row(plan_of(catalog(model("otter")), ledger.state), "otter")
        assert (change.action, change.job) == (Action.REUSE, "j-002")


class TestSharing:
    def test_one_purchase_serves_all_names_of_a_spec(self):
        plan = plan_of(catalog(model("b"), model("a"), model("c")), Ledger().state)
        assert [(c.name, c.action, c.shares) for c in plan.changes] == [("a", Action.TRAIN, None), ("b", Action.REUSE, "a"), ("c", Action.REUSE, "a")]
        assert (plan.cost.due, plan.cost.avoided) == (EIGHT, EIGHT * 2)

    def test_when_the_first_is_excluded_the_next_one_buys(self):
        plan = plan_of(catalog(model("a"), model("b")), Ledger().state, excludes=("a",))
        assert actions(plan) == {"b": "train"}
        assert not plan.complete

    def test_a_held_name_shares_what_another_one_buys(self):
        plan = plan_of(catalog(model("a", suspend=True), model("b")), Ledger().state)
        assert [(c.name, c.action, c.shares) for c in plan.changes] == [("a", Action.REUSE, "b"), ("b", Action.TRAIN, None)]

    def test_names_that_refuse_to_share_each_buy(self):
        plan = plan_of(catalog(model("a", reuse=False), model("b", reuse=False)), Ledger().state)
        assert plan.cost.due == EIGHT * 2


class TestDoubt:
    def test_only_its_own_model_is_blocked(self):
        ledger = Ledger()
        attempt = ledger.doubt(model("retro", "r"))
        plan = plan_of(catalog(model("retro", "r"), model("otter")), ledger.state)
        change = row(plan, "retro")
        assert (change.action, change.at_risk, change.attempt) == (Action.IN_DOUBT, EIGHT, attempt.id)
        assert change.note == "sent 2026-11-21 22:14 UTC, no answer; not sent again"
        assert row(plan, "otter").action is Action.TRAIN
        assert (plan.cost.due, plan.cost.worst, plan.cost.in_doubt) == (EIGHT, EIGHT * 2, EIGHT)

    def test_an_intent_without_an_outcome_is_one(self):
        ledger = Ledger()
        ledger.doubt(model("retro"), status=Sent.SENDING)
        assert actions(plan_of(catalog(model("retro")), ledger.state)) == {"retro": "in_doubt"}

    def test_a_changed_spec_does_not_get_around_it(self):
        ledger = Ledger()
        ledger.doubt(model("retro"))
        assert actions(plan_of(catalog(model("retro", steps=2000)), ledger.state)) == {"retro": "in_doubt"}

    def test_a_rename_does_not_get_around_it_and_the_money_counts_once(self):
        ledger = Ledger()
        ledger.doubt(model("retro"))
        plan = plan_of(catalog(model("modern")), ledger.state)
        assert [(c.name, c.action, c.at_risk) for c in plan.changes] == [("modern", Action.IN_DOUBT, 0), ("retro", Action.IN_DOUBT, EIGHT)]
        assert plan.cost.worst == EIGHT

    def test_another_environment_is_blocked_by_it_too(self):
        ledger = Ledger()
        ledger.doubt(model("retro"), environment="dev")
        plan = plan_of(catalog(model("retro"), model("second")), ledger.state)
        assert [(c.name, c.action, c.at_risk) for c in plan.changes] == [("retro", Action.IN_DOUBT, EIGHT), ("second", Action.IN_DOUBT, 0)]
        assert "environment dev" in row(plan, "retro").note

    def test_an_undeclared_one_is_a_row_and_is_not_forgotten(self):
        ledger = Ledger()
        ledger.doubt(model("retro", steps=2000))
        ledger.bound(model("retro"))
        assert actions(plan_of(catalog(), ledger.state)) == {"retro": "in_doubt"}

    @pytest.mark.parametrize("request_id", [None, "request-77"])
    def test_a_declared_resolution_is_shown_and_carried_out(self, request_id):
        ledger = Ledger()
        attempt = ledger.doubt(model("retro"))
        wanted = catalog(model("retro"), resolutions=(Resolution(attempt.id, request_id, "ticket 4711", PLACE),))
        plan = plan_of(wanted, ledger.state)
        change = row(plan, "retro")
        assert change.action is Action.IN_DOUBT
        assert change.resolution == wanted.resolutions[0]
        assert "resolved by models/a.yaml:1" in change.note
        ledger.carry_out(plan)
        after = plan_of(wanted, ledger.state)
        assert actions(after) == {"retro": "train" if request_id is None else "reuse"}

    def test_a_resolution_of_a_settled_attempt_does_nothing(self):
        ledger = Ledger()
        attempt = ledger.doubt(model("retro"), status=Sent.WRITTEN_OFF)
        wanted = catalog(model("retro"), resolutions=(Resolution(attempt.id, None, "again", PLACE),))
        assert actions(plan_of(wanted, ledger.state)) == {"retro": "train"}


class TestUndeclared:
    def test_it_is_forgotten_and_the_money_stays_in_the_ledger(self):
        ledger = Ledger()
        ledger.bound(model("logo"))
        change = row(plan_of(catalog(), ledger.state), "logo")
        assert (change.action, change.reason, change.cost) == (Action.FORGET, Reason.NOT_DECLARED, 0)
        assert change.note == "no longer declared; job j-001 and its $8.00 stay in the ledger"

    def test_on_remove_hold_keeps_it_until_it_is_retired(self):
        ledger = Ledger()
        ledger.bound(model("logo", on_remove="hold"))
        assert actions(plan_of(catalog(), ledger.state)) == {"logo": "held"}
        change = row(plan_of(catalog(removed=(Removed("logo", "campaign ended", PLACE),)), ledger.state), "logo")
        assert (change.action, change.place) == (Action.FORGET, PLACE)
        assert "campaign ended" in change.note

    def test_removed_and_added_again_is_free(self):
        ledger = Ledger()
        ledger.bound(model("logo"))
        ledger.carry_out(plan_of(catalog(), ledger.state))
        plan = plan_of(catalog(model("logo")), ledger.state)
        assert (actions(plan), plan.cost.due) == ({"logo": "reuse"}, 0)

    def test_names_of_other_environments_are_not_touched(self):
        ledger = Ledger()
        ledger.bound(model("logo"), environment="dev")
        assert plan_of(catalog(), ledger.state).changes == ()


class TestMoved:
    def test_a_move_with_another_spec_is_a_retrain_that_keeps_the_history(self):
        ledger = Ledger()
        job = ledger.bound(model("otter"))
        plan = plan_of(catalog(model("mascot", steps=2000), moved=(Moved("otter", "mascot", PLACE),)), ledger.state)
        change = row(plan, "mascot")
        assert (change.action, change.reason, change.previous_name, change.previous_job) == (Action.RETRAIN, Reason.SPEC_CHANGED, "otter", job.id)

    def test_a_chain_ends_at_the_declared_name(self):
        ledger = Ledger()
        ledger.bound(model("a"))
        moved = (Moved("b", "c", PLACE), Moved("a", "b", PLACE))
        change = row(plan_of(catalog(model("c"), moved=moved), ledger.state), "c")
        assert (change.action, change.previous_name) == (Action.MOVE, "a")

    def test_a_circle_moves_nothing(self):
        ledger = Ledger()
        ledger.bound(model("a", "1"))
        moved = (Moved("a", "b", PLACE), Moved("b", "a", PLACE))
        assert actions(plan_of(catalog(model("c", "2"), moved=moved), ledger.state)) == {"a": "forget", "c": "train"}

    def test_one_that_is_done_changes_nothing(self):
        ledger = Ledger()
        ledger.bound(model("mascot"))
        assert plan_of(catalog(model("mascot"), moved=(Moved("otter", "mascot", PLACE),)), ledger.state).unchanged == 1


class TestAdopt:
    ACT = Adoption("banner", "a1b2c3d4-k5l6m7n8", "by hand", PLACE)

    def test_a_declared_name_points_to_it_instead_of_buying(self):
        ledger = Ledger()
        wanted = catalog(model("banner"), adoptions=(self.ACT,))
        plan = plan_of(wanted, ledger.state)
        change = row(plan, "banner")
        assert (change.action, change.request_id, change.cost) == (Action.ADOPT, self.ACT.request_id, 0)
        assert "…k5l6m7n8" in change.note
        ledger.carry_out(plan)
        assert actions(plan_of(wanted, ledger.state)) == {"banner": "wait"}

    def test_other_names_of_the_spec_share_it_instead_of_buying(self):
        plan = plan_of(catalog(model("banner"), model("alpha"), adoptions=(self.ACT,)), Ledger().state)
        assert [(c.name, c.action, c.shares) for c in plan.changes] == [("alpha", Action.REUSE, "banner"), ("banner", Action.ADOPT, None)]

    def test_an_undeclared_name_only_keeps_the_job(self):
        ledger = Ledger()
        wanted = catalog(adoptions=(self.ACT,))
        plan = plan_of(wanted, ledger.state)
        assert (row(plan, "banner").action, row(plan, "banner").spec_digest) == (Action.ADOPT, None)
        ledger.carry_out(plan)
        assert plan_of(wanted, ledger.state).changes == ()


def test_a_purchase_without_a_price_is_an_error_with_the_trainer_and_its_place():
    with pytest.raises(Invalid) as caught:
        plan_of(catalog(model("a"), model("b", "2")), Ledger().state, prices=PriceBook(()))
    assert len(caught.value.diagnostics) == 1
    assert "pixazo-flux2-pro" in caught.value.diagnostics[0].summary
    assert caught.value.diagnostics[0].place is not None


def test_without_a_purchase_no_price_is_needed():
    ledger = Ledger()
    ledger.bound(model("a"))
    assert row(plan_of(catalog(model("a"), model("b")), ledger.state, prices=PriceBook(())), "b").avoided == 0


def test_the_plan_is_as_old_as_it_was_told():
    plan = plan_of(catalog(), Ledger().state)
    assert (plan.created_at, plan.lineage, plan.environment) == (NOW, "lineage-1", "prod")


def test_what_was_spent_this_month_counts_failures_and_leaves_doubts_apart():
    ledger = Ledger()
    ledger.bound(model("a"), Phase.FAILED)
    ledger.job(model("b", "2"), at="2026-10-31T23:59:59Z")
    ledger.job(model("c", "3"), price=Decimal("9.50"))
    ledger.doubt(model("d", "4"))
    cost = plan_of(catalog(), ledger.state).cost
    assert (cost.month, cost.spent_month, cost.jobs_month, cost.in_doubt) == ("2026-11", Decimal("17.50"), 2, EIGHT)
