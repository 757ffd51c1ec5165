"""What this program needs of a forge: the comments of one request, and its labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from reconciler.errors import ApiProblem
from reconciler.forge.wire import Wire

PER_PAGE = 100
MOST_PAGES = 100
"""10,000 comments; whoever has more gets a new one."""


class Comment(NamedTuple):
    """One comment. `author` is a login, empty where the forge does not tell."""

    id: int
    author: str
    body: str


class Forge(Protocol):
    """One repository on one forge. Every method may raise NotAllowed, NotThere, ApiProblem."""

    def me(self) -> str:
        """The login that our comments have; empty when the token may not know it."""
        ...

    def requests_of(self, commit: str) -> list[int]:
        """The numbers of the pull or merge requests that brought a commit."""
        ...

    def comments(self, number: int) -> Iterator[Comment]:
        """All comments of a request, oldest first."""
        ...

    def create(self, number: int, body: str) -> None:
        """Post a comment."""
        ...

    def update(self, number: int, comment: int, body: str) -> None:
        """Replace a comment's text."""
        ...

    def labels(self, number: int) -> list[str]:
        """The request's labels."""
        ...

    def relabel(self, number: int, add: Sequence[str], remove: Sequence[str]) -> None:
        """Add labels and take others away."""
        ...


def pages(wire: Wire, path: str, **parameters: str | int) -> Iterator[Mapping[str, Any]]:
    """The items of all pages, in the forge's order."""
    for page in range(1, MOST_PAGES + 1):
        items = wire.get(path, per_page=PER_PAGE, page=page, **parameters)
        if not isinstance(items, list):
            raise ApiProblem(f"GET {path}: the forge's answer is not a list")
        yield from (item for item in items if isinstance(item, dict))
        if len(items) < PER_PAGE:
            return


def numbers(items: Iterator[Mapping[str, Any]], key: str) -> list[int]:
    """The whole numbers under `key`, each once, in order."""
    return list(dict.fromkeys(value for item in items if isinstance(value := item.get(key), int)))


def login(document: object, key: str) -> str:
    """A login out of a user's document; empty when there is none."""
    value = document.get(key) if isinstance(document, dict) else None
    return value if isinstance(value, str) else ""
