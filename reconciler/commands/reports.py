"""`-report FORMAT=PATH`: what a run leaves for people and pipelines, however it ended.

A file is replaced whole by renaming; those of the CI runner are appended to. A report that cannot be written stops
nothing: it is said on stderr, and the command ends with 1 unless something more urgent is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from reconciler.commands.context import Context, environment_name, open_project
from reconciler.commands.outfile import append_file, write_file
from reconciler.errors import Interrupted, Invalid, ReconcilerError, Usage
from reconciler.text import nearest, safe

if TYPE_CHECKING:
    from reconciler.diagnostics import Diagnostic
    from reconciler.plan.change import Plan
    from reconciler.reports.run import Run

ALIAS = "github"
"""Annotations on stdout, and the job summary and the step's outputs where the runner has files for them."""
ALIAS_PARTS = (("summary", "GITHUB_STEP_SUMMARY"), ("github-output", "GITHUB_OUTPUT"))
VALUES = frozenset({"github-output", "dotenv"})
"""Written last: they hold the exit code, and a report that could not be written changes it."""
BUG = 70
CHANGES = 2
MORE_URGENT_THAN_ERRORS = frozenset({7, 130, 143})
"""A report that could not be written is an error (1); a doubt and a signal are told first."""
REASONS = {CHANGES: "changes", 7: "in_doubt", 8: "job_failed", 9: "timeout", 130: "interrupted", 143: "interrupted"}
"""Why a command ended so, where its exit code alone says it."""

Reports = Sequence[tuple[str, str]]
"""(format, path); the path `-` is stdout."""

__all__ = ["Reporting", "check_reports", "or_failed", "reported", "write_file"]


@dataclass(slots=True)
class Reporting:
    """What is known of a run while it goes on. Commands fill it in; the reports are made from it at the end."""

    context: Context
    reports: Reports
    plan: Plan | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    result: Mapping[str, Any] = field(default_factory=dict)
    """The data of a `change_summary`, once something was carried out."""
    reason: str = ""
    """The failure reason, where the exit code alone does not say it."""
    documents: dict[str, Callable[[], str]] = field(default_factory=dict)
    """Formats for which this command has a document of its own."""

    def write(self, code: int, reason: str) -> bool:
        """Write all reports of a run that ends so; whether all could be written."""
        from reconciler.reports.run import Run

        who = self.context.provenance
        said = reason or self.reason or REASONS.get(code, "")
        run = Run(self.context.clock.now(), who.commit, who.run_url, code, said, self.diagnostics, self.result, key=self._key())
        good = True
        for form, path in sorted(expanded(self.reports, self.context.environment), key=lambda report: report[0] in VALUES):
            good &= self._write_one(form, path, run if good else replace(run, exit_code=or_failed(code)))
        return good

    def _key(self) -> str:
        """By what a comment is found again where there is no plan that says so."""
        if self.plan is not None:
            return ""
        try:
            project = open_project(self.context)
            return f"{(project.lineage or '')[:8]}/{environment_name(self.context, project)}"
        except ReconcilerError:
            return ""

    def _write_one(self, form: str, path: str, run: Run) -> bool:
        from reconciler.reports.formats import APPENDED

        try:
            pieces = self._pieces(form, replace(run, path=path))
            if path == "-":
                for piece in pieces:
                    self.context.out.write(piece)
            elif form in APPENDED:
                append_file(self.context.root / path, pieces)
            else:
                write_file(self.context.root / path, pieces)
        except ReconcilerError as error:
            self.context.err.line(f"Error: -report {form}: {safe(error.message, limit=2000)}")
            return False
        return True

    def _pieces(self, form: str, run: Run) -> Iterable[str]:
        from reconciler.reports.formats import pieces

        return [self.documents[form]()] if form in self.documents else pieces(form, self.plan, run)


def check_reports(reports: Reports) -> None:
    """Raise Usage for a format that does not exist, before anything is done."""
    if not reports:
        return
    from reconciler.reports.formats import FORMATS

    known = sorted([*FORMATS, ALIAS])
    for form, _ in reports:
        if form not in known:
            near = nearest(form, known, most=1)
            raise Usage(f"-report {safe(form, limit=80)}=…: there is no such format", hint=f"did you mean {near[0]}?" if near else f"one of {', '.join(known)}")


def expanded(reports: Reports, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """The reports without the alias."""
    found: list[tuple[str, str]] = []
    for form, path in reports:
        if form == ALIAS:
            found.append(("annotations", path))
            found += [(part, environment[variable]) for part, variable in ALIAS_PARTS if environment.get(variable)]
        else:
            found.append((form, path))
    return found


def reported(context: Context, reports: Reports, work: Callable[[Reporting], int]) -> int:
    """Do `work` and write its reports, also when it raises. The exit code; raises what `work` raised."""
    check_reports(reports)
    report = Reporting(context, reports)
    try:
        code = work(report)
    except Exception as error:
        if reports:
            code, reason, found = _ended_by(error)
            report.diagnostics = (*report.diagnostics, *found)
            report.write(code, reason)
        raise
    if not reports or report.write(code, ""):
        return code
    return or_failed(code)


def or_failed(code: int) -> int:
    """The exit code of a command that ends with `code`, and one of whose reports could not be written."""
    return code if code in MORE_URGENT_THAN_ERRORS else ReconcilerError.exit_code


def _ended_by(error: Exception) -> tuple[int, str, tuple[Diagnostic, ...]]:
    """Exit code, failure reason and problems of an error, as the door will tell them."""
    from reconciler.diagnostics import Diagnostic

    if isinstance(error, Invalid) and error.diagnostics:
        return error.exit_code, error.failure_reason, error.diagnostics
    if isinstance(error, ReconcilerError):
        code = error.code if isinstance(error, Interrupted) else error.exit_code
        first, *more = error.message.split("\n")
        detail = "; ".join(line.strip() for line in [*more, error.hint] if line.strip())
        return code, error.failure_reason, (Diagnostic("error", error.failure_reason, first, detail),)
    if isinstance(error, OSError):
        return 1, Invalid.failure_reason, (Diagnostic("error", Invalid.failure_reason, error.strerror or type(error).__name__),)
    return BUG, "bug", (Diagnostic("error", "bug", f"a bug in reconciler ({type(error).__name__})"),)
