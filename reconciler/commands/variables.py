"""`-var` and `-var-file`: what variables the command line sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reconciler.settings import parse_variable


def read_variables(root: Path, pairs: Sequence[str], files: Sequence[str]) -> dict[str, Any]:
    """Files in the order given, then pairs; the last value of a name counts. Raises Usage or Invalid."""
    found: dict[str, Any] = {}
    for file in files:
        found.update(_file(root / file))
    found.update(parse_variable(pair) for pair in pairs)
    return found
