"""Saved plans: the document, its strict reader, its digests, and the comparison of an approved plan with today."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from reconciler.errors import Invalid, PlanChanged
from reconciler.job import Phase
from reconciler.model import Adoption, Resolution
from reconciler.money import Price, PriceBook
from reconciler.plan.digests import spend_digest
from reconciler.plan.document import plan_document, read_plan
from reconciler.plan.premises import approved_plan, require_digest
from reconciler.policy import Budget, Guards, MonthlyBudget, Policy
from reconciler.reports.document import json_text

from .world import EIGHT, NOW, PRICES, TRAINER, Ledger, actions, catalog, model, plan_of

PLACE = model("x").place
POLICY = Policy(Budget(per_apply=EIGHT, per_month=MonthlyBudget(Decimal(1000), 0.001)), Guards(require_dataset_digest="warn"))


def everything():
    """A plan with a change of every action, refusals, budgets and warnings."""
    ledger = Ledger()
    ledger.bound(model("failed", "1"), Phase.FAILED, error="see https://vendor.example.com/why?token=secret")
    ledger.bound(model("retrain", "2"))
    ledger.bound(model("old", "3"))
    ledger.bound(model("update", "4", labels={"team": "a"}))
    ledger.bound(model("wait", "5"), Phase.RUNNING)
    ledger.bound(model("gone", "6"))
    ledger.bound(model("same", "7"))
    doubt = ledger.doubt(model("doubt", "8"))
    wanted = catalog(
        model("failed", "1"), model("retrain", "2?page=2&sig=abc"), model("new", "3"), model("update", "4", labels={"team": "b"}), model("wait", "5"), model("same", "7"),
        model("again", "7"), model("doubt", "8"), model("train", "9"), model("share", "9"), model("adopt", "10"),
        adoptions=(Adoption("adopt", "request-77", "", PLACE),), resolutions=(Resolution(doubt.id, "request-78", "ticket", PLACE),),
    )  # fmt: skip
    return wanted, ledger


def saved_text(plan) -> str:
    return json_text(plan_document(plan))


def approve(wanted, ledger, **request):
    return read_plan(saved_text(plan_of(wanted, ledger.state, **request)))


def today(saved, wanted, ledger, *, policy=None, prices=PRICES, endpoint="", **rest):
    return approved_plan(saved, wanted, ledger.state, prices=prices, policy=policy or Policy(), now="2026-11-25T08:00:00Z", endpoint=endpoint, **rest)


class TestDocument:
    def test_it_has_the_promised_keys(self):
        wanted, ledger = everything()
        document = plan_document(plan_of(wanted, ledger.state, policy=POLICY))
        assert document.keys() >= {
            "format_version", "kind", "environment", "state", "prices", "summary", "cost", "applyable", "complete", "refusals", "budgets", "changes",
            "diagnostics", "spend_digest", "plan_digest", "created_at",
        }  # fmt: skip
        assert document["cost"].keys() >= {"currency", "due", "worst", "avoided", "spent_month", "in_doubt", "limit"}
        assert document["summary"].keys() >= {"train", "retrain", "reuse", "move", "update", "wait", "adopt", "forget", "held", "in_doubt", "unchanged"}
        for change in document["changes"]:
            assert change.keys() >= {"name", "previous_name", "action", "actions", "reason", "cost", "fields", "spec_digest", "job", "source"}
        assert {c["action"] for c in document["changes"]} == {"train", "retrain", "reuse", "move", "update", "wait", "adopt", "forget", "held", "in_doubt"}
        assert next(c for c in document["changes"] if c["name"] == "adopt")["importing"] == {"id": "request-77"}
        assert document["prices"] == [{"trainer": TRAINER, "from": "2026-01-01", "currency": "USD", "per_run": "8.00"}]

    def test_it_holds_no_query_of_a_url(self):
        wanted, ledger = everything()
        text = saved_text(plan_of(wanted, ledger.state))
        assert "page=2" not in text
        assert "secret" not in text

    def test_it_is_read_back_whole(self):
        wanted, ledger = everything()
        plan = plan_of(wanted, ledger.state, policy=POLICY, excludes=("same",), selectors=(), max_cost=Decimal(5), endpoint="https://gateway.pixazo.ai")
        assert plan.refusals
        saved = read_plan(saved_text(plan))
        assert plan_document(saved.plan)["changes"][0].keys() == {k for k in plan_document(plan)["changes"][0] if k != "metadata_digest"}
        again = replace(saved.plan, changes=plan.changes)
        assert plan_document(again) == plan_document(plan)
        assert [c.action for c in saved.plan.changes] == [c.action for c in plan.changes]
        assert saved.request == plan.request

    def test_equal_inputs_give_equal_bytes(self):
        assert saved_text(plan_of(*_pair())) == saved_text(plan_of(*_pair()))

    def test_the_digests_ignore_time_and_places(self):
        wanted, ledger = everything()
        plan = plan_of(wanted, ledger.state)
        moved = catalog(
            *(replace(m, place=m.place._replace(line=99), fields={}) for m in wanted.models.values()),
            adoptions=wanted.adoptions,
            resolutions=wanted.resolutions,
        )
        other = plan_of(moved, ledger.state, now="2026-11-29T00:00:00Z")
        assert (plan.plan_digest, plan.spend_digest) == (other.plan_digest, other.spend_digest)

    def test_a_poll_does_not_change_the_digest(self):
        ledger = Ledger()
        job = ledger.bound(model("a"), Phase.RUNNING)
        wanted = catalog(model("a"), model("b", "2"))
        before = plan_of(wanted, ledger.state)
        ledger.jobs[job.id] = replace(job, phase=Phase.SUCCEEDED)
        assert plan_of(wanted, ledger.state).plan_digest == before.plan_digest

    def test_the_spend_digest_covers_names_specs_and_amounts_of_purchases(self):
        plan = plan_of(catalog(model("b"), model("a", "2")), Ledger().state)
        rows = [(c.name, c.spec_digest, "8.00") for c in plan.changes]
        assert plan.spend_digest == spend_digest(reversed(rows))
        assert plan.spend_digest != spend_digest([(*rows[0][:2], "9.00"), rows[1]])


def _pair():
    wanted, ledger = everything()
    return wanted, ledger.state


class TestReader:
    def edited(self, edit):
        wanted, ledger = everything()
        document = json.loads(saved_text(plan_of(wanted, ledger.state, policy=POLICY)))
        edit(document)
        return json.dumps(document)

    @pytest.mark.parametrize(
        "edit",
        [
            lambda d: d["changes"][-2].update(cost="0.01"),
            lambda d: d["changes"].pop(),
            lambda d: d["changes"].reverse(),
            lambda d: d["changes"].append(dict(d["changes"][0], name="zzz")),
            lambda d: d.update(endpoint="https://elsewhere.example.com"),
            lambda d: d.update(environment="dev"),
            lambda d: d.update(spend_digest="sha256:" + "0" * 64),
            lambda d: d.update(document_digest="sha256:" + "0" * 64),
            lambda d: d.pop("document_digest"),
            lambda d: d["cost"].update(due="0.00"),
            lambda d: d["selection"].update(replace=["train"]),
            lambda d: d.update(refusals=[], applyable=True),
            lambda d: d.update(more=1),
            lambda d: d.update(format_version="2.0"),
            lambda d: d.update(format_version=None),
        ],
    )
    def test_an_edited_plan_is_refused(self, edit):
        with pytest.raises(PlanChanged):
            read_plan(self.edited(edit))

    def test_a_plan_whose_digest_was_made_again_is_refused_by_its_money(self):
        def edit(document):
            from reconciler.canonical import digest_of

            document["changes"][-2]["cost"] = "0.01"
            document.pop("document_digest")
            document["document_digest"] = digest_of(document)

        with pytest.raises(PlanChanged):
            read_plan(self.edited(edit))

    def test_a_plan_that_was_cut_anywhere_is_refused(self):
        text = saved_text(plan_of(*_pair()))
        for end in range(1, len(text) - 2, 97):
            with pytest.raises(PlanChanged):
                read_plan(text[:end])

    @pytest.mark.parametrize("text", ["", "[]", "models:\n  a: 1\n", "{}", '{"kind": "validate"}', "\x00", "null"])
    def test_what_is_no_plan_is_invalid(self, text):
        with pytest.raises(Invalid):
            read_plan(text)

    @pytest.mark.parametrize("text", ['{"kind": "plan", "kind": "plan"}', '{"kind": NaN}', '{"a":' * 100_000, '{"kind": ' + "9" * 10_000 + "}"])
    def test_hostile_json_is_refused_without_a_traceback(self, text):
        with pytest.raises((PlanChanged, Invalid)):
            read_plan(text)

    def test_layout_does_not_matter(self):
        text = saved_text(plan_of(*_pair()))
        assert read_plan(json.dumps(json.loads(text))) == read_plan(text)


class TestPremises:
    WANTED = catalog(model("a", "1"), model("b", "2", labels={"team": "x"}))

    def test_what_was_approved_is_what_is_bought(self):
        ledger = Ledger()
        saved = approve(self.WANTED, ledger)
        plan = today(saved, self.WANTED, ledger)
        assert plan.spend_digest == saved.plan.spend_digest

    def test_what_is_done_is_skipped(self):
        ledger = Ledger()
        saved = approve(self.WANTED, ledger)
        ledger.carry_out(plan_of(self.WANTED, ledger.state, targets=("a",)))
        plan = today(saved, self.WANTED, ledger)
        assert actions(plan) == {"a": "wait", "b": "train"}
        ledger.carry_out(plan)
        assert today(saved, self.WANTED, ledger).cost.due == 0

    def test_cheaper_is_fine_and_dearer_is_not(self):
        ledger = Ledger()
        saved = approve(self.WANTED, ledger)
        cheaper = PriceBook((Price(TRAINER, "2026-01-01", Decimal("7.50")),))
        assert today(saved, self.WANTED, ledger, prices=cheaper).cost.due == Decimal(15)
        dearer = PriceBook((Price(TRAINER, "2026-01-01", Decimal("8.01")),))
        with pytest.raises(PlanChanged, match=r"a: train for \$8.00 → train for \$8.01"):
            today(saved, self.WANTED, ledger, prices=dearer)

    def test_a_job_bought_elsewhere_meanwhile_is_reused(self):
        ledger = Ledger()
        saved = approve(self.WANTED, ledger)
        ledger.bound(model("a", "1"), environment="dev")
        assert actions(today(saved, self.WANTED, ledger)) == {"a": "reuse", "b": "train"}

    @pytest.mark.parametrize(
        ("edited", "text"),
        [
            (catalog(model("a", "1"), model("b", "2", labels={"team": "x"}), model("c", "3")), "c: not in the approved plan → train for $8.00"),
            (catalog(model("a", "1", steps=2000), model("b", "2", labels={"team": "x"})), "a: train for $8.00, spec"),
            (catalog(model("a", "1")), "b: train for $8.00 → no longer declared"),
            (catalog(model("a", "1"), model("b", "2", labels={"team": "y"})), "edited since"),
            (catalog(model("a", "1", suspend=True), model("b", "2", labels={"team": "x"})), "edited since"),
        ],
    )
    def test_an_edit_after_the_approval_buys_nothing_and_says_what_moved(self, edited, text):
        ledger = Ledger()
        saved = approve(self.WANTED, ledger)
        with pytest.raises(PlanChanged) as caught:
            today(saved, edited, ledger)
        assert text in caught.value.message

    def test_an_edit_that_is_free_is_an_edit(self):
        ledger = Ledger()
        ledger.job(model("z", "1", steps=500))
        saved = approve(self.WANTED, ledger)
        with pytest.raises(PlanChanged):
            today(saved, catalog(model("a", "1", steps=500), self.WANTED.models["b"]), ledger)

    def test_polls_and_failures_of_other_models_do_not_make_it_stale(self):
        ledger = Ledger()
        job = ledger.bound(model("c", "3"), Phase.RUNNING)
        wanted = catalog(*self.WANTED.models.values(), model("c", "3"))
        saved = approve(wanted, ledger)
        ledger.jobs[job.id] = replace(job, phase=Phase.FAILED)
        assert actions(today(saved, wanted, ledger)) == {"a": "train", "b": "train", "c": "held"}

    def test_a_doubt_that_came_up_blocks_its_model_and_nothing_else(self):
        ledger = Ledger()
        saved = approve(self.WANTED, ledger)
        ledger.doubt(model("a", "1"))
        assert actions(today(saved, self.WANTED, ledger)) == {"a": "in_doubt", "b": "train"}

    def test_a_doubt_written_off_after_the_approval_is_not_bought(self):
        ledger = Ledger()
        attempt = ledger.doubt(model("a", "1"))
        saved = approve(self.WANTED, ledger)
        ledger.attempts[attempt.id] = replace(attempt, status=attempt.status.WRITTEN_OFF)
        with pytest.raises(PlanChanged, match="a: in doubt → train"):
            today(saved, self.WANTED, ledger)

    def test_a_replace_is_not_bought_twice(self):
        ledger = Ledger()
        ledger.bind(model("h", "1"), ledger.bound(model("a", "1")))
        wanted = catalog(model("a", "1"), model("h", "1"))
        saved = approve(wanted, ledger, replace=("*",))
        assert actions(saved.plan) == {"a": "retrain", "h": "reuse"}
        plan = today(saved, wanted, ledger)
        assert actions(plan) == {"a": "retrain", "h": "reuse"}
        ledger.carry_out(plan)
        assert today(saved, wanted, ledger).cost.due == 0

    def test_a_retry_that_failed_as_well_is_not_bought_under_the_same_approval(self):
        ledger = Ledger()
        wanted = catalog(model("a", "1", on_failure="retry", max_attempts=5))
        ledger.bound(wanted.models["a"], Phase.FAILED)
        saved = approve(wanted, ledger)
        ledger.phase = Phase.FAILED
        ledger.carry_out(today(saved, wanted, ledger))
        with pytest.raises(PlanChanged):
            today(saved, wanted, ledger)

    def test_a_selective_plan_looks_only_at_what_it_named(self):
        ledger = Ledger()
        ledger.bound(model("gone", "9"))
        saved = approve(self.WANTED, ledger, targets=("a", "gone"))
        more = catalog(*self.WANTED.models.values(), model("c", "3"))
        plan = today(saved, more, ledger)
        assert actions(plan) == {"a": "train", "gone": "forget"}
        ledger.carry_out(plan)
        assert actions(today(saved, more, ledger)) == {"a": "wait"}

    def test_a_move_is_done_once(self):
        ledger = Ledger()
        ledger.bound(model("otter", "1", prevent_retrain=True))
        wanted = catalog(model("mascot", "1"))
        saved = approve(wanted, ledger)
        ledger.carry_out(today(saved, wanted, ledger))
        assert today(saved, wanted, ledger).changes == ()

    def test_a_name_declared_again_is_not_forgotten_silently(self):
        ledger = Ledger()
        ledger.bound(model("gone", "9"))
        saved = approve(self.WANTED, ledger)
        with pytest.raises(PlanChanged, match="gone: not declared → declared again"):
            today(saved, catalog(*self.WANTED.models.values(), model("gone", "9")), ledger)

    @pytest.mark.parametrize("part", ["endpoint", "environment", "lineage"])
    def test_another_world_is_refused(self, part):
        ledger = Ledger()
        saved = approve(self.WANTED, ledger, endpoint="https://a.example.com")
        wanted = replace(self.WANTED, environment="dev") if part == "environment" else self.WANTED
        state = replace(ledger.state, lineage="other") if part == "lineage" else ledger.state
        endpoint = "https://b.example.com" if part == "endpoint" else "https://a.example.com"
        with pytest.raises(PlanChanged, match=part):
            approved_plan(saved, wanted, state, prices=PRICES, policy=Policy(), now=NOW, endpoint=endpoint)

    def test_budgets_hold_with_what_was_spent_since(self):
        ledger = Ledger()
        policy = Policy(Budget(per_month=MonthlyBudget(Decimal(20))))
        saved = read_plan(saved_text(plan_of(self.WANTED, ledger.state, policy=policy)))
        assert saved.plan.applyable
        ledger.job(model("z", "z"))
        assert not today(saved, self.WANTED, ledger, policy=policy).applyable

    def test_limits_of_the_command_line_hold_for_a_saved_plan(self):
        ledger = Ledger()
        saved = approve(self.WANTED, ledger)
        assert [r.limit for r in today(saved, self.WANTED, ledger, max_cost=Decimal(1)).refusals] == ["-max-cost"]

    def test_many_differences_are_counted(self):
        ledger = Ledger()
        saved = approve(self.WANTED, ledger)
        with pytest.raises(PlanChanged, match="and 15 more"):
            today(saved, catalog(*self.WANTED.models.values(), *(model(f"n-{i}", f"n{i}") for i in range(40))), ledger)


@pytest.mark.parametrize(("given", "good"), [("", False), ("21fd", False), ("21fd5e0cf263", True), ("sha256:21FD5E0CF263", True), ("21fd5e0cf264", False)])
def test_a_digest_is_given_whole_or_by_twelve_digits(given, good):
    actual = "sha256:21fd5e0cf263" + "0" * 52
    if good:
        require_digest("-plan-digest", given, actual)
    else:
        with pytest.raises(PlanChanged, match="-plan-digest"):
            require_digest("-plan-digest", given, actual)
