"""Small things that the tests of pipelines share: the command in this process, a comment as `plan` writes it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import textwrap
from pathlib import Path

from reconciler.cli.run import run
from tests.documents import check
from tests.life.folder import Folder, Result


def run_here(folder: Path, *words: str, **environment: str) -> Result:
    """One command line in this process, with this environment and no other variable of a forge or of ours."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIXAZO_", "RECONCILER_", "GITHUB_", "CI_", "GITLAB_"))}
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True) for _ in range(2)]
    with contextlib.chdir(folder), contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        code = run(list(words), {**kept, **environment})
    out, err = (stream.buffer.getvalue().decode("utf-8") for stream in streams)  # type: ignore[attr-defined]
    check(words, out)
    return Result(code, out, err)


def comment_body(*, due: str, at: str = "2026-11-22T07:45:00Z", sha: str = "", key: str = "0f0c7a52/prod", title: str = "") -> str:
    """A comment as `-report markdown` writes it."""
    facts = {"v": 1, "key": key, "plan": "", "spend": "", "due": due, "sha": sha, "at": at}
    title = title or f"### LoRA catalog `prod`: **+${due}** to apply"
    return (
        f"<!-- reconciler {json.dumps(facts, separators=(',', ':'))} -->\n{title}\n\n"
        f"| | due |\n|---|--:|\n| **total** | **+${due}** <!--since--> |\n\n<sub>Plan `1` · commit `{sha}` · updated in place</sub>\n"
    )


class Project(Folder):
    """A project folder whose commands run in this process."""

    def run(self, *words: str, **more: str) -> Result:
        return run_here(self.path, *words, **self.environment(**more))

    def settings(self, text: str) -> None:
        """Put these lines into reconciler.yaml, in place of its budget."""
        file = self.path / "reconciler.yaml"
        head, _, tail = file.read_text().partition("budget:")
        file.write_text(head + textwrap.dedent(text) + tail[tail.index("state:") :])

    def outputs(self) -> dict[str, str]:
        """What `-report github-output=out.txt` said last."""
        lines = (self.path / "out.txt").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)
