"""What is not the vendor's: the ledger and the fault plan over HTTP, for tests and curious people. No key is asked."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from reconciler.emulator import answers
from reconciler.emulator.answers import Answer
from reconciler.emulator.books import Books, Entry
from reconciler.emulator.faultfile import parse_faults
from reconciler.emulator.faults import KINDS, FaultPlan
from reconciler.errors import Invalid
from reconciler.text import money_text

PATH = "/__admin/"


def answer(method: str, path: str, body: bytes, *, books: Books, plan: FaultPlan) -> Answer:
    """What a request below `PATH` gets."""
    match (method, path.removeprefix(PATH)):
        case ("GET", "ledger"):
            return answers.json_answer(200, ledger_document(books))
        case ("GET", "faults"):
            kinds = {k.name: {"meaning": k.meaning, "on": k.routes, "creates_job": k.accepts, "settings": dict(k.settings)} for k in KINDS.values()}
            return answers.json_answer(200, {"faults": [f.described() for f in plan.faults], "calls": plan.calls(), "kinds": kinds})
        case ("POST", "faults"):
            try:
                plan.replace(parse_faults(body.decode("utf-8", "replace")))
            except Invalid as error:
                return answers.json_answer(400, {"error": "Invalid fault plan", "problems": [d.summary for d in error.diagnostics]})
            return answers.json_answer(200, {"faults": len(plan.faults)})
        case ("DELETE", "faults"):
            plan.replace(())
            return answers.json_answer(200, {"faults": 0})
        case _:
            return answers.json_answer(404, {"error": "the emulator has GET /__admin/ledger and GET, POST, DELETE /__admin/faults"})


def ledger_document(books: Books) -> dict[str, Any]:
    """The books as JSON: every entry, and the sums in USD."""
    entries = books.ledger()
    charged = sum((e.amount for e in entries), Decimal("0.00"))
    refunded = sum((e.refunded for e in entries), Decimal("0.00"))
    sums = {"created": sum(e.request_id is not None for e in entries), "charged": money_text(charged), "refunded": money_text(refunded)}
    return {**sums, "entries": [_entry_document(e, books.clock()) for e in entries]}


def _entry_document(entry: Entry, now: float) -> dict[str, Any]:
    stage = None if entry.timeline is None else entry.timeline.stage(now).value
    told = entry._asdict()
    del told["timeline"]
    return {**told, "at": answers.instant(entry.at), "amount": money_text(entry.amount), "refunded": money_text(entry.refunded), "stage": stage}
