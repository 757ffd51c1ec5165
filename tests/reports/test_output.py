"""What consumers get of models that have trained well."""

from __future__ import annotations

import json
import subprocess

import pytest
from ruamel.yaml import YAML

from reconciler.job import Artifact, Phase
from reconciler.reports.document import json_text
from reconciler.reports.output import output_document, output_env, output_raw, output_yaml

from .ledger import WEIGHTS, job, state

EVIL = "https://files.example.com/'$(touch pwned)\n::error::x\u202e.safetensors?sig=k"


@pytest.fixture
def known():
    odd = Artifact("weights", EVIL)
    return state(
        job(1, "a-b", Phase.SUCCEEDED, artifacts=(Artifact("config", "https://files.example.com/c.json"), WEIGHTS)),
        job(2, "a.b", Phase.SUCCEEDED, artifacts=(odd,)),
        job(3, "later", Phase.RUNNING),
        job(4, "empty", Phase.SUCCEEDED),
    )


def document(known, **rest):
    return output_document(known, environment="prod", models=None, **rest)


def test_only_good_models_have_outputs_and_the_weights_come_first(known):
    rows = document(known)["models"]
    assert [row["name"] for row in rows] == ["a-b", "a.b", "empty"]
    assert rows[0]["url"] == WEIGHTS.url
    assert rows[0]["trigger"] == "ottr"
    assert rows[2]["url"] is None


def test_as_json_urls_have_no_query(known):
    text = json_text(document(known))
    assert "s3cret" not in text
    assert json.loads(text)["models"][0]["url"] == "https://files.example.com/lora.safetensors?<redacted>"


def test_a_shell_reads_the_variables_back_and_runs_nothing(known, tmp_path):
    script = output_env(document(known)) + 'printf "%s\\n" "$LORA_A_B_URL" "$LORA_A_B_2_URL"'
    done = subprocess.run(["/bin/sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first == WEIGHTS.url
    assert second == "https://files.example.com/'$(touch pwned)::error::x.safetensors?sig=k"
    assert list(tmp_path.iterdir()) == []


def test_a_yaml_parser_reads_the_same_document(known):
    expected = document(known)
    assert YAML(typ="safe").load(output_yaml(expected)) == expected


def test_raw_is_one_line_the_local_file_where_there_is_one(known):
    assert output_raw(document(known, names=["a-b"])) == WEIGHTS.url + "\n"
    local = {"j-01": {WEIGHTS.url: {"path": "artifacts/j-01/lora.safetensors", "sha256": "ab", "size_bytes": 5}}}
    here = document(known, names=["a-b"], local=local)
    assert output_raw(here) == "artifacts/j-01/lora.safetensors\n"
    assert here["models"][0]["sha256"] == "ab"
    assert output_raw(document(known, names=["a.b"])).count("\n") == 1
    assert output_raw(document(known, names=["empty"])) == ""
    assert output_raw(document(known)) == ""
