"""The file of `-var-file`: one flat map of names to plain values, in YAML or JSON (which is YAML)."""

from __future__ import annotations

from pathlib import Path

from reconciler.diagnostics import Diagnostic, in_order
from reconciler.manifest.fields import Fields
from reconciler.manifest.front import read_source
from reconciler.manifest.node import Scalar
from reconciler.manifest.parse import parse_map
from reconciler.manifest.source import Problems, shown


def load_variable_file(path: Path) -> tuple[dict[str, str] | None, list[Diagnostic]]:
    """Name → value as text. None with errors."""
    problems = Problems()
    source = read_source(path.parent, path.name, problems)
    tree = parse_map(source, problems) if source is not None else None
    found: dict[str, str] = {}
    fields = Fields(problems)
    for name, (_, node) in (tree.entries if tree is not None else {}).items():
        if type(node) is not Scalar or node.value is None:
            fields.fault("E102", node, f"the variable {shown(name)} must be a plain value")
        else:
            found[name] = node.value if isinstance(node.value, str) else node.text
    return (None if problems.errors else found), in_order(problems.found)
