"""`journal`: the journal on a git branch. `status` asks nobody; `pull` and `push` bring the local copy and the branch together."""

from __future__ import annotations

from typing import Any

from reconciler.commands.context import Context, open_journal, open_project, open_store
from reconciler.errors import Invalid
from reconciler.fact import Draft
from reconciler.journal.git import GitJournal
from reconciler.project import Project
from reconciler.reports.document import FORMAT_VERSION, json_text
from reconciler.text import plural, safe


def run_status(context: Context, *, json: bool) -> int:
    """Where the journal is, and what is only here, or only there as far as is known here."""
    project = open_project(context)
    journal = open_journal(context, project)
    if not isinstance(journal, GitJournal):
        if json:
            context.out.write(json_text({"format_version": FORMAT_VERSION, "kind": "journal_status", "journal": "file", "path": str(journal.path)}))
        else:
            context.out.line(f"The journal is the file {safe(journal.path, limit=200)}; `state.journal: git:BRANCH` keeps it on a branch.")
        return 0
    document = _standing(journal)
    if json:
        context.out.write(json_text(document))
        return 0
    addresses = ", ".join(safe(url, limit=200) for url in document["remotes"])
    context.out.line(f"The journal is {safe(journal.where)} ({addresses}); this folder has a copy.")
    context.out.line(f"Here {plural(document['facts_here'], 'fact')}, there {plural(document['facts_there'], 'fact')} when it was seen last.")
    if document["only_here"]:
        context.out.line(f"{plural(document['only_here'], 'fact')} only here: `reconciler journal push` brings them to the branch.")
    if document["only_there"]:
        context.out.line(f"{plural(document['only_there'], 'fact')} only there: apply and refresh fetch them, and `reconciler journal pull` does.")
    for row in document["waiting"]:
        request_id = _id(row["request_id"])
        context.out.line(f"Waits for the branch: {safe(row['kind'])} of {safe(row['of'])}{request_id}.")
    return 0


def run_pull(context: Context, *, json: bool, lock_timeout_seconds: float) -> int:
    """Take over what the branch has, so that everything that reads files knows it."""
    from reconciler.journal.exchange import pull

    project = open_project(context)
    journal = _on_a_branch(context, project)
    with open_store(context, project).lock(context.owner, wait_seconds=lock_timeout_seconds):
        done = pull(journal)
        journal.close()
    if json:
        context.out.write(json_text({"format_version": FORMAT_VERSION, "kind": "journal_pull", "came": done.came, "only_here": done.only_here}))
        return 0
    context.out.line(f"Pulled {plural(done.came, 'fact')} from {safe(journal.where)}.")
    if done.only_here:
        context.out.line(f"{plural(done.only_here, 'fact')} only here: `reconciler journal push` brings them to the branch.")
    return 0


def run_push(context: Context, *, json: bool, lock_timeout_seconds: float) -> int:
    """Bring what is only here to the branch, which is made when it is not there; then what still waited for it."""
    from reconciler.journal.exchange import push

    project = open_project(context)
    journal, store = _on_a_branch(context, project), open_store(context, project)
    with store.lock(context.owner, wait_seconds=lock_timeout_seconds):
        waited = len(journal.waiting())
        done = push(journal, lineage=project.lineage)
        journal.close()
        with store.writing():
            pass
    if json:
        rows = {"came": done.came, "went": done.went, "answers": waited, "is_new": done.is_new}
        context.out.write(json_text({"format_version": FORMAT_VERSION, "kind": "journal_push", **rows}))
        return 0
    made = "Made the branch and pushed" if done.is_new else "Pushed"
    also = f", and {plural(waited, 'fact')} that waited" if waited else ""
    context.out.line(f"{made} {plural(done.went, 'fact')} to {safe(journal.where)}{also}.")
    if done.is_new:
        context.out.line("Protect it: no force pushes, no deletion, pushes by the pipeline alone. Who rewrites it can make the tool pay twice.")
    return 0


def _standing(journal: GitJournal) -> dict[str, Any]:
    here, there = set(journal.copy().splitlines()), set(journal.last_seen().splitlines())
    return {
        "format_version": FORMAT_VERSION,
        "kind": "journal_status",
        "journal": f"git:{journal.branch}",
        "path": str(journal.path),
        "remotes": journal.git.remote_urls(),
        "facts_here": len(here),
        "facts_there": len(there),
        "only_here": len(here - there),
        "only_there": len(there - here),
        "waiting": [_waiting(draft) for draft in journal.waiting()],
    }


def _waiting(draft: Draft) -> dict[str, Any]:
    of = draft.data.get("name") or draft.data.get("attempt") or draft.data.get("job")
    return {"kind": str(draft.kind), "at": draft.at, "of": of, "request_id": draft.data.get("request_id")}


def _id(request_id: object) -> str:
    return "" if request_id is None else f", request id {safe(request_id)}"


def _on_a_branch(context: Context, project: Project) -> GitJournal:
    journal = open_journal(context, project)
    if not isinstance(journal, GitJournal):
        raise Invalid((), "this project keeps its journal in a file", hint="`state: {journal: git:lora-state}` in reconciler.yaml keeps it on a branch")
    return journal
