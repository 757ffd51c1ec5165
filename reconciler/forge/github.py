"""GitHub's REST API: issue comments and labels of a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from reconciler.forge.comments import Comment, login, numbers, pages
from reconciler.forge.wire import NotAllowed, NotThere, Wire

RUNNER = "github-actions[bot]"
"""Who comments with a workflow's own token, which may not ask who it is."""


class GitHub:
    """Implements `Forge`. `repository` is `owner/name`."""

    def __init__(self, wire: Wire, repository: str) -> None:
        self._wire = wire
        self._repository = f"/repos/{repository}"

    def me(self) -> str:
        """See `Forge.me`."""
        try:
            return login(self._wire.get("/user"), "login")
        except (NotAllowed, NotThere):
            return RUNNER

    def requests_of(self, commit: str) -> list[int]:
        """See `Forge.requests_of`."""
        return numbers(pages(self._wire, f"{self._repository}/commits/{quote(commit, safe='')}/pulls"), "number")

    def comments(self, number: int) -> Iterator[Comment]:
        """See `Forge.comments`."""
        return (_comment(item) for item in pages(self._wire, f"{self._repository}/issues/{number}/comments") if isinstance(item.get("id"), int))

    def create(self, number: int, body: str) -> None:
        """See `Forge.create`."""
        self._wire.send("POST", f"{self._repository}/issues/{number}/comments", {"body": body})

    def update(self, number: int, comment: int, body: str) -> None:
        """See `Forge.update`."""
        del number
        self._wire.send("PATCH", f"{self._repository}/issues/comments/{comment}", {"body": body})

    def labels(self, number: int) -> list[str]:
        """See `Forge.labels`."""
        return [name for item in pages(self._wire, f"{self._repository}/issues/{number}/labels") if (name := login(item, "name"))]

    def relabel(self, number: int, add: Sequence[str], remove: Sequence[str]) -> None:
        """See `Forge.relabel`."""
        if add:
            self._wire.send("POST", f"{self._repository}/issues/{number}/labels", {"labels": list(add)})
        for label in remove:
            self._wire.send("DELETE", f"{self._repository}/issues/{number}/labels/{quote(label, safe='')}")


def _comment(item: Any) -> Comment:
    return Comment(int(item["id"]), login(item.get("user"), "login"), str(item.get("body") or ""))
