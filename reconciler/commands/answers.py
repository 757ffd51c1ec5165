"""Answers: what a command that only looks has printed, and would print again, because nothing that it depends on has changed.

For commands that look at everything: in a large project making a list or a sum takes seconds, and printing it none. Whoever makes
an answer says whether it lasts: nothing in it may depend on the moment, beside the day.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import astuple
from typing import TYPE_CHECKING, NamedTuple

from reconciler.cache.witness import same_content, untouched
from reconciler.commands.kept import cache_folder, name_of, settings_of
from reconciler.commands.style import style
from reconciler.commands.watch import Inputs, Listed, Watch, inputs_of, validity

if TYPE_CHECKING:
    from reconciler.cache.folder import Folder
    from reconciler.commands.context import Context
    from reconciler.project import Project

FORMAT = 1
WORTH_SECONDS = 0.1
"""What was made faster is made again."""


class Answer(NamedTuple):
    """What is printed, and the exit code; `lasts` is false where it depends on the moment, or something was said beside it."""

    text: str
    code: int
    lasts: bool


def answered(context: Context, project: Project, make: Callable[[], Answer]) -> int:
    """Print the answer, as it was made before or as `make` makes it. Its exit code. Raises what `make` raises."""
    folder, watch = cache_folder(context), Watch(context)
    name = _name(context, watch)
    known = None if folder is None else _recalled(context, project, watch, folder, name)
    answer = _made(context, project, watch, folder, name, make) if known is None else known
    context.out.write(answer.text)
    return answer.code


def _recalled(context: Context, project: Project, watch: Watch, folder: Folder, name: str) -> Answer | None:
    head, _, text = (folder.get(name) or b"").partition(b"\n")
    try:
        document = json.loads(head)
        begin, end = document["valid"]
        known = inputs_of(document["program"], document["files"])
        code, problems = int(document["code"]), document["found"]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    if not begin <= context.clock.now() < end:
        return None
    listed = watch.list(project.manifests, project.state_path)
    now = watch.look(listed, known) if listed is not None and listed.problems == problems else None
    if now is None or not same_content(known.program, now.program) or not same_content(known.files, now.files):
        return None
    return Answer(text.decode("utf-8", "surrogatepass"), code, lasts=True)


def _made(context: Context, project: Project, watch: Watch, folder: Folder | None, name: str, make: Callable[[], Answer]) -> Answer:
    listed = watch.list(project.manifests, project.state_path) if folder is not None and project.journal == "file" else None
    before = None if listed is None else watch.look(listed, glance=True)
    began = time.monotonic()
    answer = make()
    took = time.monotonic() - began
    if folder is not None and listed is not None and before is not None and answer.lasts and took >= WORTH_SECONDS:
        after = watch.look(listed, before)
        if after is not None and untouched(before.program, after.program) and untouched(before.files, after.files):
            folder.put(name, _packed(answer, after, listed, validity(context.clock.now(), project)))
    return answer


def _packed(answer: Answer, inputs: Inputs, listed: Listed, valid: tuple[str, str]) -> bytes:
    head = {"program": inputs.program, "files": inputs.files, "found": listed.problems, "valid": valid, "code": answer.code}
    return json.dumps(head, separators=(",", ":")).encode("ascii") + b"\n" + answer.text.encode("utf-8", "surrogatepass")


def _name(context: Context, watch: Watch) -> str:
    """What was asked, as whom and on which screen."""
    return name_of("answer", [FORMAT, watch.project_digest, context.arguments, *settings_of(context), list(astuple(style(context)))])
