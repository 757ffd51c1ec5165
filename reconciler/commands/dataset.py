"""`dataset check`: what would fail at the trainer, seen before it costs anything. Opens local data sets; remote ones only with `-fetch`."""

from __future__ import annotations

import base64
import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.commands.context import Context, load_catalog, open_project, project_settings
from reconciler.diagnostics import Diagnostic, Place, in_order
from reconciler.errors import Invalid, ReconcilerError
from reconciler.model import Dataset, Model
from reconciler.text import nearest, plural, redact, safe

if TYPE_CHECKING:
    from reconciler.artifacts.fetch import Fetcher
    from reconciler.dataset.check import Report
    from reconciler.dataset.finding import Finding

MOST_FETCHED_BYTES = 4 * 1024**3
MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Source:
    """One data set in one place, and the models that use it. `location` is a path here, or a URL."""

    location: str
    is_local: bool
    needs_captions: bool
    models: tuple[Model, ...]

    @property
    def dataset(self) -> Dataset:
        """As its first model describes it."""
        return self.models[0].dataset

    @property
    def place(self) -> Place:
        """Where it is written."""
        fields = self.models[0].fields
        keys = ("dataset.path" if self.is_local else "dataset.url", "dataset.url", "dataset")
        return next((fields[key] for key in keys if key in fields), self.models[0].place)


def run_check(context: Context, *, names: Sequence[str], json: bool, fetch: bool, most_bytes: int | None) -> int:
    """Look into every data set once. 1 when something would fail. Raises Invalid for a name that no model has."""
    from reconciler.reports.dataset import CheckedDataset, dataset_document, dataset_text

    project = open_project(context)
    catalog, _ = load_catalog(context, project)
    models = chosen_models(catalog.models, names)
    fetcher = fetcher_of(context, loopback=not project_settings(context, project).endpoint.value.startswith("https:")) if fetch else None
    rows, found = [], []
    for source in sources_of(models):
        report, sha256 = _looked(context, source, fetcher, most_bytes or MOST_FETCHED_BYTES)
        told = _report_values(report)
        shown = redact(source.location)
        rows.append(CheckedDataset(tuple(m.name for m in source.models), shown, source.is_local, *told, sha256=sha256))
        findings = [*_about_address(source), *(() if report is None else (*report.findings, *_declared(source, report, sha256)))]
        found += [_diagnostic(source, finding) for finding in findings]
    diagnostics = in_order(found)
    if json:
        from reconciler.reports.document import json_text

        context.out.write(json_text(dataset_document(rows, diagnostics)))
    else:
        from reconciler.commands.style import style

        context.out.write(dataset_text(rows, diagnostics, style(context)))
    return 1 if any(d.severity == "error" for d in diagnostics) else 0


def chosen_models(models: Mapping[str, Model], names: Sequence[str]) -> list[Model]:
    """The named models, by name; the plain name of a sweep means all its combinations. Raises Invalid."""
    if not names:
        return [models[name] for name in sorted(models)]
    found: dict[str, Model] = {}
    for name in names:
        own = {each: model for each, model in models.items() if each == name or each.startswith(f"{name}@")}
        if not own:
            near = nearest(name, sorted(models))
            raise Invalid((), f"there is no model {safe(name, limit=80)!r}", hint=f"did you mean {', '.join(map(safe, near))}?" if near else "")
        found |= own
    return [found[name] for name in sorted(found)]


def sources_of(models: Sequence[Model]) -> list[Source]:
    """Every place of a data set once, with its models: the local one where there is one, and the URL where there is one."""
    found: dict[tuple[str, bool, bool], list[Model]] = {}
    for model in models:
        needs = not dict(model.spec.parameters).get("default_caption")
        if model.dataset.path is not None:
            found.setdefault((model.dataset.path, True, needs), []).append(model)
        if model.dataset.url:
            found.setdefault((model.dataset.url, False, needs), []).append(model)
    return [Source(location, local, needs, tuple(users)) for (location, local, needs), users in found.items()]


