"""What a plan is recognised by. No time, no order, no place, no warning: the things that make equal plans look different."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.canonical import canonical_json, digest_of

FORMAT_VERSION = "1.0"
"""Of the plan document: minor = additive, major = breaking."""
DOCUMENT_DIGEST = "document_digest"
"""The key of a plan document that covers all its others: an edited file is not the one that was written."""

_SHOWN_ONLY = frozenset({"note", "source", "actions", "importing"})
"""Of a change's document: what explains it to people, or repeats something else."""


def spend_digest(paid: Iterable[tuple[str, str, str]]) -> str:
    """Over (name, spec digest, amount as decimal string) of the paid changes alone."""
    return digest_of(sorted(list(row) for row in paid))


def plan_digest(environment: str, lineage: str, endpoint: str, changes: Iterable[Mapping[str, Any]]) -> str:
    """Over all changes as documents. Models that merely train on are left out: a poll must not make a plan another one.

    `digest_of` a document with these four keys, of which no more than one change is held at a time.
    """
    digest, sign = hashlib.sha256(b'{"changes":['), ""
    for change in changes:
        if change["action"] != "wait":
            digest.update((sign + canonical_json(_row(change))).encode("ascii"))
            sign = ","
    rest = canonical_json({"endpoint": endpoint, "environment": environment, "lineage": lineage})
    digest.update(f"],{rest[1:]}".encode("ascii"))
    return "sha256:" + digest.hexdigest()


def _row(change: Mapping[str, Any]) -> dict[str, Any]:
    row = {key: value for key, value in change.items() if key not in _SHOWN_ONLY}
    row["fields"] = [{key: field[key] for key in ("path", "before", "after")} for field in change["fields"]]
    return row
