"""Who else may read or change what the money is known by: the state, the journal and their folder. Only said, nothing is changed."""

from __future__ import annotations

import os
import stat

from reconciler.commands.context import Context, journal_file, state_file
from reconciler.project import Project
from reconciler.text import safe

GROUP_AND_OTHERS = 0o077
OTHERS_WRITE = 0o002


def open_to_others(context: Context, project: Project) -> list[str]:
    """One sentence for each of them that others may use in a way that matters.

    The state is made 0600 and no checkout makes one. Journal and folder come out of git as readable as the umask says, in
    CI containers even writable: there they are the runner's business, elsewhere writing by everybody is said.
    """
    state = state_file(context, project)
    in_ci = not context.settings.prompts.value
    wanted = [(state, GROUP_AND_OTHERS, "600")]
    if not in_ci:
        wanted += [(state.parent, OTHERS_WRITE, "700"), (journal_file(context, project), OTHERS_WRITE, "600")]
    sentences = []
    for path, bits, mode in wanted:
        try:
            found = os.lstat(path).st_mode
        except OSError:
            continue
        if not stat.S_ISLNK(found) and found & bits:
            verb = "changed" if found & 0o022 else "read"
            sentences.append(f"{safe(path, limit=200)} can be {verb} by other users (mode {stat.S_IMODE(found):04o}); chmod {mode}")
    return sentences


def warn_of_permissions(context: Context, project: Project) -> None:
    """Say it on stderr."""
    for sentence in open_to_others(context, project):
        context.err.line(f"Warning: {sentence}")
