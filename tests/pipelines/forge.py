"""A forge on loopback: GitHub's and GitLab's comments and labels, pages of 100, a limit of 65,536, tokens that may only read."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, unquote, urlsplit

LONGEST = 65_536
TOKEN = "forge-token-of-the-run"
READ_ONLY = "forge-token-of-a-fork"
BOT = "github-actions[bot]"


class Seen(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Forge:
    """What it holds; `posted` is id → (author, body) in the order of creation."""

    posted: dict[int, tuple[str, str]] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    pulls: dict[str, int] = field(default_factory=dict)
    """commit → the request that brought it."""
    me: str | None = None
    """Who asks; None: the token may not know."""
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Answers (status, headers) that come before the right ones."""
    next_id: int = 1000

    def add(self, author: str, body: str) -> int:
        self.next_id += 1
        self.posted[self.next_id] = (author, body)
        return self.next_id

    def bodies(self, author: str = BOT) -> list[str]:
        return [body for who, body in self.posted.values() if who == author]

    @property
    def writes(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.method != "GET"]

    def __enter__(self) -> Self:
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def do(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                seen = Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, self.rfile.read(length))
                forge.seen.append(seen)
                headers: dict[str, str] = {}
                if forge.answers:
                    (status, headers), document = forge.answers.pop(0), {"message": "go away"}
                else:
                    status, document = forge.answer(seen)
                raw = b"" if document is None else json.dumps(document).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(raw)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, seen: Seen) -> tuple[int, Any]:
        token = seen.headers.get("authorization", "").removeprefix("Bearer ") or seen.headers.get("private-token") or seen.headers.get("job-token")
        if token not in (TOKEN, READ_ONLY):
            return 401, {"message": "Bad credentials"}
        if seen.method != "GET" and token == READ_ONLY:
            return 403, {"message": "Resource not accessible by integration"}
        body = json.loads(seen.body) if seen.body else {}
        if len(body.get("body", "")) > LONGEST:
            return 422, {"message": "Validation Failed"}
        path = urlsplit(seen.path)
        page = {k: int(v[0]) for k, v in parse_qs(path.query).items() if v[0].isdigit()}
        for method, pattern, handle in ROUTES:
            if method == seen.method and (found := re.fullmatch(pattern, path.path)):
                return handle(self, found.groups(), body, page)
        return 404, {"message": "Not Found"}


def _page(items: list[Any], page: dict[str, int]) -> tuple[int, Any]:
    size, number = min(page.get("per_page", 30), 100), page.get("page", 1)
    return 200, items[(number - 1) * size : number * size]


def _me(key: str) -> Any:
    def answer(forge: Forge, _groups: Any, _body: Any, _page: Any) -> tuple[int, Any]:
        return (200, {key: forge.me}) if forge.me is not None else (403, {"message": "Resource not accessible by integration"})

    return answer


def _list(who: str, key: str) -> Any:
    def answer(forge: Forge, _groups: Any, _body: Any, page: Any) -> tuple[int, Any]:
        return _page([{"id": i, who: {key: author}, "body": body} for i, (author, body) in forge.posted.items()], page)

    return answer


def _create(forge: Forge, _groups: Any, body: Any, _page: Any) -> tuple[int, Any]:
    return 201, {"id": forge.add(forge.me or BOT, body["body"])}


def _update(forge: Forge, groups: Any, body: Any, _page: Any) -> tuple[int, Any]:
    number = int(groups[-1])
    if number not in forge.posted:
        return 404, {"message": "Not Found"}
    forge.posted[number] = (forge.posted[number][0], body["body"])
    return 200, {"id": number}


def _pulls(key: str) -> Any:
    def answer(forge: Forge, groups: Any, _body: Any, _page: Any) -> tuple[int, Any]:
        return 200, [{key: forge.pulls[groups[-1]]}] if groups[-1] in forge.pulls else []

    return answer


def _add_labels(forge: Forge, _groups: Any, body: Any, _page: Any) -> tuple[int, Any]:
    forge.labels += body["labels"]
    return 200, []


def _remove_label(forge: Forge, groups: Any, _body: Any, _page: Any) -> tuple[int, Any]:
    forge.labels.remove(unquote(groups[-1]))
    return 200, []


def _merge_labels(forge: Forge, _groups: Any, body: Any, _page: Any) -> tuple[int, Any]:
    kept = [label for label in forge.labels if label not in body["remove_labels"].split(",")]
    forge.labels = [*kept, *(label for label in body["add_labels"].split(",") if label)]
    return 200, {}


R, P = r"/repos/acme/loras", r"/projects/42"
ROUTES = [
    ("GET", r"/user", lambda f, g, b, p: _me("username" if "gitlab" in (f.me or "") else "login")(f, g, b, p)),
    ("GET", R + r"/issues/(\d+)/comments", _list("user", "login")),
    ("POST", R + r"/issues/(\d+)/comments", _create),
    ("PATCH", R + r"/issues/comments/(\d+)", _update),
    ("GET", R + r"/issues/(\d+)/labels", lambda f, g, b, p: _page([{"name": label} for label in f.labels], p)),
    ("POST", R + r"/issues/(\d+)/labels", _add_labels),
    ("DELETE", R + r"/issues/(\d+)/labels/(.+)", _remove_label),
    ("GET", R + r"/commits/(\w+)/pulls", _pulls("number")),
    ("GET", P + r"/merge_requests/(\d+)/notes", _list("author", "username")),
    ("POST", P + r"/merge_requests/(\d+)/notes", _create),
    ("PUT", P + r"/merge_requests/(\d+)/notes/(\d+)", _update),
    ("GET", P + r"/merge_requests/(\d+)", lambda f, g, b, p: (200, {"labels": f.labels})),
    ("PUT", P + r"/merge_requests/(\d+)", _merge_labels),
    ("GET", P + r"/repository/commits/(\w+)/merge_requests", _pulls("iid")),
]
