"""`state backup [FILE]`: journal and state as they are under the lock, verified, in one archive. Never overwrites."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
import tempfile
from pathlib import Path

from reconciler.commands.context import Context, journal_file, open_project, open_store, state_file
from reconciler.errors import StateProblem
from reconciler.project import Project
from reconciler.reports.document import FORMAT_VERSION, json_text
from reconciler.state import State
from reconciler.text import format_size, plural, safe


def run(context: Context, *, file: str | None, dry_run: bool, json: bool, lock_timeout_seconds: float) -> int:
    """Write the archive (0600), or with `dry_run` only check what would be in it."""
    project = open_project(context)
    stamp = _stamp(context.clock.now())
    path = state_file(context, project).with_name(f"backup-{stamp}.tar.gz") if file is None else context.root / file
    if path.exists() or path.is_symlink():
        raise StateProblem(f"{safe(path, limit=300)} is there already; nothing was written", hint="backups are never overwritten; name another file")
    state = open_store(context, project).verify() if dry_run else _write(context, project, path, lock_timeout_seconds)
    size = None if dry_run else path.stat().st_size
    if json:
        document = {"format_version": FORMAT_VERSION, "kind": "state_backup", "dry_run": dry_run, "file": str(path), "size_bytes": size}
        context.out.write(json_text({**document, "lineage": state.lineage, "serial": state.serial, "jobs": len(state.jobs)}))
        return 0
    what = f"{plural(state.serial, 'fact')}, {plural(len(state.jobs), 'job')}"
    if size is None:
        context.out.line(f"Would write {safe(path, limit=300)}: {what}.")
    else:
        context.out.line(f"Wrote {safe(path, limit=300)} ({format_size(size)}): {what}. To restore: tar xf it into the folder of the state.")
    return 0


def _stamp(now: str) -> str:
    """A time as part of a file's name."""
    return now.replace("-", "").replace(":", "")


def _write(context: Context, project: Project, path: Path, lock_timeout_seconds: float) -> State:
    store = open_store(context, project)
    try:
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=path.parent) as folder:
            state, journal = Path(folder) / state_file(context, project).name, Path(folder) / journal_file(context, project).name
            with store.hold(context.owner, wait_seconds=lock_timeout_seconds):
                store.copy_to(state)
                journal.write_bytes(journal_file(context, project).read_bytes())
            copied = _verified(context, project, state, journal)
            _pack(path, [journal, state])
    except OSError as error:
        raise StateProblem(f"the backup {safe(path, limit=300)} could not be written: {error.strerror}") from error
    return copied


def _verified(context: Context, project: Project, state: Path, journal: Path) -> State:
    from reconciler.journal.file import FileJournal
    from reconciler.store.sqlite import SqliteStore

    return SqliteStore(state, FileJournal(journal), lineage=project.lineage, now=context.clock.now).verify()


def _pack(path: Path, files: list[Path]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            with tarfile.open(fileobj=stream, mode="w:gz") as archive:
                for file in files:
                    content = file.read_bytes()
                    entry = tarfile.TarInfo(file.name)
                    entry.size, entry.mode = len(content), 0o600
                    archive.addfile(entry, io.BytesIO(content))
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
