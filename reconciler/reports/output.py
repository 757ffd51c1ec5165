"""`output`: what other programs need of models that have trained well: URLs, local files, digests, request ids.

As JSON, like every other document, URLs are shown without their queries; the other forms are for loading and show them whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from reconciler.job import Job, Phase
from reconciler.model import Model
from reconciler.reports.document import FORMAT_VERSION
from reconciler.reports.jobs import artifact_document
from reconciler.reports.phases import standings
from reconciler.state import State

LocalFiles = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Job → URL of an artifact → `path`, `sha256`, `size_bytes` of the file that was downloaded."""

NOTHING_LOCAL: LocalFiles = {}
_KEYS = ("url", "path", "sha256", "request_id", "job", "trigger")


def output_document(
    state: State,
    *,
    environment: str,
    models: Mapping[str, Model] | None,
    names: Collection[str] | None = None,
    local: LocalFiles = NOTHING_LOCAL,
) -> dict[str, Any]:
    """Every bound name whose job succeeded, by name. `url`, `path`, `sha256` of its weights stand in the row itself, all files in `artifacts`.

    Its URLs are whole; `json_text` takes their queries away.
    """
    rows = standings(state, environment=environment, models=models, names=names)
    done = [(row.name, row.job) for row in rows if row.job is not None and row.job.phase is Phase.SUCCEEDED]
    return {
        "format_version": FORMAT_VERSION,
        "environment": environment,
        "models": [_model(name, job, _trigger(state, environment, name), local.get(job.id, {})) for name, job in done],
    }


def _trigger(state: State, environment: str, name: str) -> str:
    binding = state.bindings.get((environment, name))
    return "" if binding is None else str(binding.metadata.get("trigger") or "")


def _model(name: str, job: Job, trigger: str, files: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    artifacts = []
    for artifact in job.artifacts:
        here = files.get(artifact.url, {})
        kept = {key: here.get(key) for key in ("path", "sha256")}
        artifacts.append(artifact_document(artifact) | kept | {"size_bytes": here.get("size_bytes", artifact.size_bytes)})
    weights = next((a for a in artifacts if a["role"] == "weights"), artifacts[0] if artifacts else {})
    return {
        "name": name,
        "job": job.id,
        "request_id": job.request_id,
        "spec_digest": job.spec_digest,
        "trigger": trigger,
        "url": weights.get("url"),
        "path": weights.get("path"),
        "sha256": weights.get("sha256"),
        "artifacts": artifacts,
    }


def output_env(document: Mapping[str, Any]) -> str:
    """`LORA_<NAME>_URL='…'` and so on, for a shell. Names that become equal are told apart by a number, in the order of the document."""
    variables = _variables([row["name"] for row in document["models"]])
    values = [(f"LORA_{variable}_{key.upper()}", row[key]) for row, variable in zip(document["models"], variables, strict=True) for key in _KEYS]
    return "".join(f"{name}={_quoted(str(value))}\n" for name, value in values if value)


def _variables(names: Sequence[str]) -> list[str]:
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        wanted = re.sub(r"[^A-Z0-9]", "_", name.upper())
        number, variable = 2, wanted
        while variable in taken:
            variable, number = f"{wanted}_{number}", number + 1
        taken.add(variable)
        found.append(variable)
    return found


def _quoted(value: str) -> str:
    # `##` is broken up for CI runners; to a shell it is the same word
    return "'" + _printable(value).replace("'", "'\\''").replace("##", "#''#") + "'"


def _printable(text: str) -> str:
    # a control or bidi character in a URL or a path is never meant; the JSON document has it, escaped
    return "".join(char for char in text if char.isprintable())


def output_yaml(document: Mapping[str, Any]) -> str:
    """The document as YAML; every string is quoted, so nothing is read as anything else."""
    # as in JSON: a `#` beside a `#` occurs only inside of strings, and a CI runner could take it for a command
    return "".join(f"{line}\n" for line in _yaml(document)).replace("##", "#\\u0023")


def _yaml(value: Any) -> list[str]:
    match value:
        case Mapping() if value:
            return [line for key, inner in value.items() for line in _below(f"{json.dumps(str(key))}:", inner)]
        case list() if value:
            items = [_yaml(inner) for inner in value]
            return [("- " if i == 0 else "  ") + line for item in items for i, line in enumerate(item)]
        case _:
            return [json.dumps(value, ensure_ascii=True)]


def _below(head: str, value: Any) -> list[str]:
    lines = _yaml(value)
    if isinstance(value, Mapping | list) and value:
        return [head, *(f"  {line}" for line in lines)]
    return [f"{head} {lines[0]}"]


def output_raw(document: Mapping[str, Any]) -> str:
    """For one model: where its weights are, the local file when it was downloaded, else the URL. Empty when there is no such thing."""
    rows = document["models"]
    found = (rows[0]["path"] or rows[0]["url"]) if len(rows) == 1 else None
    return f"{_printable(str(found))}\n" if found else ""
