"""Text that tries to be more than text, and where it can come from."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from reconciler.diagnostics import Diagnostic, Place
from reconciler.plan.action import Action, Reason
from reconciler.plan.change import BudgetLine, Change, FieldChange, Plan, Refusal

from .catalog import change, model, plan

HOSTILE = {
    "escape": "\x1b[2J\x1b]0;pwned\x07",
    "command": "x\n::error file=a::boo",
    "legacy": "##[error]boo ##vso[task.setvariable]x",
    "bidi": "a\u202eb\u2066c\u200fd",
    "invisible": "a\u200b\u00ad\U000e0041\u2028\u3164b",
    "markup": "</details><h1>boo</h1><img src=x onerror=alert(1)>",
    "table": "a | b || c \\| d",
    "ticks": "``` `a` ```` b",
    "mention": "@everyone #12 acme/loras#3",
    "link": "](https://evil.example.com) [[wiki]] ![i](https://evil.example.com/p.png)",
    "formula": "=cmd()|' /C calc'!A0",
    "surrogate": "a\ud800b",
    "zalgo": "a" + "\u0301" * 50,
    "secret": "https://user:hunter2@h.example.com/p?X-Amz-Signature=hunter2&token=hunter2",
    "relative": "/p/q?sig=hunter2&x=1",
    "data": "data:image/png;base64,aHVudGVyMg==hunter2",
    "carriage": "good\rbad",
    "percent": "100%0A::error::x",
    "json": '", "name": "x',
    "cdata": "]]><x/>&bogus;",
}
FORBIDDEN = ("\x1b", "\x07", "\x00", "\u202e", "\u2066", "\u200f", "\u2028", "\ud800", "\u00ad", "\U000e0041", "hunter2")
"""What no output for people may hold, wherever it came from."""


def hostile_plan(text: str) -> Plan:
    """A plan in which every foreign value is `text`."""
    evil = Place(f"models/{text}.yaml", 3, 1)
    rows = [_row(action, reason, text, evil) for action, reason in _ROWS]
    budget = BudgetLine(f"budget.by_label.team.{text}", text, Decimal(1), Decimal(9), Decimal(10), Decimal(8), evil)
    refusal = Refusal("budget", text, text, text, evil)
    warning = Diagnostic("warning", "W1", text, text, evil, source_line=text)
    return plan(
        tuple(rows),
        environment=text,
        endpoint=text,
        budgets=(budget,),
        refusals=(refusal,),
        diagnostics=(warning,),
        prices=({"trainer": text},),
    )


_ROWS = (
    (Action.IN_DOUBT, Reason.IN_DOUBT),
    (Action.HELD, Reason.LAST_FAILED),
    (Action.HELD, Reason.PROTECTED),
    (Action.RETRAIN, Reason.SPEC_CHANGED),
    (Action.TRAIN, Reason.NEW_MODEL),
    (Action.ADOPT, Reason.ADOPTED),
    (Action.REUSE, Reason.SAME_SPEC),
    (Action.MOVE, Reason.RENAMED),
    (Action.UPDATE, Reason.METADATA_ONLY),
    (Action.WAIT, Reason.TRAINING),
    (Action.FORGET, Reason.NOT_DECLARED),
)


def _row(action: Action, reason: Reason, text: str, place: Place) -> Change:
    wanted = replace(model("m", "a.yaml", 1), name=text, labels=(("team", text),), place=place)
    return replace(
        change(f"{action.value}-{text}", action, reason),
        place=place,
        fields=(FieldChange(f"labels.{text}", text, [text], place),),
        note="" if action is Action.HELD else text,
        job=text,
        previous_job=text,
        previous_name=text,
        consents=(text,),
        attempt=text,
        request_id=text,
        model=wanted,
        cost=Decimal("8.00") if action.is_paid else Decimal(0),
    )
