"""Every JSON document that a test sees is held to the schema that the package ships for it.

Needs jsonschema; where that is not installed nothing is checked, and `tests/pipelines/test_schemas.py` says so.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from typing import Any

from reconciler.reports.schemas import SCHEMAS

try:
    import jsonschema
except ImportError:  # the check is for whoever has the test extras
    jsonschema = None  # type: ignore[assignment]

EVENTS = (("apply",), ("refresh",), ("artifacts", "pull"))
KINDS = {"plan": "plan", "validate": "validate", "status": "status", "jobs": "jobs", "artifacts": "artifacts", "dataset": "datasets"}


@functools.cache
def _validator(kind: str) -> Any:
    return jsonschema.Draft7Validator(SCHEMAS[kind]())


def documents(words: Sequence[str], out: str) -> Iterator[tuple[str, Any]]:
    """The documents on stdout of a command line, each with its kind."""
    if "-json" not in words or not out.strip():
        return
    if any(tuple(words[: len(start)]) == start for start in EVENTS):
        yield from (("events", json.loads(line)) for line in out.splitlines() if line.startswith("{"))
        return
    try:
        document = json.loads(out)
    except ValueError:
        return  # whoever expects one document finds out
    if isinstance(document, dict) and document.get("kind") == "error":
        yield "error", document
    elif words[0] in KINDS or (words[0] == "show" and document.get("kind") == "plan"):
        yield KINDS.get(words[0], "plan"), document


def check(words: Sequence[str], out: str) -> None:
    """Fail where a document is not as its schema says."""
    if jsonschema is None:
        return
    for kind, document in documents(words, out):
        problems = [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in _validator(kind).iter_errors(document)]
        assert not problems, (words, kind, problems[:5])
