"""GitLab's pipeline as gitlab-ci-local runs it, an implementation of GitLab's own rules on this machine. Skipped where it is not installed.

Install it once into a cache folder:  npm install --prefix ~/.cache/lora-reconciler/gitlab gitlab-ci-local@4.60.1
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
from pathlib import Path

import pytest

from reconciler.emulator.server import Emulator
from tests.pipelines.repository import Repository
from tests.pipelines.runner import EXAMPLES, git, machine

PROGRAM = Path.home() / ".cache" / "lora-reconciler" / "gitlab" / "node_modules" / ".bin" / "gitlab-ci-local"
KEY = "pipeline-key-" + secrets.token_hex(8)
"""Not the suite's: this runner takes variables on its command line only, where the suite's key is never allowed."""

pytestmark = pytest.mark.skipif(
    not PROGRAM.exists() or shutil.which("rsync") is None,
    reason="gitlab-ci-local is not installed (npm install --prefix ~/.cache/lora-reconciler/gitlab gitlab-ci-local@4.60.1; it needs rsync)",
)


def test_its_jobs_run_as_written_from_plan_to_purchase(tmp_path: Path, emulator: Emulator) -> None:
    repository = Repository.new(tmp_path / "team", emulator.url, keeper={"steps": 100})
    work = repository.work.path
    shutil.copy(EXAMPLES / "gitlab" / ".gitlab-ci.yml", work)
    (work / "reconciler.lock").write_text("")
    repository.commit(keeper={"steps": 100}, added={"steps": 140})
    assert repository.work.run("fmt").code == 0
    git(work, "commit", "-q", "-a", "-m", "fmt")
    git(work, "push", "-q", "origin", "HEAD:refs/heads/main")
    git(work, "checkout", "-q", "-B", "main")
    environment = machine(tmp_path / "machine", RECONCILER_ENDPOINT=emulator.url)
    variables = {"PIXAZO_API_KEY": KEY, "LORA_MAX_COST": "50", "CI_PIPELINE_SOURCE": "push"}
    command = [str(PROGRAM), "--force-shell-executor", *(f"--variable={n}={v}" for n, v in variables.items()), "--needs", "apply"]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False, timeout=120)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "2 bought $16.00" in said
    assert KEY not in said
    assert len(emulator.books.charges()) == 2
