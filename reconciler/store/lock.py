"""The kernel lock on a state. It dies with its process; what stands in the file is information for people only."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from reconciler.errors import Locked, StateProblem, link_or
from reconciler.ports import Owner
from reconciler.text import safe

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "fuse.sshfs", "glusterfs", "lustre", "fuse.s3fs", "fuse.gcsfuse", "davfs"})
_STEP_SECONDS = 0.05
_LEAST_SECONDS = 0.2
"""`lock status` looks at the lock for a moment; that must not turn an apply away."""


@contextlib.contextmanager
def locked(path: Path, owner: Owner, *, wait_seconds: float) -> Iterator[None]:
    """Hold the lock, or raise Locked that names the holder after `wait_seconds`."""
    refuse_network(path.parent)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateProblem(f"the lock {path}: {link_or(error)}") from error
    try:
        _wait(descriptor, path, time.monotonic() + max(wait_seconds, _LEAST_SECONDS))
        if os.fstat(descriptor).st_ino != path.stat(follow_symlinks=False).st_ino:
            raise StateProblem(f"the lock {path} was replaced while it was taken; nothing was done", hint="never remove the lock file")
        _sign(descriptor, owner)
        _log("lock taken", path)
        yield
        _log("lock given back", path)
    finally:
        os.close(descriptor)


def _log(what: str, path: Path) -> None:
    import logging

    logging.getLogger("reconciler.store").info(what, extra={"data": {"path": str(path)}})


def _wait(descriptor: int, path: Path, until: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise Locked(f"the state is locked by {describe(holder(path))}; nothing was done", hint="wait for it, or use -lock-timeout=DURATION") from None
            time.sleep(_STEP_SECONDS)
        except OSError as error:
            raise StateProblem(f"the lock {path}: {error.strerror}") from error
        else:
            return


def _sign(descriptor: int, owner: Owner) -> None:
    content = json.dumps({"pid": owner.pid, "host": owner.host, "actor": owner.actor, "command": owner.command, "since": owner.since})
    with contextlib.suppress(OSError):  # a full disk must not forbid recording what was bought
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, content.encode(), 0)


def holder(path: Path) -> Owner | None:
    """Who signed the lock file last, or None when that cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            row = json.loads(stream.read(4096) or b"")
        return Owner(int(row["pid"]), str(row["host"]), str(row["actor"]), str(row["command"]), str(row["since"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def is_held(path: Path) -> bool:
    """Whether some process holds the lock right now."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def describe(owner: Owner | None) -> str:
    """The holder in words."""
    if owner is None:
        return "another process"
    return safe(f"process {owner.pid} on {owner.host} ({owner.actor}, `reconciler {owner.command}`, since {owner.since})")


def refuse_network(folder: Path) -> None:
    """Raise StateProblem where locks and syncs cannot be trusted."""
    kind = file_system(folder)
    if kind in _NETWORK:
        raise StateProblem(f"{folder} is on a network file system ({kind}); locks and syncs cannot be trusted there", hint="put the state on a local disk")


def file_system(folder: Path) -> str:
    """The type of the file system that holds `folder`, as the kernel calls it; empty where that cannot be known."""
    target = os.path.realpath(folder)
    best, kind = "", ""
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8", "replace")
    except OSError:
        return ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        if (target == point or target.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind
