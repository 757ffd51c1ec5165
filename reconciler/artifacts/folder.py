"""Where the files of one job lie: `artifacts/JOB/`, under names of our own. Links are not followed; one process writes at a time."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reconciler.artifacts.record import NAME, Record, Unreadable, read_record, record_text
from reconciler.errors import Locked, ReconcilerError
from reconciler.text import safe

FOLDER = "artifacts"
MOST_RECORD_BYTES = 4 * 1024 * 1024
_JOB = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
IGNORE = "# Weights do not belong into git; `reconciler artifacts pull` brings them back as long as the vendor has them.\n*\n"


class JobFolder:
    """The folder of one job below `root`, the project folder. Raises ReconcilerError for an id that is no name of a folder."""

    def __init__(self, root: Path, job: str) -> None:
        if not _JOB.fullmatch(job):
            raise ReconcilerError(f"the job id {safe(job, limit=80)!r} cannot be the name of a folder; nothing was saved")
        self.job = job
        self.path = root / FOLDER / job
        self.shown = f"{FOLDER}/{job}"
        _refuse_links(root, self.path)

    @property
    def record(self) -> Record | None:
        """What was saved so far; None when nothing was. Raises ReconcilerError for a record that cannot be read."""
        path = self.path / NAME
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ReconcilerError(f"{self.shown}/{NAME} cannot be read: {error.strerror}") from None
        with os.fdopen(descriptor, "rb") as file:
            try:
                found = read_record(file.read(MOST_RECORD_BYTES))
            except (Unreadable, OSError) as why:
                hint = "move the folder away and pull again"
                raise ReconcilerError(f"{self.shown}/{NAME} cannot be used: {safe(why)}", hint=hint) from None
        if found.job != self.job:
            raise ReconcilerError(f"{self.shown}/{NAME} is the record of another job, {safe(found.job, limit=80)}", hint="move the folder away and pull again")
        return found

    def make(self) -> None:
        """Make it, and keep git away from it. Raises ReconcilerError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                descriptor = os.open(self.path.parent / ".gitignore", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(IGNORE)
        except OSError as error:
            raise ReconcilerError(f"{self.shown} cannot be made: {error.strerror}") from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Write here alone. Raises Locked while another process does; the lock dies with its process."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Locked(f"another process downloads into {self.shown} right now; nothing was done there", hint="wait for it, then pull again") from None
            yield
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def write_record(self, record: Record) -> None:
        """Replace the record, whole and durable. Raises OSError."""
        write_durably(self.path / NAME, record_text(record).encode("ascii"))

    def strangers(self, record: Record) -> list[str]:
        """Names of what lies here and is in no record, sorted."""
        known = {NAME, *(saved.file for saved in record.files)}
        return sorted(entry.name for entry in os.scandir(self.path) if entry.name not in known and not entry.name.startswith("."))


def write_durably(path: Path, data: bytes) -> None:
    """Put `data` in the place of `path`: whole or not at all, also after a loss of power. Raises OSError."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


def jobs_saved(root: Path) -> list[str]:
    """The jobs of which something was saved, sorted."""
    try:
        found = [entry.name for entry in os.scandir(root / FOLDER) if _JOB.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(name for name in found if (root / FOLDER / name / NAME).is_file())


def _refuse_links(root: Path, path: Path) -> None:
    for folder in (path.parent, path):
        try:
            mode = folder.lstat().st_mode
        except FileNotFoundError:
            return
        except OSError as error:
            raise ReconcilerError(f"{safe(folder.relative_to(root))} cannot be used: {error.strerror}") from None
        if not stat.S_ISDIR(mode):
            kind = "a link" if stat.S_ISLNK(mode) else "no folder"
            raise ReconcilerError(f"{safe(folder.relative_to(root))} is {kind}; nothing is saved there", hint="move it away; links are not followed")
