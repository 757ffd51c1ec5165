"""`completion models`: the names that a shell offers, one a line. Says nothing about what is wrong; that is for `validate`."""

from __future__ import annotations

import re

from reconciler.commands.context import Context, local_data, open_project, open_store
from reconciler.errors import ReconcilerError
from reconciler.model import DEFAULT_ENVIRONMENT

TYPEABLE = re.compile(r"[A-Za-z0-9._@=,+-]+")
"""What no shell reads as anything else."""


def run(context: Context) -> int:
    """Print the names that are declared in the chosen environment or in any, or bound in the state, sorted."""
    for name in sorted(_names(context)):
        if TYPEABLE.fullmatch(name):
            context.out.line(name)
    return 0


def _names(context: Context) -> set[str]:
    from reconciler.manifest.load import load_catalog

    found: set[str] = set()
    try:
        project = open_project(context)
    except ReconcilerError:
        return found
    chosen = context.settings.environment.value
    variables = {name: (setting.value, setting.origin) for name, setting in context.settings.variables.items()}
    local = local_data(context, kept=True)
    for environment in [chosen] if chosen is not None else sorted(project.environments) or [DEFAULT_ENVIRONMENT]:
        try:
            catalog, _ = load_catalog(context.root, project, environment=environment, variables=variables, folder_digest=local)
        except ReconcilerError:
            continue
        found |= set() if catalog is None else set(catalog.models)
    try:
        state = open_store(context, project).view()
    except ReconcilerError:
        return found
    return found | {name for environment, name in state.bindings if chosen in (None, environment)}
