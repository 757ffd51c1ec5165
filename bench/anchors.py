"""What others take for as many things: Terraform with `terraform_data`, octoDNS between two folders, SQLMesh with views of DuckDB.

Each where it is installed, with nothing to change, on projects of the size at hand; SQLMesh at 100 models alone.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.measure import Work, measure

QUIET = {"SQLMESH__DISABLE_ANONYMIZED_ANALYTICS": "true", "CHECKPOINT_DISABLE": "1"}
MOST_SQLMESH = 100
REPO = Path(__file__).resolve().parent.parent
TERRAFORM_PLAN = "terraform plan, nothing changed"


def anchors(folder: Path, size: int, *, most_terraform: int) -> dict[str, Work]:
    """The works of everybody who is here, on projects that are made in `folder` now."""
    works: dict[str, Work] = {}
    if size <= most_terraform and (terraform := shutil.which("terraform")) is not None:
        works |= _terraform(folder / f"terraform-{size}", size, terraform)
    if (octodns := shutil.which("octodns-sync")) is not None:
        works |= _octodns(folder / f"octodns-{size}", size, octodns)
    if size <= MOST_SQLMESH and (sqlmesh := shutil.which("sqlmesh")) is not None:
        works |= _sqlmesh(folder / f"sqlmesh-{size}", size, sqlmesh)
    return works


def _terraform(folder: Path, count: int, program: str) -> dict[str, Work]:
    """As many resources, one block each, as they are once they were applied: two are, the others of the state are copies (it takes hours to apply 10,000)."""
    folder.mkdir()
    blocks = [f'resource "terraform_data" "model_{n:06}" {{\n  input = {{ dataset = "{n:06}.zip", steps = {1000 + n % 7 * 100} }}\n}}\n' for n in range(count)]
    (folder / "main.tf").write_text("".join(blocks[:2]), encoding="utf-8")
    measure(Work([program, "init", "-input=false"], folder, environment=QUIET))
    measure(Work([program, "apply", "-input=false", "-auto-approve"], folder, environment=QUIET))
    (folder / "main.tf").write_text("".join(blocks), encoding="utf-8")
    code = f"from pathlib import Path; from bench.anchors import copy_resources; copy_resources(Path({str(folder)!r}), {count})"
    subprocess.run([sys.executable, "-c", code], cwd=REPO, check=True)  # memory of this process would be counted as its children's
    measure(Work([program, "plan", "-input=false", "-detailed-exitcode"], folder, environment=QUIET, codes=(0,)))
    return {
        TERRAFORM_PLAN: Work([program, "plan", "-input=false", "-detailed-exitcode"], folder, environment=QUIET),
        "terraform validate": Work([program, "validate"], folder, environment=QUIET),
        "terraform state list": Work([program, "state", "list"], folder, environment=QUIET),
    }


def copy_resources(folder: Path, count: int) -> None:
    """The state in `folder` with `count` resources, all like its first one."""
    state = json.loads((folder / "terraform.tfstate").read_text(encoding="utf-8"))
    state["resources"] = [_resource(state["resources"][0], n) for n in range(count)]
    (folder / "terraform.tfstate").write_text(json.dumps(state, indent=2), encoding="utf-8")


def _resource(one: dict[str, Any], n: int) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(one))
    copy["name"] = f"model_{n:06}"
    attributes = copy["instances"][0]["attributes"]
    attributes["id"] = f"00000000-0000-4000-8000-{n:012}"
    for side in ("input", "output"):
        attributes[side]["value"] = {"dataset": f"{n:06}.zip", "steps": 1000 + n % 7 * 100}
    return copy


def _octodns(folder: Path, count: int, program: str) -> dict[str, Work]:
    """As many records of one zone, the same on both sides."""
    provider = "{{class: octodns.provider.yaml.YamlProvider, directory: ./{}, default_ttl: 300, enforce_order: false}}"
    sides = "".join(f"  {side}: {provider.format(side)}\n" for side in ("wanted", "there"))
    zone = "---\n" + "".join(f"model-{n:06}: {{type: A, value: 10.{n >> 16}.{n >> 8 & 255}.{n & 255}}}\n" for n in range(count))
    for side in ("wanted", "there"):
        (folder / side).mkdir(parents=True)
        (folder / side / "example.com.yaml").write_text(zone, encoding="utf-8")
    (folder / "config.yaml").write_text(f"providers:\n{sides}zones:\n  example.com.: {{sources: [wanted], targets: [there]}}\n", encoding="utf-8")
    return {"octodns-sync, nothing changed": Work([program, "--config-file=config.yaml"], folder)}


def _sqlmesh(folder: Path, count: int, program: str) -> dict[str, Work]:
    """As many views, applied."""
    (folder / "models").mkdir(parents=True)
    (folder / "config.yaml").write_text(
        "gateways: {local: {connection: {type: duckdb, database: db.duckdb}}}\ndefault_gateway: local\n"
        "model_defaults: {dialect: duckdb, start: 2026-01-01}\ndisable_anonymized_analytics: true\n",
        encoding="utf-8",
    )
    for n in range(count):
        (folder / f"models/m{n:03}.sql").write_text(f"MODEL (name demo.m{n:03}, kind VIEW);\nSELECT {n} AS id\n", encoding="utf-8")
    measure(Work([program, "plan", "--no-prompts", "--auto-apply"], folder, environment=QUIET), timeout_seconds=600)
    return {"sqlmesh plan, nothing changed": Work([program, "plan", "--no-prompts"], folder, environment=QUIET)}
