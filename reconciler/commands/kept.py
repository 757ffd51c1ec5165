"""What commands keep between runs: which folder it is in, and which program it is of."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.cache.folder import Folder
from reconciler.cache.shelf import Shelf
from reconciler.cache.witness import Witness
from reconciler.canonical import digest_of
from reconciler.settings import DEFAULT

if TYPE_CHECKING:
    from reconciler.commands.context import Context

PACKAGE = Path(__file__).resolve().parent.parent


def cache_folder(context: Context) -> Folder | None:
    """Where results are kept between runs; None where somebody wants nothing kept (`/dev/null`)."""
    chosen = context.settings.cache_dir
    if chosen.value == os.devnull:
        return None
    path = context.root / chosen.value
    return Folder(path if chosen.origin == DEFAULT else path.resolve())


def manifest_shelf(context: Context, environment: str) -> Shelf | None:
    """The shelf for what manifests were read as, by this program, in this environment, with these variables."""
    folder = cache_folder(context)
    program = Witness(PACKAGE, time.time_ns()).see(program_files(), glance=True)
    if folder is None or program is None:
        return None
    variables = {name: [setting.value, setting.origin] for name, setting in context.settings.variables.items()}
    looks = [[path, seen.look, seen.digest] for path, seen in program.items()]
    name = digest_of([__version__, sys.implementation.cache_tag, environment, variables, looks])
    return Shelf(folder, f"manifests-{name.removeprefix('sha256:')[:32]}")


def program_files() -> list[str]:
    """Every source file of this program, by its path in the package."""
    found = []
    for folder, folders, names in os.walk(PACKAGE):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        inside = folder[len(str(PACKAGE)) + 1 :]
        found += [f"{inside}/{name}" if inside else name for name in sorted(names) if name.endswith(".py")]
    return found
