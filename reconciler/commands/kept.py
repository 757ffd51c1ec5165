"""What commands keep between runs: which folder it is in, and which program it is of."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    looks = [[path, seen.look, seen.digest] for path, seen in program.items()]
    return Shelf(folder, name_of("manifests", [environment, variables_of(context), looks]))


def name_of(kind: str, asked: Sequence[Any]) -> str:
    """The name under which a result of this program is kept: the same for whoever asks the same."""
    return f"{kind}-{digest_of([__version__, sys.implementation.cache_tag, *asked]).removeprefix('sha256:')[:32]}"


def variables_of(context: Context) -> dict[str, list[str]]:
    """The variables that were given from outside, each with where it came from."""
    return {name: [setting.value, setting.origin] for name, setting in context.settings.variables.items()}


def settings_of(context: Context) -> list[Any]:
    """Every setting that an answer about this project depends on, each with where it came from."""
    settings = context.settings
    chosen = [[setting.value, setting.origin] for setting in (settings.environment, settings.endpoint, settings.state_path)]
    return [chosen, variables_of(context)]


def program_files() -> list[str]:
    """Every source file of this program, by its path in the package."""
    found = []
    for folder, folders, names in os.walk(PACKAGE):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        inside = folder[len(str(PACKAGE)) + 1 :]
        found += [f"{inside}/{name}" if inside else name for name in sorted(names) if name.endswith(".py")]
    return found
