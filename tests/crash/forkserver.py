"""The child's side: a warm process without threads that forks one child for each command line it is told.

A child runs the real command in its own folder. It can write down which lines it executes, kill itself with SIGKILL in
front of one of them, or stop itself so that `strace` can take hold of it. Nothing of this is in the product.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import signal
import sys
import threading
from collections import Counter
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])
PACKAGE = os.path.join(ROOT, "reconciler") + os.sep
MONEY = (
    "engine/",
    "store/",
    "journal/",
    "pixazo/",
    "commands/apply.py",
    "commands/init.py",
    "commands/resolve.py",
    "commands/adopt.py",
    "commands/refresh.py",
    "commands/merge.py",
)
"""The purchase path: the files whose every executed line is a moment to die at."""
THIRD_PARTY = (
    "httpx",
    "httpcore",
    "h11",
    "sqlite_utils",
    "sqlite_utils.migrations",
    "ruamel.yaml",
    "pydantic",
    "click",
    "rich.live",
    "ssl",
    "uuid",
    "encodings.idna",
)


def warm() -> None:
    """Import everything that a command may import, so that a child pays only for its work."""
    import reconciler

    names = [module.name for module in pkgutil.walk_packages(reconciler.__path__, "reconciler.") if not module.name.endswith("__main__")]
    for name in (*names, *THIRD_PARTY):
        with contextlib.suppress(ImportError):  # what a child needs and cannot import shows there
            importlib.import_module(name)


def _short(filename: str) -> str | None:
    if not filename.startswith(PACKAGE):
        return None
    short = filename[len(PACKAGE) :]
    return short if short.startswith(MONEY) else None


class Tracer:
    """Sees every executed line of the purchase path in all threads."""

    def __init__(self, case: dict) -> None:
        self.known: dict[str, str | None] = {}
        self.seen: Counter[tuple[str, int]] = Counter()
        self.record: list[str] | None = [] if case.get("record") else None
        at = case.get("kill_at")
        self.kill_at = None if at is None else (at[0], at[1])
        self.occurrence = 0 if at is None else at[2]
        stop = case.get("stop_at")
        self.stop_at = None if stop is None else (stop[0], stop[1])
        self.lock = threading.Lock()

    def __call__(self, frame, event, _argument):
        filename = frame.f_code.co_filename
        if filename not in self.known:
            self.known[filename] = _short(filename)
        short = self.known[filename]
        if short is None:
            return None
        if self.stop_at is not None:
            if (short, frame.f_code.co_name) != self.stop_at:
                return None
            self.stop_at = None
            sys.settrace(None)
            threading.settrace(None)
            os.kill(os.getpid(), signal.SIGSTOP)
            return None
        return self.line

    def line(self, frame, event, _argument):
        if event == "line":
            place = (self.known[frame.f_code.co_filename], frame.f_lineno)
            if self.record is not None:
                with self.lock:
                    self.record.append(f"{place[0]}:{place[1]}")
            elif place == self.kill_at:
                with self.lock:
                    self.seen[place] += 1
                    if self.seen[place] == self.occurrence:
                        os.kill(os.getpid(), signal.SIGKILL)
        return self.line

    def install(self) -> None:
        threading.settrace(self)
        sys.settrace(self)


def patch(name: str) -> None:
    """Weaker variants of the product, in this child alone: controls that a method must catch."""
    import reconciler.journal.file as journal
    import reconciler.store.connection as connection

    if name == "outcomes do not reach the journal":
        from reconciler.errors import StateProblem

        whole = journal.FileJournal.append

        def append(self, drafts, head):
            if any(draft.kind == "outcome" for draft in drafts):
                raise StateProblem("no room")
            return whole(self, drafts, head)

        journal.FileJournal.append = append
    elif name == "journal not synced":
        journal._sync = lambda descriptor: None
    elif name in ("FULL", "WAL NORMAL"):
        mode, level = ("DELETE", "FULL") if name == "FULL" else ("WAL", "NORMAL")

        def weaker(database):
            database.execute(f"PRAGMA journal_mode = {mode}")
            database.execute(f"PRAGMA synchronous = {level}")

        connection._make_durable = weaker
    else:
        raise ValueError(name)


def child(case: dict) -> None:
    """Never returns."""
    code = 70
    tracer = Tracer(case)
    try:
        os.chdir(case["cwd"])
        os.environ.clear()
        os.environ.update(case["env"])
        for number, name in ((1, "out"), (2, "err")):
            descriptor = os.open(case[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(descriptor, number)
            os.close(descriptor)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding="utf-8", write_through=True)
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding="utf-8", write_through=True)
        sys.argv = ["reconciler", *case["words"]]
        from reconciler.cli.run import run

        for name in case.get("patches", ()):
            patch(name)
        if case.get("hold"):
            os.kill(os.getpid(), signal.SIGSTOP)
        if case.get("record") or case.get("kill_at") or case.get("stop_at"):
            tracer.install()
        code = run(case["words"])
        sys.settrace(None)
        threading.settrace(None)
        sys.stdout.flush()
        sys.stderr.flush()
        if tracer.record is not None:
            Path(case["record"]).write_text("\n".join(tracer.record))
    except BaseException:
        import traceback

        sys.settrace(None)
        os.write(2, ("HARNESS " + traceback.format_exc()).encode())
    finally:
        os._exit(code)


def _reply(**values: object) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def serve() -> None:
    warm()
    gc.collect()
    gc.freeze()
    _reply(ready=True)
    children: set[int] = set()
    for text in sys.stdin:
        case = json.loads(text)
        match case["do"]:
            case "start":
                pid = os.fork()
                if pid == 0:
                    child(case)
                children.add(pid)
                _reply(pid=pid)
            case "wait":
                _, status = os.waitpid(case["pid"], os.WUNTRACED if case.get("stopped") else 0)
                if os.WIFSTOPPED(status):
                    _reply(stopped=True)
                else:
                    children.discard(case["pid"])
                    _reply(code=os.waitstatus_to_exitcode(status))
    for pid in children:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    serve()
