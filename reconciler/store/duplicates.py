"""What is said of a purchase that two histories made, each without knowing the other: money that nobody may overlook.

Which purchases those are is folded in `state`; here they become one sentence.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.money import ZERO
from reconciler.state import State
from reconciler.text import format_money

_MOST_NAMED = 10


def with_duplicates_noted(state: State) -> State:
    """`state` with one note more where something was bought twice: how much, which, beside which."""
    if not (twice := state.duplicates):
        return state
    names = ", ".join(f"{a.name} ({a.id}, {format_money(a.price)}, beside {a.duplicate_of})" for a in twice[:_MOST_NAMED])
    more = f" and {len(twice) - _MOST_NAMED} more" if len(twice) > _MOST_NAMED else ""
    amount = format_money(sum((a.price for a in twice), ZERO))
    return replace(state, notes=(*state.notes, f"histories that went apart bought the same twice, {amount}: {names}{more}"))
