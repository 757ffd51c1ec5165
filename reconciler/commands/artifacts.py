"""`artifacts pull` and `artifacts verify`: the files of succeeded jobs, here, and whether they still are what was downloaded.

Neither asks the trainer API nor needs a key: addresses come from the state, and no address of a file is ever sent a key.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from reconciler.commands.context import EMULATED, Context, environment_name, open_project, open_store, state_file
from reconciler.commands.problems import show_notes
from reconciler.errors import Invalid, Locked, ReconcilerError
from reconciler.event import Event
from reconciler.job import Artifact, Job, Phase
from reconciler.state import State
from reconciler.text import format_size, nearest, plural, safe

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.artifacts.download import Limits, Wanted
    from reconciler.artifacts.folder import JobFolder
    from reconciler.artifacts.record import Saved
    from reconciler.commands.telling import Teller
    from reconciler.project import Project

SECONDS_BETWEEN_WORDS = 10.0

Chosen = Mapping[str, Job]
"""Name, or job id where no name points to it → the job."""


def run_pull(context: Context, *, names: Sequence[str], json: bool, emulate: bool, most_bytes: int | None) -> int:
    """Download what is missing. 1 when a file could not be saved. Raises Invalid for names without files, Locked."""
    from reconciler.artifacts.download import MOST_BYTES, Limits
    from reconciler.commands.telling import telling
    from reconciler.engine.origin import refuse_other_world

    project = open_project(context)
    environment = environment_name(context, project)
    state = open_store(context, project).view()
    show_notes(context, state)
    if emulate:
        refuse_other_world(state, EMULATED)
    chosen = choose(state, names, environment)
    limits = Limits(most_bytes or MOST_BYTES, sleep=context.clock.sleep)
    width = max((len(name) for name in chosen), default=14)
    with _emulator(context, project, chosen) as served, telling(context, as_json=json, name_width=width) as teller:
        pull = _Pull(context, teller, limits, served)
        problem = pull.all(chosen)
        if json:
            teller.tell(Event("change_summary", context.clock.now(), pull.summary, data={"command": "artifacts pull", **pull.counts}))
        else:
            context.err.line(pull.summary)
    if problem is not None and pull.counts["failed"] == 0:
        raise problem
    return 1 if pull.counts["failed"] else 0


def choose(state: State, names: Sequence[str], environment: str) -> Chosen:
    """The succeeded jobs of the named models (or job ids), or of all bound names. Raises Invalid for what has no files."""
    bound = {name: state.jobs[b.job] for (env, name), b in state.bindings.items() if env == environment and b.job in state.jobs}
    if not names:
        return {name: job for name, job in sorted(bound.items()) if job.phase is Phase.SUCCEEDED}
    found: dict[str, Job] = {}
    for name in names:
        job = bound.get(name) or state.jobs.get(name)
        if job is None:
            near = nearest(name, sorted(bound))
            hint = f"did you mean {', '.join(map(safe, near))}?" if near else "`reconciler status` shows the models, `reconciler jobs` all jobs"
            raise Invalid((), f"no job was bought for {safe(name, limit=80)!r}", hint=hint)
        if job.phase is not Phase.SUCCEEDED:
            raise Invalid((), f"{safe(name, limit=80)} is {job.phase} and has no files", hint="`reconciler refresh -wait` waits for a job that trains")
        found[name] = job
    return dict(sorted(found.items()))


class _Pull:
    """One run of `artifacts pull`."""

    def __init__(self, context: Context, teller: Teller, limits: Limits, served: str | None) -> None:
        self._context = context
        self._teller = teller
        self._limits = limits
        self._served = served
        self.counts = {"saved": 0, "present": 0, "failed": 0, "jobs": 0}
        self._bytes = 0

    @property
    def summary(self) -> str:
        """How it ended, as one line."""
        counts = self.counts
        parts = [f"{counts['saved']:,} saved ({format_size(self._bytes)})" if counts["saved"] else "", f"{counts['present']:,} here already"]
        parts.append(f"{counts['failed']:,} not saved" if counts["failed"] else "")
        return f"Artifacts: {', '.join(part for part in parts if part)}; {plural(counts['jobs'], 'job')}."

    def all(self, chosen: Chosen) -> ReconcilerError | None:
        """Every job once, whatever becomes of the others. What a lock or a record forbade comes back."""
        seen: set[str] = set()
        first: ReconcilerError | None = None
        for name, job in chosen.items():
            if job.id in seen:
                continue
            seen.add(job.id)
            try:
                self._job(name, job)
            except Locked as error:
                first = first or error
            except ReconcilerError as error:
                self._failed(name, job, error)
        self.counts["jobs"] = len(seen)
        return first

    def _job(self, name: str, job: Job) -> None:
        from reconciler.artifacts.folder import JobFolder

        folder = JobFolder(self._context.root, job.id)
        if not job.artifacts:
            raise ReconcilerError(f"{safe(name)} has trained well, but without a file", hint="`reconciler refresh` asks again")
        folder.make()
        with folder.locked():
            for wanted in wanted_files(job):
                try:
                    self._file(name, job, folder, wanted)
                except ReconcilerError as error:
                    self._failed(name, job, error, wanted)

    def _file(self, name: str, job: Job, folder: JobFolder, wanted: Wanted) -> None:
        from reconciler.artifacts.download import save
        from reconciler.artifacts.fetch import Fetcher
        from reconciler.artifacts.record import Record
        from reconciler.artifacts.verify import is_there

        record = folder.record or Record(job.id, job.name, job.request_id)
        known = record.of(wanted.source)
        there = known is not None and is_there(folder, known)
        if known is not None and there is None:
            hint = "`reconciler artifacts verify` says more; move the file away and pull again to have the old one back"
            raise ReconcilerError(f"{folder.shown}/{known.file} is not what was downloaded, and was left alone", hint=hint)
        if there:
            self.counts["present"] += 1
            return
        fetcher = Fetcher(self._context.environment, proxy_of(self._context.environment), loopback=job.world != "live")
        limits = self._limits._replace(told=self._progress(name, job, wanted))
        saved = save(wanted._replace(url=self._place(wanted.url)), folder, record, fetcher, limits)
        self.counts["saved"] += 1
        self._bytes += saved.size_bytes
        data = {"job": job.id, "path": f"{folder.shown}/{saved.file}", "role": saved.role, "size_bytes": saved.size_bytes, "sha256": saved.sha256}
        self._teller.tell(Event("artifact_saved", self._context.clock.now(), f"{saved.role} of {name} saved", name=name, data=data))

    def _progress(self, name: str, job: Job, wanted: Wanted) -> Callable[[int, int | None], None]:
        """Says now and then how far a file is."""
        said = time.monotonic()

        def tell(so_far: int, total: int | None) -> None:
            nonlocal said
            if time.monotonic() - said < SECONDS_BETWEEN_WORDS:
                return
            said = time.monotonic()
            text = f"{wanted.stem}: {format_size(so_far)}" + (f" of {format_size(total)}" if total is not None else "")
            data = {"severity": "info", "code": "progress", "summary": text, "detail": "", "job": job.id, "bytes": so_far, "total_bytes": total}
            self._teller.tell(Event("diagnostic", self._context.clock.now(), text, name=name, data=data))

        return tell

    def _place(self, url: str) -> str:
        """Where the emulator serves the file now: its port may be another than when the job ended."""
        if self._served is None:
            return url
        return urlsplit(url)._replace(scheme="http", netloc=urlsplit(self._served).netloc).geturl()

    def _failed(self, name: str, job: Job, error: ReconcilerError, wanted: Wanted | None = None) -> None:
        self.counts["failed"] += 1
        what = "" if wanted is None else f"{wanted.stem}: "
        data: dict[str, Any] = {"severity": "error", "code": "not-saved", "summary": f"{what}{error.message}", "detail": error.hint, "job": job.id}
        data |= {"file": None, "line": None, "column": None, "end_line": None}
        self._teller.tell(Event("diagnostic", self._context.clock.now(), f"{what}{error.message}", name=name, level="error", data=data))


def proxy_of(environment: Mapping[str, str]) -> Callable[[str], str | None]:
    """Which proxy leads to a URL, as the variables say that lead to the API too."""
    from reconciler.pixazo.endpoint import Endpoint
    from reconciler.pixazo.proxy import proxy_for

    def find(url: str) -> str | None:
        parts = urlsplit(url)
        return proxy_for(Endpoint(parts.scheme, (parts.hostname or "").lower(), parts.port or 443), environment)

    return find


def wanted_files(job: Job) -> list[Wanted]:
    """What is to be downloaded of `job`; files of one role are numbered in the order of the answer."""
    from reconciler.artifacts.download import Wanted

    numbers: dict[str, int] = {}
    found = []
    for artifact in job.artifacts:
        role = artifact.role if artifact.role in ("weights", "config") else "other"
        numbers[role] = numbers.get(role, 0) + 1
        found.append(Wanted(role, artifact.url, source_of(artifact), artifact.size_bytes, numbers[role]))
    return found


def source_of(artifact: Artifact) -> str:
    """What an artifact is known by in a record: its place in the answer, which a renewed address does not change."""
    return artifact.path or artifact.url.partition("?")[0]


def local_files(root: Path, jobs: Sequence[Job]) -> dict[str, dict[str, dict[str, Any]]]:
    """Job → URL of an artifact → path, sha256 and size of the file that was saved and is there. What cannot be read counts as absent."""
    from reconciler.artifacts.folder import JobFolder
    from reconciler.artifacts.verify import is_there

    found: dict[str, dict[str, dict[str, Any]]] = {}
    for job in jobs:
        with contextlib.suppress(ReconcilerError):
            folder = JobFolder(root, job.id)
            record = folder.record
            for artifact in job.artifacts if record is not None else ():
                saved = record.of(source_of(artifact)) if record is not None else None
                if saved is not None and is_there(folder, saved):
                    found.setdefault(job.id, {})[artifact.url] = _told(folder, saved)
    return found


def _told(folder: JobFolder, saved: Saved) -> dict[str, Any]:
    return {"path": f"{folder.shown}/{saved.file}", "sha256": saved.sha256, "size_bytes": saved.size_bytes}


@contextlib.contextmanager
def _emulator(context: Context, project: Project, chosen: Chosen) -> Iterator[str | None]:
    """The emulator's address while files of emulated jobs are fetched, else None."""
    if all(job.world != EMULATED for job in chosen.values()):
        yield None
        return
    from reconciler.emulator.embedded import embedded

    with embedded(state_file(context, project).parent, project.trainers) as url:
        yield url


