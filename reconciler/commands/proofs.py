"""What was found whole is remembered in the cache: which contents of state files were checked row by row, and what files hold that look as they did.

A content is known by its SHA-256. A file is hashed again unless it looks as it did and that look cannot lie
(`cache.witness`). Losing this costs a second of work at the next reading, and nothing else.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from reconciler import __version__
from reconciler.cache.folder import Folder
from reconciler.cache.witness import Look, Seen, Witness
from reconciler.canonical import digest_of
from reconciler.store.proofs import Content

FORMAT = 1
MOST = 16
"""Claims, and files, that are remembered."""


class CachedProofs:
    """Implements `store.proofs.Proofs` in a cache folder. `hashed` counts the bytes that were read to know what files hold."""

    def __init__(self, folder: Folder, *, now: Callable[[], int] = time.time_ns) -> None:
        self._folder = folder
        self._now = now
        self._name = f"proofs-{digest_of([FORMAT, __version__]).removeprefix('sha256:')[:32]}"
        self._seen: dict[str, Seen] | None = None
        self._claims: list[str] = []
        self.hashed = 0

    def content(self, path: Path) -> Content | None:
        """See `Proofs.content`."""
        key, known = str(path.absolute()), self._recall()
        witness = Witness(path.parent, self._now())
        before = known.get(key)
        found = witness.see([path.name], known={} if before is None else {path.name: before})
        self.hashed += witness.hashed
        seen = None if found is None else found[path.name]
        if seen is None or seen.look is None or not _is_still(path, seen.look):
            return None
        if seen != before and seen.is_sure:
            self._keep({key: seen, **{k: s for k, s in known.items() if k != key}}, self._claims)
        return Content(seen.look.inode, seen.look.size, seen.digest)

    def is_proved(self, claim: str) -> bool:
        """See `Proofs.is_proved`."""
        self._recall()
        return claim in self._claims

    def prove(self, claim: str) -> None:
        """See `Proofs.prove`."""
        self._keep(self._recall(), [claim, *(c for c in self._claims if c != claim)])

    def _recall(self) -> dict[str, Seen]:
        if self._seen is None:
            self._seen, self._claims = {}, []
            try:
                document = json.loads(self._folder.get(self._name) or b"[{},[]]")
                self._seen = {path: Seen(Look(*look), digest, at) for path, (look, digest, at) in document[0].items()}
                self._claims = list(map(str, document[1]))
            except (ValueError, TypeError, KeyError, IndexError, AttributeError):
                pass
        return self._seen

    def _keep(self, seen: dict[str, Seen], claims: list[str]) -> None:
        self._seen, self._claims = dict(list(seen.items())[:MOST]), claims[:MOST]
        self._folder.put(self._name, json.dumps([self._seen, self._claims], separators=(",", ":")).encode("ascii"))


def _is_still(path: Path, look: Look) -> bool:
    """Whether a file was not changed while its content was read."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return look == Look(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
