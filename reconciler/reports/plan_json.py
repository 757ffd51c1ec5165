"""The plan document as text, one change at a time: of any number of changes only one is ever held as a document."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.canonical import canonical_json
from reconciler.plan.change import Plan
from reconciler.plan.digests import DOCUMENT_DIGEST
from reconciler.plan.document import change_document, plan_foot, plan_head
from reconciler.reports.document import json_nested

CHANGES = "changes"


def plan_json(plan: Plan) -> Iterator[str]:
    """The pieces of what `json_text(plan_document(plan))` would be, to the byte."""
    head, foot = plan_head(plan), plan_foot(plan)
    rest = {**head, **foot}
    digest = hashlib.sha256("".join(["{", *_members(rest, before=CHANGES), f'"{CHANGES}":[']).encode("ascii"))
    yield "{\n" + "".join(f'  "{key}": {json_nested(value, depth=1)},\n' for key, value in head.items()) + f'  "{CHANGES}": ['
    for number, change in enumerate(plan.changes):
        document = change_document(change)
        digest.update(("," if number else "").encode("ascii") + canonical_json(document).encode("ascii"))
        yield f"{',' if number else ''}\n    {json_nested(document, depth=2)}"
    digest.update("".join(["]", *_members(rest, behind=CHANGES), "}"]).encode("ascii"))
    yield ("\n  ],\n" if plan.changes else "],\n") + "".join(f'  "{key}": {json_nested(value, depth=1)},\n' for key, value in foot.items())
    yield f'  "{DOCUMENT_DIGEST}": "sha256:{digest.hexdigest()}"\n}}\n'


def _members(document: Mapping[str, Any], *, before: str = "", behind: str = "") -> list[str]:
    """The canonical members in front of a key, or behind it, each with its comma on the side of that key."""
    if before:
        return [f'"{key}":{canonical_json(document[key])},' for key in sorted(document) if key < before]
    return [f',"{key}":{canonical_json(document[key])}' for key in sorted(document) if key > behind]