def fetcher_of(context: Context, *, loopback: bool) -> Fetcher:
    """What fetches a foreign data set: https to the public network; this machine only in a project that works on it."""
    from reconciler.artifacts.fetch import Fetcher
    from reconciler.commands.artifacts import proxy_of

    return Fetcher(context.environment, proxy_of(context.environment), loopback=loopback)


@contextlib.contextmanager
def at_hand(context: Context, source: Source, fetcher: Fetcher | None, most_bytes: int) -> Iterator[tuple[Path, str | None] | None]:
    """The data as a file or folder here, with the sha256 of a file; None where it is remote and was not to be fetched. Raises ReconcilerError."""
    from reconciler.dataset.folder import content_digest

    if source.is_local:
        path = context.root / source.location
        yield path, None if path.is_dir() else content_digest(path)
    elif source.location[:5].lower() == "data:":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "inline.zip"
            path.write_bytes(base64.b64decode(source.location.partition(",")[2]))
            yield path, content_digest(path)
    elif fetcher is None:
        yield None
    else:
        from reconciler.artifacts.download import Limits, fetched

        with tempfile.TemporaryDirectory() as folder, fetched(source.location, Path(folder), fetcher, Limits(most_bytes, sleep=context.clock.sleep)) as part:
            yield part.path, part.sha256


def _looked(context: Context, source: Source, fetcher: Fetcher | None, most_bytes: int) -> tuple[Report | None, str | None]:
    from reconciler.dataset.check import Report, check
    from reconciler.dataset.finding import Finding

    try:
        with at_hand(context, source, fetcher, most_bytes) as found:
            return (None, None) if found is None else (check(found[0], needs_captions=source.needs_captions), found[1])
    except ReconcilerError as error:
        return Report((Finding("error", "not-fetched", f"{error.message}{f'; {error.hint}' if error.hint else ''}"),)), None


def _about_address(source: Source) -> Iterator[Finding]:
    """What can be said of a URL without opening it."""
    from urllib.parse import urlsplit

    from reconciler.artifacts.address import names_this_machine
    from reconciler.dataset.finding import Finding

    if source.is_local or source.location[:5].lower() == "data:":
        return
    parts = urlsplit(source.location)
    if names_this_machine((parts.hostname or "").lower()):
        yield Finding("warning", "not-reachable", "this address is this machine: the vendor's trainer cannot fetch from it")
    if not parts.path.lower().endswith(".zip"):
        yield Finding("warning", "no-zip-ending", "the address does not end in .zip; some links lead to a page about the file and not to the file")


def _declared(source: Source, report: Report, sha256: str | None) -> Iterator[Finding]:
    """Where the manifest says something else than what is there."""
    from reconciler.dataset.finding import Finding

    dataset = source.dataset
    if dataset.images is not None and report.files and dataset.images != report.images:
        yield Finding(
            "error", "images-differ", f"the manifest says {plural(dataset.images, 'image')}, there {'is' if report.images == 1 else 'are'} {report.images:,}"
        )
    if dataset.sha256 is not None and sha256 is not None and dataset.sha256 != sha256:
        yield Finding("error", "sha256-differs", f"the manifest says sha256 {dataset.sha256}, it is {sha256}")


def _report_values(report: Report | None) -> tuple[int, int, int, int, tuple[tuple[str, int], ...], bool, bool]:
    if report is None:
        return 0, 0, 0, 0, (), False, False
    return report.images, report.captions, report.files, report.size_bytes, report.formats, report.decoded, True


def _diagnostic(source: Source, finding: Finding) -> Diagnostic:
    names = ", ".join(safe(name, limit=100) for name in finding.names[:MOST_NAMES])
    more = f" and {len(finding.names) - MOST_NAMES:,} more" if len(finding.names) > MOST_NAMES else ""
    return Diagnostic(finding.severity, finding.code, finding.text, f"{names}{more}", source.place)
