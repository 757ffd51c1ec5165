"""`schema`: JSON Schema of what people write (manifest, project) and of what this program writes (plan, events, …)."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.commands.context import Context, trainers_here
from reconciler.trainer import BUILT_IN, Trainer


def run(context: Context, *, kind: str) -> int:
    """Print one schema; of manifests with the parameters of this project's own trainers. Raises Invalid for a project file with problems."""
    trainers = trainers_here(context) if kind == "manifest" else BUILT_IN
    context.out.write(schema_text(kind, trainers))
    return 0


def schema_text(kind: str, trainers: Mapping[str, Trainer] = BUILT_IN) -> str:
    """The schema of that kind of document, as it is printed and as `init` writes it for editors."""
    from reconciler.reports.document import json_text

    if kind in ("manifest", "project"):
        from reconciler.manifest.schema import manifest_schema, project_schema

        return json_text(manifest_schema(trainers.values()) if kind == "manifest" else project_schema())
    from reconciler.reports.schemas import SCHEMAS

    return json_text(SCHEMAS[kind]())
