"""`-var` and `-var-file`: what variables the command line sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reconciler.errors import Invalid
from reconciler.settings import parse_variable


def read_variables(root: Path, pairs: Sequence[str], files: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Name → (value, origin). Files in the order given, then pairs; the last value of a name counts. Raises Usage or Invalid."""
    found: dict[str, tuple[str, str]] = {}
    for file in files:
        from reconciler.manifest.variable_file import load_variable_file

        values, diagnostics = load_variable_file(root / file)
        if values is None:
            raise Invalid(diagnostics)
        found.update({name: (value, f"-var-file={file}") for name, value in values.items()})
    for pair in pairs:
        name, value = parse_variable(pair)
        found[name] = (value, "-var")
    return found
