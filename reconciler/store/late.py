"""The attempts of a state, for readers who seldom want one: read when somebody does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from reconciler.job import Attempt

Mark = str
"""Which rows a state had: the checksum over its lineage, serial, head and the sums of its rows."""
Fetch = Callable[[Mark], Mapping[str, Attempt]]
"""The attempts of just these rows. Raises StateProblem when others have taken their place."""


class Late(Mapping[str, Attempt]):
    """Attempts by id, all fetched at the first question."""

    __slots__ = ("_fetch", "_found", "_mark")

    def __init__(self, fetch: Fetch, mark: Mark) -> None:
        self._fetch = fetch
        self._mark = mark
        self._found: Mapping[str, Attempt] | None = None

    def _all(self) -> Mapping[str, Attempt]:
        if self._found is None:
            self._found = self._fetch(self._mark)
        return self._found

    def __getitem__(self, key: str) -> Attempt:
        return self._all()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Late):
            return self._mark == other._mark or self._all() == other._all()
        return self._all() == other

    __hash__ = None  # type: ignore[assignment]
