"""`validate`: everything that is wrong with the project's files, at once. Offline; needs no key and no state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reconciler.commands.context import Context, environment_name, local_data
from reconciler.commands.reports import Reporting, reported
from reconciler.commands.style import style
from reconciler.diagnostics import Diagnostic, has_errors, in_order
from reconciler.errors import Invalid
from reconciler.manifest.load import Loaded, load, load_project
from reconciler.model import DEFAULT_ENVIRONMENT
from reconciler.text import plural


def run(context: Context, *, json: bool, reports: Sequence[tuple[str, str]], compact_warnings: bool) -> int:
    """Print every problem. 0 when there is no error. Without `-environment` all declared environments are read."""
    return reported(context, reports, lambda report: _run(context, report, json=json, compact_warnings=compact_warnings))


def _run(context: Context, report: Reporting, *, json: bool, compact_warnings: bool) -> int:
    from reconciler.plan.document import diagnostic_document
    from reconciler.reports.document import FORMAT_VERSION, json_text

    loaded = load_everywhere(context)
    found = in_order([d for each in loaded for d in each.diagnostics])
    if compact_warnings and not json:
        found = [replace(d, detail="", source_line=None) if d.severity == "warning" else d for d in found]
    valid = not has_errors(found)
    files = max((each.files for each in loaded), default=0)
    document = json_text({"format_version": FORMAT_VERSION, "valid": valid, "diagnostics": [diagnostic_document(d) for d in found], "files": files})
    context.out.write(document if json else _text(context, found, loaded, files, valid=valid))
    report.diagnostics, report.documents["json"] = tuple(found), lambda: document
    report.reason = "" if valid else Invalid.failure_reason
    return 0 if valid else Invalid.exit_code


def load_everywhere(context: Context) -> list[Loaded]:
    """The project as each of its environments sees it, or as the chosen one does. Never raises Invalid."""
    project, diagnostics = load_project(context.root)
    if project is None:
        return [Loaded(None, None, tuple(diagnostics), 0)]
    if context.settings.environment.value is not None or not project.environments:
        environments = [environment_name(context, project)]
    else:
        environments = sorted(project.environments) or [DEFAULT_ENVIRONMENT]
    variables = {name: (setting.value, setting.origin) for name, setting in context.settings.variables.items()}
    today = context.clock.now()[:10]
    local = local_data(context, kept=True)
    loaded = [load(context.root, environment=name, variables=variables, folder_digest=local, today=today, meanwhile=_nothing) for name in environments]
    local.keep()
    return loaded


def _nothing() -> None:
    """While others help to read."""


def _text(context: Context, found: list[Diagnostic], loaded: list[Loaded], files: int, *, valid: bool) -> str:
    from reconciler.reports.diagnostics_text import diagnostics_text

    problems = diagnostics_text(found, style(context))
    if not valid:
        return problems
    names = {name for each in loaded if each.catalog is not None for name in each.catalog.models}
    return problems + f"Valid: {plural(files, 'file')}, {plural(len(names), 'model')}.\n"
