"""The digest of a plan is that of one document, although its changes are digested one at a time."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.canonical import digest_of
from reconciler.plan.digests import plan_digest

TRAIN = {"name": "né", "action": "train", "fields": [{"path": "steps", "before": None, "after": 1.5, "file": "a.yaml"}], "note": "shown only", "source": None}
ROW = {"name": "né", "action": "train", "fields": [{"path": "steps", "before": None, "after": 1.5}]}


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_digest_is_that_of_the_whole(count: int) -> None:
    rows: list[dict[str, Any]] = [TRAIN] * count
    whole = {"environment": 'e"', "lineage": "l", "endpoint": "x", "changes": [ROW] * count}
    assert plan_digest('e"', "l", "x", iter([*rows, {"name": "w", "action": "wait", "fields": []}])) == digest_of(whole)