def run_verify(context: Context, *, names: Sequence[str], json: bool) -> int:
    """Read every saved file again. 1 when one is missing or is not what was downloaded. Raises Invalid for names without files."""
    from reconciler.artifacts.folder import JobFolder, jobs_saved
    from reconciler.artifacts.verify import verify
    from reconciler.reports.artifacts import CheckedFile, CheckedJob, verify_document, verify_text

    project = open_project(context)
    state = open_store(context, project).view()
    environment = environment_name(context, project) if names or not project.environments else None
    wanted = {job.id for job in choose(state, names, environment or "").values()} if names else set(jobs_saved(context.root))
    rows = []
    for job in sorted(wanted):
        folder = JobFolder(context.root, job)
        record = folder.record
        files = [] if record is None else verify(folder, record)
        told = [CheckedFile(f"{folder.shown}/{c.saved.file}", c.saved.role, c.saved.size_bytes, c.saved.sha256, c.verdict, c.detail, c.metadata) for c in files]
        strangers = [] if record is None else [f"{folder.shown}/{name}" for name in folder.strangers(record)]
        rows.append(CheckedJob(job, record.name if record is not None else state.jobs[job].name, tuple(told), tuple(strangers)))
    pulled = {row.job for row in rows if row.files}
    not_here = [job.id for job in state.jobs.values() if job.phase is Phase.SUCCEEDED and job.id not in pulled and (not names or job.id in wanted)]
    if json:
        from reconciler.reports.document import json_text

        context.out.write(json_text(verify_document(rows, sorted(not_here))))
    else:
        from reconciler.commands.style import style

        context.out.write(verify_text(rows, sorted(not_here), style(context)))
    return 0 if all(file.verdict == "ok" for row in rows for file in row.files) else 1
