"""`catalog build`: every model as data and as one page, for people who look for one. Asks nobody; reads manifests and state."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from reconciler.commands.artifacts import local_files
from reconciler.commands.context import Context, environment_name, load_catalog, open_project, open_store
from reconciler.commands.outfile import write_file
from reconciler.commands.problems import show_notes
from reconciler.errors import Usage
from reconciler.money import ZERO
from reconciler.text import plural, safe

FOLDER = "catalog"
DATA, PAGE = "catalog.json", "index.html"


def run_build(context: Context, *, out: str | None) -> int:
    """Write `catalog.json` and `index.html`. Raises Usage for a folder that cannot be written, Invalid, StateProblem."""
    from reconciler.catalog.document import catalog_document
    from reconciler.catalog.page import catalog_page
    from reconciler.reports.document import json_text

    folder = context.root / (FOLDER if out is None else out)
    if out is None and folder.is_symlink():
        raise Usage(f"{FOLDER} is a link; nothing was written", hint="-out=DIR writes where a link leads")
    document = catalog_document(**_inputs(context))
    paths = [a["path"] for row in document["models"] for a in row["artifacts"] if a["path"]]
    hrefs = {path: os.path.relpath(context.root / path, folder).replace(os.sep, "/") for path in paths}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Usage(f"{safe(folder, limit=300)} cannot be made: {error.strerror}") from None
    write_file(folder / DATA, json_text(document))
    write_file(folder / PAGE, catalog_page(document, hrefs=hrefs))
    where = FOLDER if out is None else out
    context.out.line(f"{plural(len(document['models']), 'model')}: {safe(f'{where}/{PAGE}', limit=300)}, {safe(f'{where}/{DATA}', limit=300)}")
    return 0


def _inputs(context: Context) -> Mapping[str, Any]:
    """What the document is made from: every name that is declared, bound or in doubt in the chosen environment."""
    from reconciler.catalog.document import Entry
    from reconciler.reports.phases import standings

    project = open_project(context)
    environment = environment_name(context, project)
    catalog, _ = load_catalog(context, project)
    state = open_store(context, project).view()
    show_notes(context, state)
    rows = standings(state, environment=environment, models=catalog.models)
    local = local_files(context.root, [row.job for row in rows if row.job is not None])
    entries = [
        Entry(
            name=row.name,
            phase=row.phase,
            model=catalog.models.get(row.name),
            job=row.job,
            metadata=binding.metadata if (binding := state.bindings.get((environment, row.name))) is not None else {},
            at_risk=row.attempt.price if row.attempt is not None else ZERO,
            local=local.get(row.job.id, {}) if row.job is not None else {},
        )
        for row in rows
    ]
    return {"entries": entries, "environment": environment, "lineage": state.lineage, "serial": state.serial}
