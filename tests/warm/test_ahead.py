"""Manifests that other processes read: the catalog is the same whatever these do, and they never outlive the reading."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from bench.inputs import write_manifests
from reconciler.manifest import ahead
from reconciler.manifest.ahead import Ahead

HEAD = """
import os, signal, sys
from pathlib import Path
from reconciler.manifest import ahead, catalog
from reconciler.manifest.load import load_catalog, load_project

read, parsed, started = catalog.read_file, [], []
catalog.read_file = lambda path, raw: (parsed.append(path), read(path, raw))[1]
fork = os.fork
def forking():
    pid = fork()
    if pid:
        started.append(pid)
    return pid
os.fork = forking

def wanted(**more):
    project, _ = load_project(Path.cwd())
    parsed.clear()
    return load_catalog(Path.cwd(), project, environment="default", **more)

alone = wanted()
everything = list(parsed)
Init = ahead.Ahead.__init__
ahead.Ahead.__init__ = lambda self, files, make: Init(self, files, make, worth_bytes=0)
ahead._workers = lambda: 2
"""
CHECK = """
looked = []
beside = wanted(meanwhile=lambda: looked.append(1))
assert looked == [1] and len(started) == 2, (looked, started)
assert beside == alone, beside[1]
if alone[0] is not None:
    assert list(alone[0].models) == list(beside[0].models)
    assert all(dict(model.fields) == dict(beside[0].models[name].fields) for name, model in alone[0].models.items())
for pid in started:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        continue
    raise AssertionError(f"{pid} lives on")
print(len(everything), len(parsed))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_manifests(tmp_path / "models", 120, 30)
    (tmp_path / "reconciler.yaml").write_text("version: 1\n")
    return tmp_path


def run(project: Path, between: str = "") -> tuple[int, int]:
    """How many files this process parsed alone, and how many beside its helpers."""
    code = HEAD + textwrap.dedent(between) + CHECK
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    whole, own = map(int, done.stdout.split())
    return whole, own


def test_others_read_what_this_process_need_not(project: Path) -> None:
    whole, own = run(project, "ahead.Ahead.get = (lambda get: lambda self, index: (__import__('time').sleep(0.02), get(self, index))[1])(ahead.Ahead.get)")
    assert whole == 30
    assert own < 20


@pytest.mark.parametrize(
    "trouble",
    [
        "ahead._live = lambda work: os._exit(1)",
        "ahead._live = lambda work: os.kill(os.getpid(), signal.SIGKILL)",
        "turns, make = iter(range(99)), catalog.pack; catalog.pack = lambda part: make(part) if next(turns) < 3 else os._exit(3)",
    ],
    ids=["end at once", "killed at once", "end in the middle"],
)
def test_whatever_becomes_of_the_others_everything_is_read(project: Path, trouble: str) -> None:
    whole, own = run(project, trouble)
    assert own <= whole == 30


def test_problems_are_told_once_and_by_this_process(project: Path) -> None:
    for number in (2, 11, 27):
        path = project / f"models/part-{number:05}.yaml"
        path.write_text(path.read_text().replace("steps:", "stepz:", 1))
    (project / "models/part-00020.yaml").write_text("a: [\n")
    (project / "models/part-00005.yaml").write_text("version: 1\nmoved: [{from: x, to: model-000000}]\nvariables: {v: {default: 1}}\n")
    assert run(project)[0] == 30


def test_few_bytes_are_read_alone(project: Path) -> None:
    files = {path.name: path.read_bytes() for path in (project / "models").iterdir()}
    with Ahead(files, lambda _path: None) as found:
        assert not found.is_working
        assert found.get(0) is None


def test_no_copy_is_made_of_a_process_with_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead.threading, "active_count", lambda: 2)
    assert ahead._workers() == 0
