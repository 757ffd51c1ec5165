"""What a release is made of: the bill of materials says what the lock says, and a wheel built twice is the same wheel."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


def sbom(repo: Path) -> dict:
    done = subprocess.run([sys.executable, ".ci/sbom.py"], cwd=repo, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def test_the_bill_of_materials_names_every_pin_with_its_hashes_and_what_it_needs(repo):
    document = sbom(repo)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    lock = (repo / "requirements.lock").read_text()
    assert {(c["name"], c["version"]) for c in document["components"]} == set(re.findall(r"(?m)^([a-z0-9][a-z0-9._-]*)==(\S+)", lock))
    hashes = {h["content"] for c in document["components"] for r in c["externalReferences"] for h in r["hashes"]}
    assert set(re.findall(r"sha256:([0-9a-f]{64})", lock)) <= hashes
    known = {c["bom-ref"] for c in document["components"]} | {document["metadata"]["component"]["bom-ref"]}
    assert {d["ref"] for d in document["dependencies"]} == known
    assert {below for d in document["dependencies"] for below in d["dependsOn"]} <= known
    direct = next(d for d in document["dependencies"] if d["ref"] == document["metadata"]["component"]["bom-ref"])
    assert len(direct["dependsOn"]) >= 6


def test_the_bill_of_materials_depends_on_nothing_but_the_locks(repo):
    assert sbom(repo) == sbom(repo)
    assert str(repo) not in json.dumps(sbom(repo))


def test_an_audit_without_its_tool_says_so_and_passes(repo):
    path = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if not (Path(p) / "pip-audit").exists())
    done = subprocess.run([".ci/audit"], cwd=repo, env={"PATH": path}, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("skipped: ")


@pytest.mark.parametrize(
    ("code", "said", "ends"), [(1, "Found 2 known vulnerabilities in 1 package", 1), (1, "ConnectionError", 0), (0, "No known vulnerabilities found", 0)]
)
def test_an_audit_fails_only_for_what_was_found(repo, tmp_path, code, said, ends):
    tool = tmp_path / "pip-audit"
    tool.write_text(f"#!/bin/sh\necho '{said}'\nexit {code}\n")
    tool.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    assert subprocess.run([".ci/audit"], cwd=repo, env={"PATH": path}, capture_output=True, timeout=60, check=False).returncode == ends


@pytest.mark.slow
def test_a_wheel_built_twice_is_the_same_to_the_byte(repo, tmp_path):
    """In another folder, another year, another zone."""
    pytest.importorskip("hatchling")
    wheels = []
    for number, zone in enumerate(("UTC", "Asia/Tokyo")):
        copy = tmp_path / f"copy{number}"
        subprocess.run(["git", "clone", "-q", "--no-local", str(repo), str(copy)], check=True, timeout=120)
        for path in copy.rglob("*.py"):
            os.utime(path, (1_000_000_000 * (number + 1), 1_000_000_000 * (number + 1)))
        out = tmp_path / f"out{number}"
        environment = {**os.environ, "TZ": zone, "PYTHONHASHSEED": str(number)}
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)], cwd=copy, env=environment, check=True, timeout=300, capture_output=True
        )
        [wheel] = out.glob("*.whl")
        wheels.append((wheel.name, wheel.read_bytes()))
    assert wheels[0] == wheels[1]
