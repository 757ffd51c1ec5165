"""The plan of the design's own example, and small builders for others."""

from __future__ import annotations

from decimal import Decimal

from reconciler.diagnostics import Diagnostic, Place
from reconciler.model import Dataset, Model, make_spec
from reconciler.plan.action import Action, Reason
from reconciler.plan.change import BudgetLine, Change, Cost, FieldChange, Plan

EIGHT = Decimal("8.00")
NOW = "2026-11-22T07:45:00Z"
REFRESHED = "2026-11-22T07:43:10Z"


def model(name: str, file: str, line: int, *, steps: int = 1000) -> Model:
    spec = make_spec("pixazo-flux2-pro", "url:https://data.example.com/a.zip", {"steps": steps, "learning_rate": 5e-5})
    return Model(name, spec, Dataset("https://data.example.com/a.zip", "url:https://data.example.com/a.zip"), Place(file, line))


def change(name: str, action: Action, reason: Reason, file: str = "models/a.yaml", line: int = 1, **rest) -> Change:
    return Change(name, action, reason, place=Place(file, line) if file else None, **rest)


CHANGES = (
    change(
        "hero-shot",
        Action.HELD,
        Reason.LAST_FAILED,
        "models/heroes.yaml",
        3,
        note="last job failed: captions missing; to buy again: generation: 2, or -replace=hero-shot",
        model=model("hero-shot", "models/heroes.yaml", 3),
    ),
    change("logo-dark", Action.REUSE, Reason.SAME_SPEC, "models/logos.yaml", 8, job="j-12", avoided=EIGHT, note="same spec as logo (job j-12)"),
    change("mascot-otter", Action.MOVE, Reason.RENAMED, "models/brand/mascots.yaml", 5, previous_name="otter", job="j-30", note="was otter"),
    change(
        "old-banner",
        Action.ADOPT,
        Reason.ADOPTED,
        "models/sweep.yaml",
        31,
        request_id="a1b2c3d4-e5f6-7890-g1h2-i3j4k5l6m7n8",
        note="request …k5l6m7n8, bought elsewhere",
    ),
    change("old-logo", Action.FORGET, Reason.NOT_DECLARED, "", job="j-07", note="no longer declared; job j-07 and its $8.00 stay in the ledger"),
    change("portrait-cold", Action.TRAIN, Reason.NEW_MODEL, "models/portraits.yaml", 27, cost=EIGHT, spec_digest="sha256:" + "a" * 64),
    change("portrait-warm", Action.TRAIN, Reason.NEW_MODEL, "models/portraits.yaml", 12, cost=EIGHT, spec_digest="sha256:" + "b" * 64),
    change(
        "product-bags",
        Action.UPDATE,
        Reason.METADATA_ONLY,
        "models/products.yaml",
        58,
        job="j-40",
        fields=(FieldChange("labels.season", "summer", "winter", Place("models/products.yaml", 58)),),
    ),
    change(
        "product-shoes",
        Action.RETRAIN,
        Reason.SPEC_CHANGED,
        "models/products.yaml",
        31,
        cost=EIGHT,
        previous_job="j-31",
        fields=(FieldChange("steps", 1500, 2000, Place("models/products.yaml", 31)),),
        spec_digest="sha256:" + "c" * 64,
    ),
    change(
        "retro-poster",
        Action.IN_DOUBT,
        Reason.IN_DOUBT,
        "models/posters.yaml",
        9,
        at_risk=EIGHT,
        attempt="at-01J9Z4",
        note="sent 2026-11-21 22:14 UTC, no answer; not sent again",
    ),
    change("sketch-ink", Action.WAIT, Reason.TRAINING, "models/sketches.yaml", 4, job="j-44", note="queued for 14 min"),
)
COST = Cost(
    due=Decimal("24.00"),
    worst=Decimal("32.00"),
    avoided=EIGHT,
    in_doubt=EIGHT,
    spent_month=Decimal("296.00"),
    month="2026-11",
    jobs_month=37,
    price_since="2026-01-01",
)
NO_COST = Cost(Decimal("0.00"), Decimal("0.00"), Decimal("0.00"), Decimal("0.00"), Decimal("296.00"), "2026-11", 37)
BUDGET = BudgetLine(
    "budget.per_month", "2026-11", Decimal("304.00"), Decimal("328.00"), Decimal("400.00"), warn_at=Decimal("320.00"), place=Place("reconciler.yaml", 9)
)

WARNING = Diagnostic("warning", "budget-warn-at", "budget.per_month: 82 % of the limit at worst (warn_at 80 %)", place=Place("reconciler.yaml", 9))


def plan(changes: tuple[Change, ...] = CHANGES, **rest) -> Plan:
    values = {
        "environment": "prod",
        "lineage": "0f0c7a52-8a8e-4f0e-9d0d-6f0f6d0c7a52",
        "serial": 118,
        "cost": COST if changes else NO_COST,
        "budgets": (BUDGET,) if changes else (),
        "diagnostics": (WARNING,) if changes else (),
        "unchanged": 35,
        "plan_digest": "sha256:21fd5e0cf263" + "0" * 52,
        "spend_digest": "sha256:7bbfa429bcbb" + "0" * 52,
        "created_at": NOW,
    } | rest
    return Plan(changes=changes, **values)
