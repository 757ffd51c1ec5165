"""`comment`: one comment on a pull or merge request, written by `plan -report markdown=FILE`, posted or brought up to date.

Knows the forge's token and nothing of the trainer's key. A token that may only read (a pull request from a fork) is no
fault of the plan: it is said, and the command ends with 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.commands.context import Context
from reconciler.commands.infile import read_regular
from reconciler.errors import Invalid, Usage
from reconciler.reports.comment import Decision, Marker, decide, read_marker, relabelled
from reconciler.reports.markdown import COMMENT_BYTES
from reconciler.settings import check_endpoint
from reconciler.text import safe

if TYPE_CHECKING:
    from reconciler.forge.comments import Forge

PROVIDERS = ("github", "gitlab")
GITHUB_API = "https://api.github.com"
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
_PULL = re.compile(r"refs/pull/([0-9]{1,9})/(?:merge|head)")
_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")


@dataclass(frozen=True, slots=True)
class CommentOptions:
    """`comment`. `number` and `author` are found out where they are None."""

    file: str
    provider: str | None = None
    number: int | None = None
    author: str | None = None
    label: bool = False


def run(context: Context, options: CommentOptions) -> int:
    """Post, update or leave it. 0 also when the token may not; raises Usage, Invalid, ApiProblem."""
    from reconciler.forge.wire import NotAllowed

    body, marker = _read(context, options.file)
    forge = _forge(options.provider or _provider(context.environment), context.environment)
    try:
        context.out.line(_post(context, options, forge, body, marker))
    except NotAllowed as refusal:
        context.err.line(f"Notice: no comment, the token may only read ({safe(refusal.message, 'log')}). The plan itself is not affected.")
    return 0


def _post(context: Context, options: CommentOptions, forge: Forge, body: str, marker: Marker) -> str:
    """Do it; one sentence about it."""
    number = options.number or _number(context.environment, forge)
    if number is None:
        return "No comment: this commit belongs to no pull request."
    me = options.author or forge.me()
    if not me:
        return "No comment: the token may not know whose it is, so its comments could not be told from others'; use GITLAB_TOKEN, or say -author=LOGIN."
    decision = decide(body, marker, list(forge.comments(number)), me=me)
    _carry_out(forge, number, decision)
    if options.label:
        add, remove = relabelled(marker.due, forge.labels(number))
        if add or remove:
            forge.relabel(number, add, remove)
    return _said(decision, number)


def _read(context: Context, name: str) -> tuple[str, Marker]:
    shown = safe(name, limit=200)
    try:
        raw = read_regular(context.root / name, most_bytes=COMMENT_BYTES)
        body = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Invalid((), f"{shown} is not UTF-8 or longer than {COMMENT_BYTES} bytes") from None
    except (OSError, ValueError) as error:
        raise Usage(f"{shown}: {getattr(error, 'strerror', None) or error}", hint="`reconciler plan -report markdown=FILE` writes it") from None
    if len(raw) > COMMENT_BYTES:
        raise Invalid((), f"{shown} is longer than {COMMENT_BYTES} bytes, which not every forge takes")
    if (marker := read_marker(body)) is None:
        raise Invalid((), f"{shown} has no marker on its first line", hint="`reconciler plan -report markdown=FILE` writes one")
    return body, marker


def _provider(environment: Mapping[str, str]) -> str:
    if environment.get("GITHUB_ACTIONS"):
        return "github"
    if environment.get("GITLAB_CI"):
        return "gitlab"
    raise Usage("which forge?", hint="add -provider=github or -provider=gitlab")


def _forge(provider: str, environment: Mapping[str, str]) -> Forge:
    from reconciler.forge.github import GitHub
    from reconciler.forge.gitlab import GitLab
    from reconciler.forge.wire import Wire

    if provider == "github":
        token = _first(environment, "GITHUB_TOKEN")[1]
        base = check_endpoint(environment.get("GITHUB_API_URL") or GITHUB_API, origin="GITHUB_API_URL")
        repository = environment.get("GITHUB_REPOSITORY", "")
        if not _REPOSITORY.fullmatch(repository):
            raise Usage("GITHUB_REPOSITORY does not name a repository", hint="owner/name, as the runner sets it")
        headers = {"Authorization": f"Bearer {token.strip()}", "Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        return GitHub(Wire(base, headers, token.strip(), environment), repository)
    variable, token = _first(environment, "GITLAB_TOKEN", "CI_JOB_TOKEN")
    if not environment.get("CI_API_V4_URL"):
        raise Usage("CI_API_V4_URL is not set", hint="https://HOST/api/v4, as the runner sets it")
    base = check_endpoint(environment["CI_API_V4_URL"], origin="CI_API_V4_URL")
    project = environment.get("CI_PROJECT_ID", "")
    if not (project.isascii() and project.isdigit() and len(project) < 20):
        raise Usage("CI_PROJECT_ID is not a number", hint="as the runner sets it")
    header = "JOB-TOKEN" if variable == "CI_JOB_TOKEN" else "PRIVATE-TOKEN"
    return GitLab(Wire(base, {header: token.strip()}, token.strip(), environment), project)


def _first(environment: Mapping[str, str], *variables: str) -> tuple[str, str]:
    for variable in variables:
        if environment.get(variable, "").strip():
            return variable, environment[variable]
    raise Usage(f"{' and '.join(variables)} {'are' if len(variables) > 1 else 'is'} not set", hint="the token comes from there and from nowhere else")


def _number(environment: Mapping[str, str], forge: Forge) -> int | None:
    """The request of this run; of a merged commit the one that brought it."""
    iid = environment.get("CI_MERGE_REQUEST_IID", "")
    if iid.isascii() and iid.isdigit() and len(iid) < 10:
        return int(iid)
    if found := _PULL.fullmatch(environment.get("GITHUB_REF", "")):
        return int(found[1])
    commit = environment.get("GITHUB_SHA") or environment.get("CI_COMMIT_SHA") or ""
    return next(iter(forge.requests_of(commit)), None) if _COMMIT.fullmatch(commit) else None


def _carry_out(forge: Forge, number: int, decision: Decision) -> None:
    match decision.do:
        case "create":
            forge.create(number, decision.body)
        case "update":
            assert decision.comment is not None, "an update has something to update"
            forge.update(number, decision.comment, decision.body)
        case "skip":
            return


def _said(decision: Decision, number: int) -> str:
    match decision.do:
        case "create":
            return f"Comment on request {number}: created."
        case "update":
            return f"Comment on request {number}: brought up to date."
        case "skip":
            return f"Comment on request {number}: left as it is; {safe(decision.why, 'log')}."
