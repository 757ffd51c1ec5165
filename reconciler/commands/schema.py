"""`schema`: JSON Schema of what people write (manifest, project) and of what this program writes (plan, events, …)."""

from __future__ import annotations

from reconciler.commands.streams import Output


def run(output: Output, *, kind: str) -> int:
    """Print one schema."""
    output.write(schema_text(kind))
    return 0


def schema_text(kind: str) -> str:
    """The schema of that kind of document, as it is printed and as `init` writes it for editors."""
    from reconciler.reports.document import json_text

    if kind in ("manifest", "project"):
        from reconciler.manifest.schema import manifest_schema, project_schema

        return json_text(manifest_schema() if kind == "manifest" else project_schema())
    from reconciler.reports.schemas import SCHEMAS

    return json_text(SCHEMAS[kind]())
