"""GitLab's REST API: notes and labels of a merge request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from reconciler.forge.comments import Comment, login, numbers, pages
from reconciler.forge.wire import NotAllowed, NotThere, Wire


class GitLab:
    """Implements `Forge`. `project` is a number, or a path that is quoted here."""

    def __init__(self, wire: Wire, project: str) -> None:
        self._wire = wire
        self._project = f"/projects/{quote(project, safe='')}"

    def me(self) -> str:
        """See `Forge.me`."""
        try:
            return login(self._wire.get("/user"), "username")
        except (NotAllowed, NotThere):
            return ""

    def requests_of(self, commit: str) -> list[int]:
        """See `Forge.requests_of`."""
        return numbers(pages(self._wire, f"{self._project}/repository/commits/{quote(commit, safe='')}/merge_requests"), "iid")

    def comments(self, number: int) -> Iterator[Comment]:
        """See `Forge.comments`."""
        found = pages(self._wire, f"{self._request(number)}/notes", sort="asc", order_by="created_at")
        return (_comment(item) for item in found if isinstance(item.get("id"), int) and not item.get("system"))

    def create(self, number: int, body: str) -> None:
        """See `Forge.create`."""
        self._wire.send("POST", f"{self._request(number)}/notes", {"body": body})

    def update(self, number: int, comment: int, body: str) -> None:
        """See `Forge.update`."""
        self._wire.send("PUT", f"{self._request(number)}/notes/{comment}", {"body": body})

    def labels(self, number: int) -> list[str]:
        """See `Forge.labels`."""
        document = self._wire.get(self._request(number))
        found = document.get("labels") if isinstance(document, dict) else None
        return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []

    def relabel(self, number: int, add: Sequence[str], remove: Sequence[str]) -> None:
        """See `Forge.relabel`."""
        self._wire.send("PUT", self._request(number), {"add_labels": ",".join(add), "remove_labels": ",".join(remove)})

    def _request(self, number: int) -> str:
        return f"{self._project}/merge_requests/{number}"


def _comment(item: Any) -> Comment:
    return Comment(int(item["id"]), login(item.get("author"), "username"), str(item.get("body") or ""))
