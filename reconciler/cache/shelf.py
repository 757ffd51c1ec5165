"""Many small results under one name of a folder: read together, replaced together, each under a key of its own."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from reconciler.cache.folder import MOST_ENTRY_BYTES, Folder


class Shelf:
    """Results by key. Two processes that keep at the same time lose one's results, and nothing else."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder = folder
        self._name = name
        self._found: dict[str, tuple[int, int]] | None = None
        self._content = memoryview(b"")

    def get(self, key: str) -> bytes | None:
        """What was kept under `key`."""
        where = self._index().get(key)
        return None if where is None else bytes(self._content[where[0] : where[0] + where[1]])

    def keep(self, made: Mapping[str, bytes], used: Collection[str]) -> None:
        """Keep `made`, and of what was there before what was `used`; nothing of it when that is more than a folder takes."""
        rest = {key: found for key in used if key not in made and (found := self.get(key)) is not None}
        index: dict[str, tuple[int, int]] = {}
        end = 0
        for key, result in (*rest.items(), *made.items()):
            index[key] = (end, len(result))
            end += len(result)
        if end < MOST_ENTRY_BYTES:
            head = json.dumps(index, separators=(",", ":")).encode("ascii")
            self._folder.put(self._name, b"".join([head, b"\n", *rest.values(), *made.values()]))

    def _index(self) -> dict[str, tuple[int, int]]:
        if self._found is None:
            self._found = {}
            payload = self._folder.get(self._name) or b""
            head, _, _ = payload.partition(b"\n")
            try:
                found = {key: (int(start), int(length)) for key, (start, length) in json.loads(head or b"{}").items()}
            except (ValueError, TypeError, AttributeError, RecursionError):
                return self._found
            self._content = memoryview(payload)[len(head) + 1 :]
            self._found = found
        return self._found
