"""Data sets that lie in the project: the digests that identify them, remembered for `plan`, and the URL by which they are sent themselves.

A file is digested again unless it looks as it did and that look cannot lie (`cache.witness`). Whoever spends remembers
nothing, and what is sent is compared with what was planned, byte for byte, before anything is written down of it.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.cache.witness import Look, Seen, Witness
from reconciler.canonical import digest_of
from reconciler.errors import DataChanged, ReconcilerError
from reconciler.model import INLINE, MOST_INLINE_BYTES, Dataset
from reconciler.text import safe

if TYPE_CHECKING:
    from reconciler.cache.folder import Folder

FORMAT = 1
MOST_REMEMBERED = 100_000
"""Files."""


class LocalData:
    """Digests local data (`manifest.local.FolderDigest`). With a cache folder, unchanged files are not read again. `read` counts those that were."""

    def __init__(self, root: Path, folder: Folder | None = None) -> None:
        self._root = root
        self._folder = folder
        self._name = f"data-{digest_of([FORMAT, __version__, str(root.absolute())]).removeprefix('sha256:')[:32]}"
        self._known: dict[str, Seen] | None = None
        self._found: dict[str, Seen] = {}
        self.read = 0

    def __call__(self, path: Path, most_bytes: int | None, /) -> str:
        """See `FolderDigest`."""
        from reconciler.dataset.folder import content_digest
        from reconciler.dataset.inline import require_sendable

        if most_bytes is not None:
            require_sendable(path, most_bytes)
        return content_digest(path, file_digest=self._digest)

    def keep(self) -> None:
        """Remember what was found, for the next time."""
        if self._folder is None or self._known is None or self._found.items() <= self._known.items():
            return
        kept = {**self._found, **{path: seen for path, seen in self._known.items() if path not in self._found}}
        rows = {path: seen for path, seen in list(kept.items())[:MOST_REMEMBERED] if seen.is_sure}
        self._folder.put(self._name, json.dumps(rows, separators=(",", ":")).encode("ascii"))

    def _digest(self, path: Path) -> str:
        from reconciler.dataset.folder import digest_of_file

        if self._folder is None:
            return digest_of_file(path)
        name = path.relative_to(self._root).as_posix()
        found = Witness(self._root, time.time_ns(), self._read).see([name], known=self._recall(self._folder))
        if found is None or not found[name].digest:
            return digest_of_file(path)  # which says why it cannot be used
        self._found[name] = found[name]
        return found[name].digest

    def _read(self, path: Path) -> str:
        from reconciler.dataset.folder import digest_of_file

        self.read += 1
        return digest_of_file(path)

    def _recall(self, folder: Folder) -> Mapping[str, Seen]:
        if self._known is None:
            self._known = {}
            try:
                rows = json.loads(folder.get(self._name) or b"{}")
                self._known = {path: Seen(Look(*look), digest, at) for path, (look, digest, at) in rows.items()}
            except (ValueError, TypeError, AttributeError, RecursionError):
                pass
        return self._known


def sent_from(root: Path) -> Callable[[Dataset], str]:
    """The URL to send of a data set: its own, or its data as they lie here now. Raises DataChanged when those are not what was planned."""

    def url_of(dataset: Dataset) -> str:
        if dataset.url:
            return dataset.url
        from reconciler.dataset.inline import pack

        assert dataset.path is not None, "a data set without a URL lies here"
        where = safe(dataset.path, limit=200)
        try:
            packed = pack(root / dataset.path, MOST_INLINE_BYTES)
        except (OSError, ReconcilerError) as error:
            why = error.message if isinstance(error, ReconcilerError) else error.strerror or type(error).__name__
            raise DataChanged(f"the data at {where} cannot be sent any more: {why}; nothing was sent for it", hint="plan again") from None
        if packed.content != dataset.content:
            raise DataChanged(f"the data at {where} are not what was planned any more; nothing was sent for it", hint="plan again")
        return INLINE + base64.b64encode(packed.data).decode("ascii")

    return url_of
