"""No manifest up to the limit takes long or much: at most as long as 150,000 good models, and 300 MB."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .worst import WORST

TIMES = 15
"""10,000 good models have a twentieth of the bytes: nothing hostile is dearer for its size than what is meant."""
MEGABYTES = 300
ALWAYS = ("flow depth", "an alias bomb", "anchors", "one scalar", "quotes", "variables that nobody declared", "variables behind variables")


@pytest.mark.parametrize("name", [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.slow) for name in WORST])
def test_the_worst_files_are_refused_in_time_and_memory(name: str, repo: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "tests.hostile.worst", name], cwd=repo, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = json.loads(done.stdout)
    assert rows["problems"] >= 1
    assert rows["seconds"] <= TIMES * rows["good"], rows
    assert rows["megabytes"] <= MEGABYTES, rows
