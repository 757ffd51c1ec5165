"""What a release stands on, as CycloneDX JSON on stdout: every package of requirements.lock with its version, hashes and dependencies.

Read from the lock files alone: no network, no installed packages, same files, same bytes.
"""

# ruff: noqa: INP001 (a script beside the checks, no package)

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROJECT = "lora-reconciler"


def main() -> int:
    """Write the bill of materials."""
    locked = {p["name"]: p for p in tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]}
    pinned = re.findall(r"(?m)^([a-z0-9][a-z0-9._-]*)==(\S+)", (ROOT / "requirements.lock").read_text(encoding="ascii"))
    names = sorted(name for name, _ in pinned)
    version = re.search(r'__version__ = "([^"]+)"', (ROOT / "reconciler" / "__init__.py").read_text(encoding="utf-8"))
    assert version is not None, "the package states its version"
    root = {
        "type": "application",
        "name": PROJECT,
        "version": version[1],
        "bom-ref": f"pkg:pypi/{PROJECT}@{version[1]}",
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }
    edges = [{"ref": _purl(locked[name]), "dependsOn": _below(locked[name], locked, names)} for name in names]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root},
        "components": [_component(locked[name]) for name in names],
        "dependencies": [{"ref": root["bom-ref"], "dependsOn": _below(locked[PROJECT], locked, names)}, *edges],
    }
    json.dump(document, sys.stdout, indent=2, sort_keys=True)
    sys.stdout.write("\n")
    return 0


def _purl(package: dict[str, Any]) -> str:
    return f"pkg:pypi/{package['name']}@{package['version']}"


def _component(package: dict[str, Any]) -> dict[str, Any]:
    files = [f for f in [package.get("sdist"), *package.get("wheels", [])] if f]
    references = [
        {"type": "distribution", "url": f["url"], "hashes": [{"alg": "SHA-256", "content": f["hash"].removeprefix("sha256:")}]}
        for f in sorted(files, key=lambda f: f["url"])
    ]
    purl = _purl(package)
    return {"type": "library", "name": package["name"], "version": package["version"], "purl": purl, "bom-ref": purl, "externalReferences": references}


def _below(package: dict[str, Any], locked: dict[str, dict[str, Any]], names: list[str]) -> list[str]:
    return sorted({_purl(locked[d["name"]]) for d in package.get("dependencies", []) if d["name"] in names})


if __name__ == "__main__":
    sys.exit(main())
