"""`json_text` writes what `json.dumps` with an indent of two writes of the same plain data, whatever the data."""

from __future__ import annotations

import json
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.plan.action import Action, Reason
from reconciler.reports.document import json_text, plain

LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from([Action.TRAIN, Reason.NEW_MODEL, Decimal("8.00")]),
    st.sampled_from(["https://a.example.com/x.zip?sig=1", "##[error]", "data:text/plain,abc"]), st.frozensets(st.text(max_size=3), max_size=3),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4) | st.tuples(inner, inner) | st.just(()),
    max_leaves=20,
)


@settings(deadline=None, derandomize=True)
@given(VALUES)
def test_the_text_is_that_of_the_standard_library(value: object) -> None:
    expected = json.dumps(plain(value), ensure_ascii=True, indent=2, allow_nan=False).replace("##", "#\\u0023") + "\n"
    if not _merges_keys(value):
        assert json_text(value) == expected


def _merges_keys(value: object) -> bool:
    """Whether two keys of a mapping are one once they are text."""
    if isinstance(value, dict):
        return len({str(k) for k in value}) < len(value) or any(map(_merges_keys, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_merges_keys, value))
