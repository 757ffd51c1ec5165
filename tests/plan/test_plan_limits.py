"""Selections, budgets and guards: what is left out, what refuses a plan, and how each refusal is lifted."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from reconciler.diagnostics import Place
from reconciler.errors import Invalid
from reconciler.job import Pause, Phase
from reconciler.plan.change import Plan
from reconciler.plan.moment import month_of
from reconciler.plan.spending import purchases, spent_by_label
from reconciler.policy import Budget, Guards, MonthlyBudget, Policy

from .world import EIGHT, Ledger, actions, catalog, model, plan_of, row

TEN = catalog(*(model(f"m-{i}", str(i)) for i in range(10)))


def limits(plan: Plan) -> dict[str, str]:
    assert len({r.limit for r in plan.refusals}) == len(plan.refusals)
    return {r.limit: r.kind for r in plan.refusals}


def budget(**rest) -> Policy:
    return Policy(Budget(**rest), places={"budget": Place("reconciler.yaml", 7), "budget.per_month": Place("reconciler.yaml", 9)})


class TestSelection:
    WANTED = catalog(model("logo-a", "1", labels={"team": "brand"}), model("logo-b", "2", labels={"team": "photo"}), model("hero", "3"))

    @pytest.mark.parametrize(
        ("request_", "names"),
        [
            ({"targets": ("logo-*",)}, {"logo-a", "logo-b"}),
            ({"targets": ("logo-a", "hero")}, {"logo-a", "hero"}),
            ({"targets": ("logo-[ac]",)}, {"logo-a"}),
            ({"excludes": ("logo-?",)}, {"hero"}),
            ({"selectors": (("team", "brand"),)}, {"logo-a"}),
            ({"targets": ("logo-*",), "excludes": ("logo-a",)}, {"logo-b"}),
            ({"targets": ("logo-*",), "selectors": (("team", "photo"),)}, {"logo-b"}),
        ],
    )
    def test_it_takes_what_it_names(self, request_, names):
        plan = plan_of(self.WANTED, Ledger().state, **request_)
        assert set(actions(plan)) == names
        assert not plan.complete

    @pytest.mark.parametrize(
        ("request_", "near"),
        [
            ({"targets": ("logo-aa",)}, "logo-a"),
            ({"targets": ("hero", "heroo")}, "hero"),
            ({"excludes": ("x*",)}, ""),
            ({"selectors": (("team", "brnd"),)}, "team=brand"),
            ({"selectors": (("teem", "brand"),)}, "team"),
            ({"targets": ("hero",), "selectors": (("team", "brand"),)}, ""),
            ({"targets": ("hero",), "excludes": ("hero",)}, ""),
        ],
    )
    def test_what_matches_nothing_is_an_error_with_the_nearest(self, request_, near):
        with pytest.raises(Invalid) as caught:
            plan_of(self.WANTED, Ledger().state, **request_)
        assert all(d.severity == "error" for d in caught.value.diagnostics)
        assert near in caught.value.diagnostics[0].detail

    def test_every_problem_is_reported_at_once(self):
        with pytest.raises(Invalid) as caught:
            plan_of(self.WANTED, Ledger().state, targets=("x", "y"), excludes=("z",))
        assert len(caught.value.diagnostics) == 3

    def test_names_that_are_bound_but_not_declared_can_be_named(self):
        ledger = Ledger()
        ledger.bound(model("old", "9", labels={"team": "brand"}))
        assert actions(plan_of(self.WANTED, ledger.state, targets=("old",))) == {"old": "forget"}
        assert set(actions(plan_of(self.WANTED, ledger.state, selectors=(("team", "brand"),)))) == {"old", "logo-a"}

    @pytest.mark.parametrize("named", ["otter", "mascot"])
    def test_a_rename_is_selected_by_either_name(self, named):
        ledger = Ledger()
        ledger.bound(model("otter"))
        wanted = catalog(model("mascot"), model("other", "2"))
        assert actions(plan_of(wanted, ledger.state, targets=(named,))) == {"mascot": "move"}
        assert actions(plan_of(wanted, ledger.state, excludes=(named,))) == {"other": "train"}

    def test_a_pattern_made_to_be_slow_is_not(self):
        wanted = catalog(model("a" * 63))
        with pytest.raises(Invalid):
            plan_of(wanted, Ledger().state, targets=("*a" * 25 + "b",))


class TestMoney:
    def test_a_budget_is_kept_up_to_the_last_cent(self):
        assert plan_of(TEN, Ledger().state, policy=budget(per_apply=Decimal("80.00"))).applyable
        plan = plan_of(TEN, Ledger().state, policy=budget(per_apply=Decimal("79.99")))
        assert limits(plan) == {"budget.per_apply": "budget"}
        assert len(plan.changes) == 10
        assert "$80.00" in plan.refusals[0].message
        assert "$79.99" in plan.refusals[0].message
        assert plan.refusals[0].lift == "budget.per_apply: 80.00"
        assert plan.refusals[0].place == Place("reconciler.yaml", 7)

    def test_max_cost_names_the_flag_that_lifts_it(self):
        plan = plan_of(TEN, Ledger().state, max_cost=Decimal(24))
        assert limits(plan) == {"-max-cost": "budget"}
        assert plan.refusals[0].lift == "-max-cost=80.00"

    def test_a_month_counts_what_was_bought_and_what_is_in_doubt(self):
        ledger = Ledger()
        ledger.job(model("x", "x"), Phase.FAILED)
        ledger.doubt(model("y", "y"))
        ledger.job(model("z", "z"), at="2026-10-31T23:00:00Z")
        wanted = catalog(model("new", "n"))
        plan = plan_of(wanted, ledger.state, policy=budget(per_month=MonthlyBudget(Decimal(24), 0.8)))
        assert plan.applyable
        (line,) = plan.budgets
        assert (line.spent, line.after, line.limit, line.period, line.warn_at) == (EIGHT * 2, EIGHT * 3, 24, "2026-11", Decimal("19.2"))
        assert plan.diagnostics[0].summary == "budget.per_month: 100 % of the limit at worst (warn_at 80 %)"
        assert plan.diagnostics[0].place == Place("reconciler.yaml", 9)
        assert limits(plan_of(wanted, ledger.state, policy=budget(per_month=MonthlyBudget(Decimal("23.99"))))) == {"budget.per_month": "budget"}

    def test_a_plan_that_buys_nothing_is_not_refused_by_an_exhausted_budget(self):
        ledger = Ledger()
        ledger.bound(model("x"))
        plan = plan_of(catalog(model("y")), ledger.state, policy=budget(per_month=MonthlyBudget(Decimal(1), 0.5), per_apply=Decimal(0)))
        assert actions(plan) == {"y": "move"}
        assert (plan.refusals, plan.diagnostics) == ((), ())

    def test_the_month_begins_where_the_time_zone_says(self):
        ledger = Ledger()
        ledger.job(model("x", "x"), at="2026-10-31T23:30:00Z")
        spent = {
            zone: plan_of(catalog(), ledger.state, policy=budget(per_month=MonthlyBudget(EIGHT, None, zone))).budgets[0].spent
            for zone in ("UTC", "Europe/Berlin", "America/New_York")
        }
        assert spent == {"UTC": 0, "Europe/Berlin": EIGHT, "America/New_York": 0}

    def test_a_time_zone_that_does_not_exist_is_an_error_of_the_project_file(self):
        with pytest.raises(Invalid) as caught:
            plan_of(catalog(), Ledger().state, policy=budget(per_month=MonthlyBudget(EIGHT, None, "Europe/Atlantis")))
        assert caught.value.diagnostics[0].place == Place("reconciler.yaml", 9)

    def test_a_label_has_its_own_budget(self):
        ledger = Ledger()
        ledger.bound(model("old", "o", labels={"team": "brand"}))
        ledger.doubt(model("new-b", "d", labels={"team": "brand"}))
        wanted = catalog(
            model("old", "o", labels={"team": "brand"}),
            model("new-a", "1", labels={"team": "brand"}),
            model("new-b", "d", labels={"team": "brand"}),
            model("c", "2"),
        )
        policy = budget(by_label={"team": {"brand": Decimal(24), "photo": Decimal(8)}})
        plan = plan_of(wanted, ledger.state, policy=policy)
        assert plan.applyable
        assert [(b.name, b.spent, b.after) for b in plan.budgets] == [
            ("budget.by_label.team.brand", EIGHT * 2, EIGHT * 3),
            ("budget.by_label.team.photo", 0, 0),
        ]
        plan = plan_of(wanted, ledger.state, policy=budget(by_label={"team": {"brand": Decimal(23)}}))
        assert limits(plan) == {"budget.by_label.team.brand": "budget"}

    def test_what_a_renamed_model_cost_counts_for_its_new_name(self):
        ledger = Ledger()
        job = ledger.job(model("old", "o"))
        ledger.bind(model("new", "o", labels={"team": "brand"}), job)
        spent = spent_by_label(ledger.state, None, "team", month_of("2026-11-24T00:00:00Z", "UTC"))
        assert spent["brand"].bought == EIGHT

    def test_what_was_bought_for_one_team_stays_with_it_when_another_shares_it(self):
        ledger = Ledger()
        job = ledger.bound(model("a", "o", labels={"team": "brand"}))
        ledger.bind(model("b", "o", labels={"team": "photo"}), job)
        ledger.bound(model("a", "p", labels={"team": "brand"}))
        assert [p.labels["team"] for p in purchases(ledger.state)] == ["brand", "brand"]


class TestGuards:
    def test_max_trains(self):
        assert plan_of(TEN, Ledger().state, policy=Policy(guards=Guards(max_trains=10))).applyable
        plan = plan_of(TEN, Ledger().state, policy=Policy(guards=Guards(max_trains=9)))
        assert limits(plan) == {"guards.max_trains": "guard"}

    def ten_bound(self) -> Ledger:
        ledger = Ledger()
        for wanted in TEN.models.values():
            ledger.bound(wanted)
        return ledger

    def changed(self, count: int, models: int = 10):
        return catalog(*(model(f"m-{i}", str(i), steps=2000 if i < count else 1000) for i in range(models)))

    @pytest.mark.parametrize(("count", "refused"), [(3, False), (4, True)])
    def test_a_share_of_retrains_is_the_most(self, count, refused):
        plan = plan_of(self.changed(count), self.ten_bound().state, policy=Policy(guards=Guards(max_retrain_percent=30)))
        assert bool(plan.refusals) is refused

    def test_the_share_holds_from_ten_models_up(self):
        plan = plan_of(self.changed(9, models=9), self.ten_bound().state, policy=Policy(guards=Guards(max_retrain_percent=30)))
        assert plan.applyable

    def test_retrains_that_are_named_do_not_count(self):
        policy = Policy(guards=Guards(max_retrain_percent=30))
        assert plan_of(self.changed(4), self.ten_bound().state, policy=policy, allow_retrain=("m-0",)).applyable

    def test_forgetting_more_than_was_allowed_is_refused(self):
        ledger = self.ten_bound()
        assert plan_of(catalog(), ledger.state).applyable
        assert plan_of(catalog(), ledger.state, allow_forget=10).applyable
        plan = plan_of(catalog(), ledger.state, allow_forget=9)
        assert limits(plan) == {"-allow-forget": "guard"}
        assert plan.refusals[0].lift == "-allow-forget=10"

    def test_a_pause_refuses_purchases_and_nothing_else(self):
        ledger = Ledger()
        ledger.bound(model("old", "o"))
        paused = replace(ledger.state, pause=Pause("audit", "ann", "2026-11-01T00:00:00Z"))
        plan = plan_of(TEN, paused)
        assert limits(plan) == {"pause": "paused"}
        assert plan.refusals[0].lift == "reconciler resume"
        assert plan_of(catalog(model("new", "o")), paused).applyable

    def test_a_dataset_known_by_its_url_alone_is_warned_of_or_refused(self):
        wanted = catalog(model("a", "1"), model("b", "2", sha256="0" * 64))
        warned = plan_of(wanted, Ledger().state, policy=Policy(guards=Guards(require_dataset_digest="warn")))
        assert warned.applyable
        assert [d.summary.split()[0] for d in warned.diagnostics] == ["a"]
        refused = plan_of(wanted, Ledger().state, policy=Policy(guards=Guards(require_dataset_digest="error")))
        assert [r.kind for r in refused.refusals] == ["guard"]

    def test_several_limits_are_all_named(self):
        policy = Policy(Budget(per_apply=EIGHT), Guards(max_trains=1))
        assert set(limits(plan_of(TEN, Ledger().state, policy=policy, max_cost=EIGHT))) == {"-max-cost", "guards.max_trains", "budget.per_apply"}


def test_a_held_row_says_what_it_would_cost():
    ledger = Ledger()
    ledger.bound(model("otter", prevent_retrain=True))
    assert "$8.00" in row(plan_of(catalog(model("otter", steps=2000)), ledger.state), "otter").note


@pytest.mark.parametrize(
    ("at", "zone", "month"),
    [
        ("2026-12-31T23:30:00Z", "UTC", ("2026-12", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z")),
        ("2026-12-31T23:30:00Z", "Europe/Berlin", ("2027-01", "2026-12-31T23:00:00Z", "2027-01-31T23:00:00Z")),
        ("2026-03-15T00:00:00Z", "Europe/Berlin", ("2026-03", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z")),
    ],
)
def test_a_month_begins_and_ends_by_the_calendar_of_its_zone(at, zone, month):
    assert tuple(month_of(at, zone)) == month
