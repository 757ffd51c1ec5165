"""What manifests mean: names, numbers, datasets, defaults, environments, variables, sweeps, acts."""

from __future__ import annotations

import os
import socket
from decimal import Decimal
from pathlib import Path

import pytest

from reconciler.diagnostics import Place
from reconciler.manifest.load import Loaded, load, load_catalog, load_project
from reconciler.model import DEFAULT_ENVIRONMENT, Catalog, Model
from reconciler.project import Project
from reconciler.trainer import Parameter, Trainer

HEAD = "version: 1\nmodels:\n"
URL = "https://d.example.com/a.zip"


def project(root: Path, text: str = "version: 1\n", **files: str) -> Path:
    (root / "models").mkdir(exist_ok=True)
    (root / "reconciler.yaml").write_text(text)
    for name, content in files.items():
        (root / "models" / f"{name}.yaml").write_text(content)
    return root


def run(root: Path, environment: str = DEFAULT_ENVIRONMENT, **given: str) -> Loaded:
    return load(root, environment=environment, variables={name: (value, "-var") for name, value in given.items()})


def catalog(root: Path, environment: str = DEFAULT_ENVIRONMENT, **given: str) -> Catalog:
    loaded = run(root, environment, **given)
    assert loaded.catalog is not None, loaded.diagnostics
    return loaded.catalog


def model(tmp_path: Path, body: str, **more: str) -> Model:
    return catalog(project(tmp_path, a=f"{HEAD}  otter:\n{body}", **more)).models["otter"]


def codes(loaded: Loaded) -> list[str]:
    return [d.code for d in loaded.diagnostics]


def test_left_out_parameters_become_the_trainers_defaults(tmp_path: Path) -> None:
    assert dict(model(tmp_path, f"    dataset: {URL}\n").spec.parameters) == {"steps": 1000, "learning_rate": 5e-5}


@pytest.mark.parametrize("spelling", ["3e-5", "0.00003", "3.0E-05", "+3e-5", "0.00003000"])
def test_equal_numbers_have_equal_specs(tmp_path: Path, spelling: str) -> None:
    written = model(tmp_path, f"    dataset: {URL}\n    steps: 1500.0\n    learning_rate: {spelling}\n")
    plain = model(tmp_path, f"    dataset: {URL}\n    steps: 1500\n    learning_rate: 3e-05\n")
    assert written.spec == plain.spec
    assert isinstance(dict(written.spec.parameters)["steps"], int)


def test_a_whole_number_given_for_a_fraction_is_the_same_as_a_fraction(tmp_path: Path) -> None:
    one = model(tmp_path, f"    dataset: {URL}\n    learning_rate: 1\n")
    other = model(tmp_path, f"    dataset: {URL}\n    learning_rate: 1.0\n")
    assert one.spec.digest == other.spec.digest


def test_a_trainers_whole_default_is_the_same_as_a_fraction(tmp_path: Path) -> None:
    root = project(tmp_path, a=f"{HEAD}  otter: {{dataset: '{URL}'}}\n")
    digests = set()
    for default in (1, 1.0):
        own = Trainer("own", "api", "/submit", None, "url", (Parameter("rate", "number", default),))
        found, problems = load_catalog(root, Project(trainer="own", trainers={"own": own}), environment=DEFAULT_ENVIRONMENT)
        assert found is not None, problems
        digests.add(found.models["otter"].spec.digest)
    assert len(digests) == 1


@pytest.mark.parametrize(
    "free", ["description: x", "labels: {team: brand}", "trigger: ottr", "lifecycle: {prevent_retrain: true}", "environments: [default]", "# a comment"]
)
def test_what_is_free_to_change_is_not_in_the_spec(tmp_path: Path, free: str) -> None:
    assert model(tmp_path, f"    dataset: {URL}\n    {free}\n").spec == model(tmp_path, f"    dataset: {URL}\n").spec


@pytest.mark.parametrize("paid", ["steps: 1001", "learning_rate: 6e-5", "generation: 2", "lifecycle: {reuse: false}"])
def test_what_is_bought_is_in_the_spec(tmp_path: Path, paid: str) -> None:
    assert model(tmp_path, f"    dataset: {URL}\n    {paid}\n").spec.digest != model(tmp_path, f"    dataset: {URL}\n").spec.digest


SAME = [
    (URL, URL + "?X-Amz-Signature=abc&X-Amz-Expires=60&x-amz-credential=z"),
    (URL, "HTTPS://D.EXAMPLE.COM:443/a.zip"),
    (URL, URL + "?"),
    (URL + "?v=1", URL + "?v=1&sig=abc&se=2026&sp=r&sv=1&st=2&token=t&Expires=1&Signature=s"),
    (URL + "?a=1&b=2", URL + "?b=2&a=1"),
    ("https://d.example.com/%7Ea.zip", "https://d.example.com/~a.zip"),
    ("https://d.example.com/%c3%a9.zip", "https://d.example.com/%C3%A9.zip"),
    ("data:application/zip;base64,QUJD", "data:;base64,QUJD"),
]
OTHER = [
    (URL, URL + "?v=1"),
    (URL + "?v=1", URL + "?v=2"),
    (URL, "https://d.example.com/A.zip"),
    (URL, "https://d.example.com:8443/a.zip"),
    (URL + "?x=1&x=2", URL + "?x=2&x=1"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_a_rotated_signature_is_the_same_data(tmp_path: Path, one: str, other: str) -> None:
    first, second = model(tmp_path, f'    dataset: "{one}"\n'), model(tmp_path, f'    dataset: "{other}"\n')
    assert first.spec == second.spec
    assert second.dataset.url == other, "what is sent is what was written"


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_other_data_is_another_spec(tmp_path: Path, one: str, other: str) -> None:
    assert model(tmp_path, f'    dataset: "{one}"\n').spec != model(tmp_path, f'    dataset: "{other}"\n').spec


def test_a_dataset_is_identified_by_id_then_digest_then_url(tmp_path: Path) -> None:
    sha = "AB" * 32
    by_digest = model(tmp_path, f"    dataset:\n      url: {URL}\n      sha256: {sha}\n      images: 24\n").dataset
    assert (by_digest.identity, by_digest.sha256, by_digest.images) == (f"sha256:{sha.lower()}", sha.lower(), 24)
    assert model(tmp_path, f"    dataset: {{url: {URL}, sha256: {sha}, id: otter-v3}}\n").dataset.identity == "id:otter-v3"
    assert model(tmp_path, f"    dataset: {URL}\n").dataset.identity == f"url:{URL}"


def test_inline_data_is_the_same_as_its_declared_digest(tmp_path: Path) -> None:
    digest = "b5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df78"
    inline = model(tmp_path, "    dataset: data:application/zip;base64,QUJD\n")
    assert inline.dataset.sha256 == digest
    assert inline.spec == model(tmp_path, f"    dataset: {{url: '{URL}', sha256: {digest}}}\n").spec


def test_a_local_folder_is_identified_by_its_digest(tmp_path: Path) -> None:
    project(tmp_path, a=f"{HEAD}  otter:\n    dataset: {{url: '{URL}', path: data}}\n")
    (tmp_path / "data").mkdir()
    loaded, problems = load_catalog(tmp_path, Project(), environment=DEFAULT_ENVIRONMENT, folder_digest=lambda path, _: f"sha256:{path.name}")
    assert loaded is not None, problems
    assert loaded.models["otter"].dataset.identity == "folder:data"
    _, problems = load_catalog(tmp_path, Project(), environment=DEFAULT_ENVIRONMENT)
    assert [d.code for d in problems] == ["E112"]


def test_a_link_to_data_outside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "p").mkdir()
    root = project(tmp_path / "p", a=f"{HEAD}  otter:\n    dataset: {{url: '{URL}', path: data}}\n")
    (root / "data").symlink_to(tmp_path / "outside")
    assert codes(run(root)) == ["E112"]


def test_yaml_1_2_words_are_text(tmp_path: Path) -> None:
    found = model(tmp_path, f"    dataset: {URL}\n    trigger: no\n    description: on\n    labels: {{day: 2024-01-01, at: 12:30, answer: yes}}\n")
    assert (found.trigger, found.description, dict(found.labels)) == ("no", "on", {"day": "2024-01-01", "at": "12:30", "answer": "yes"})


def test_an_unquoted_url_in_a_flow_map_is_read_as_yaml_1_2_says(tmp_path: Path) -> None:
    assert model(tmp_path, f"    dataset: {{url: {URL}, images: 3}}\n").dataset.url == URL


def test_anchors_and_merge_keys_work_and_keep_places(tmp_path: Path) -> None:
    text = f"{HEAD}  base: &base\n    dataset: {URL}\n    steps: 1500\n  otter:\n    <<: *base\n    steps: 2000\n"
    models = catalog(project(tmp_path, a=text)).models
    assert dict(models["otter"].spec.parameters)["steps"] == 2000
    assert models["otter"].fields["dataset"] == Place("models/a.yaml", 4, 14)
    assert models["otter"].fields["steps"] == Place("models/a.yaml", 8, 12)


def test_every_field_has_its_place(tmp_path: Path) -> None:
    found = model(tmp_path, f"    dataset:\n      url: {URL}\n    labels:\n      team: brand\n    generation: 2\n")
    assert found.place == Place("models/a.yaml", 3, 3)
    assert {path: place.line for path, place in found.fields.items()} == {"dataset": 5, "dataset.url": 5, "labels": 7, "labels.team": 7, "generation": 8}


def test_defaults_merge_from_the_outside_in(tmp_path: Path) -> None:
    root = project(tmp_path, "version: 1\ndefaults:\n  steps: 200\n  labels: {a: project, b: project, c: project, d: project}\n")
    (root / "_defaults.yaml").write_text("version: 1\ndefaults: {steps: 300, labels: {b: outer, c: outer, d: outer}}\n")
    (root / "models" / "_defaults.yaml").write_text("version: 1\ndefaults: {steps: 400, labels: {c: inner, d: inner}}\n")
    (root / "models" / "a.yaml").write_text(
        f"version: 1\ndefaults: {{steps: 500, labels: {{d: file}}}}\nmodels:\n  otter: {{dataset: '{URL}', labels: {{e: own}}}}\n  heron: {{dataset: '{URL}', steps: 600}}\n"
    )
    models = catalog(root).models
    assert dict(models["otter"].labels) == {"a": "project", "b": "outer", "c": "inner", "d": "file", "e": "own"}
    assert [dict(models[n].spec.parameters)["steps"] for n in ("otter", "heron")] == [500, 600]
    assert models["otter"].fields["labels.b"].file == "_defaults.yaml"
    assert models["otter"].fields["labels.a"] == Place("reconciler.yaml", 4, 15)


def test_the_same_spec_under_two_names_is_fine(tmp_path: Path) -> None:
    models = catalog(project(tmp_path, a=f"{HEAD}  a: {{dataset: '{URL}'}}\n  b: {{dataset: '{URL}'}}\n")).models
    assert models["a"].spec == models["b"].spec


def test_models_are_by_name_whatever_file_they_are_in(tmp_path: Path) -> None:
    one, two = f"  b: {{dataset: '{URL}'}}\n", f"  a: {{dataset: '{URL}', steps: 1200}}\n"
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    split = catalog(project(tmp_path / "x", k=HEAD + one, a=HEAD + two)).models
    joined = catalog(project(tmp_path / "y", z=HEAD + one + two)).models
    assert list(split) == list(joined) == ["a", "b"]
    assert [m.spec for m in split.values()] == [m.spec for m in joined.values()]


ENVIRONMENTS = "version: 1\nenvironments:\n  dev: {vars: {bucket: 'https://dev.example.com'}}\n  prod: {vars: {bucket: 'https://prod.example.com', only: x}, protected: true}\n"


def test_environments_set_variables_and_limit_models(tmp_path: Path) -> None:
    text = f"{HEAD}  a: {{dataset: '${{var.bucket}}/a.zip'}}\n  b: {{dataset: '${{var.bucket}}/${{var.only}}.zip', environments: [prod]}}\n"
    root = project(tmp_path, ENVIRONMENTS, a=text)
    assert [m.dataset.url for m in catalog(root, "dev").models.values()] == ["https://dev.example.com/a.zip"]
    assert list(catalog(root, "prod").models) == ["a", "b"]
    assert catalog(root, "prod").environment == "prod"
    loaded = run(root, "pord")
    assert (codes(loaded), loaded.diagnostics[0].detail) == (["E120"], "Did you mean prod? Known: dev, prod.")


def test_a_variable_that_is_missing_here_is_an_error_for_models_that_are_here(tmp_path: Path) -> None:
    text = f"{HEAD}  b: {{dataset: '{URL}', environments: [prod], trigger: '${{var.only}}'}}\n  c: {{dataset: '{URL}', trigger: '${{var.only}} ${{var.bucket}}'}}\n"
    loaded = run(project(tmp_path, ENVIRONMENTS, a=text), "dev")
    assert [(d.code, d.place and d.place.line) for d in loaded.diagnostics] == [("E212", 4)]


def test_an_errors_of_a_model_elsewhere_is_reported_too(tmp_path: Path) -> None:
    root = project(
        tmp_path,
        ENVIRONMENTS,
        a=f"{HEAD}  b: {{dataset: '{URL}', environments: [prod], trigger: '${{var.bucket}}', steps: many}}\n  c: {{dataset: '{URL}', trigger: '${{var.only}}'}}\n",
    )
    assert "E102" in codes(run(root, "dev"))


VARIABLES = "variables:\n  n: {type: integer, default: 1500, minimum: 100, maximum: 5000}\n  word: {default: 'w${var.n}'}\n"


def test_a_reference_that_is_the_whole_value_keeps_its_type(tmp_path: Path) -> None:
    found = model(tmp_path, f"    dataset: {URL}\n    steps: ${{var.n}}\n    trigger: a-${{var.word}}-$${{x}}\n{VARIABLES}")
    assert dict(found.spec.parameters)["steps"] == 1500
    assert found.trigger == "a-w1500-${x}"


def test_given_values_win_and_are_typed(tmp_path: Path) -> None:
    root = project(tmp_path, a=f"{HEAD}  otter: {{dataset: '{URL}', steps: '${{var.n}}', trigger: '${{var.word}}'}}\n{VARIABLES}")
    assert dict(catalog(root, n="2000").models["otter"].spec.parameters)["steps"] == 2000
    for bad in ("many", "99", "5001", "1e400", "\x1b"):
        assert codes(run(root, n=bad)) == ["E214"]
    assert codes(run(root, m="1")) == ["E210"]
    loaded = load(root, environment=DEFAULT_ENVIRONMENT, variables={"m": ("1", "RECONCILER_VAR_m")})
    assert codes(loaded) == ["W020"]
    assert loaded.catalog is not None
    assert codes(run(root, word="\u202e")) == ["E214"]


def test_variables_cannot_explode(tmp_path: Path) -> None:
    chain = "".join(f"  v{i}: {{default: '{f'${{var.v{i + 1}}}' * 10}'}}\n" for i in range(30)) + "  v30: {default: xxxxxxxxxx}\n"
    loaded = run(project(tmp_path, a=f"{HEAD}  otter: {{dataset: '{URL}', trigger: '${{var.v0}}'}}\nvariables:\n{chain}"))
    assert set(codes(loaded)) == {"E026"}


SWEEP = f"""{HEAD}  shots:
    dataset: {URL}
    matrix:
      steps: [2000, 1000, 1.5e3]
      learning_rate: [3e-5, 0.00002]
      exclude:
        - {{steps: 2000, learning_rate: 3e-5}}
"""


def test_a_sweep_is_named_by_its_values(tmp_path: Path) -> None:
    models = catalog(project(tmp_path, a=SWEEP)).models
    assert list(models) == [
        f"shots@learning_rate={rate},steps={steps}" for rate, steps in (("2e-05", 1000), ("2e-05", 1500), ("2e-05", 2000), ("3e-05", 1000), ("3e-05", 1500))
    ]
    assert models["shots@learning_rate=2e-05,steps=1500"].fields["steps"] == Place("models/a.yaml", 6, 27)


def test_the_winner_costs_nothing(tmp_path: Path) -> None:
    for extra in ("", "    lifecycle: {reuse: false}\n"):
        models = catalog(project(tmp_path, a=SWEEP + "    winner: {learning_rate: 2e-5, steps: 1500}\n" + extra)).models
        assert models["shots"].spec == models["shots@learning_rate=2e-05,steps=1500"].spec
        assert len(models) == 6


def test_an_instance_does_not_collide_with_a_matrix_that_grows(tmp_path: Path) -> None:
    before = catalog(project(tmp_path, a=SWEEP)).models
    after = catalog(project(tmp_path, a=SWEEP.replace("[2000, 1000, 1.5e3]", "[500, 1.5e3, 1000, 2000]"))).models
    assert {n: m.spec for n, m in before.items()}.items() <= {n: m.spec for n, m in after.items()}.items()


def test_acts_are_read_with_their_places(tmp_path: Path) -> None:
    text = f"""{HEAD}  b: {{dataset: '{URL}'}}
moved: [{{from: a, to: b}}]
removed:
  - {{name: c, reason: over}}
adopt:
  - {{name: d, request_id: r-1, note: by hand}}
resolutions:
  - {{attempt: at-1, outcome: not_submitted, reason: x}}
  - attempt: at-2
    outcome: {{request_id: r-2}}
    reason: y
"""
    found = catalog(project(tmp_path, a=text))
    assert [(m.source, m.target, m.place.line) for m in found.moved] == [("a", "b", 4)]
    assert [(r.name, r.reason, r.place.line) for r in found.removed] == [("c", "over", 6)]
    assert [(a.name, a.request_id, a.note) for a in found.adoptions] == [("d", "r-1", "by hand")]
    assert [(r.attempt, r.request_id, r.place.line) for r in found.resolutions] == [("at-1", None, 10), ("at-2", "r-2", 11)]


PROJECT = """version: 1
required_version: ">=0.1,<2"
trainer: studio-edit
prices:
  - {trainer: studio-edit, from: 2026-01-01, per_step: "0.002", minimum: 4, currency: USD}
budget:
  per_apply: 80.00
  per_month: {limit: 400.00, warn_at: 80%, timezone: Europe/Berlin}
  by_label:
    team: {brand: 200.00}
guards:
  max_trains: 10
  max_retrain_percent: 30
  stop_after_failures: 2
  confirm_over: 50.00
  require_dataset_digest: warn
state: {path: data/s.db, journal: "git:journal/main", lineage: 0f0c7a52-8a8e-4f0e-9d0d-6f0f6d0c7a52}
manifests: [catalog/*.yaml]
environments:
  dev:
  prod: {vars: {bucket: x}, protected: true}
polling: {per_second: 5}
trainers:
  studio-edit:
    api: flux-2-pro-image-to-image-trainer-831
    submit_path: /v1/x-request
    dataset_field: image_data_url
    parameters:
      steps: {type: integer, default: 1000, minimum: 1, maximum: 10000}
      learning_rate: {type: number, default: 1, exclusive_minimum: 0, maximum: 1}
      style: {type: string, default: photo}
"""


def test_the_project_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "reconciler.yaml").write_text(PROJECT)
    found, problems = load_project(tmp_path)
    assert problems == []
    assert found is not None
    assert found.policy.budget.per_apply == Decimal("80.00")
    month = found.policy.budget.per_month
    assert month is not None
    assert (month.limit, month.warn_at, month.timezone) == (Decimal(400).quantize(Decimal("0.01")), 0.8, "Europe/Berlin")
    assert found.policy.places["budget.by_label.team.brand"] == Place("reconciler.yaml", 10, 19)
    assert found.policy.places["guards.max_trains"].line == 12
    assert (found.state_path, found.journal, found.manifests, found.polls_per_second) == ("data/s.db", "git:journal/main", ("catalog/*.yaml",), 5.0)
    assert found.environments["prod"].protected
    assert dict(found.environments["prod"].variables) == {"bucket": "x"}
    quote = found.prices.quote("studio-edit", {"steps": 3000}, day="2026-05-01")
    assert quote is not None
    assert quote.amount == Decimal("6.00")
    assert found.prices.quote("pixazo-flux2-pro", {}, day="2026-05-01") is not None, "list prices of other trainers stay"
    style = found.trainers["studio-edit"].parameter("style")
    assert style is not None
    assert style.default == "photo"
    rate = found.trainers["studio-edit"].parameter("learning_rate")
    assert rate is not None
    assert isinstance(rate.default, float)


def test_a_trainer_of_the_project_brings_its_own_parameters(tmp_path: Path) -> None:
    root = project(
        tmp_path,
        PROJECT.replace("catalog/", "models/").replace("vars: {bucket: x}, ", ""),
        a=f"{HEAD}  a: {{dataset: '{URL}', style: anime}}\n  b: {{trainer: pixazo-flux2-pro, dataset: '{URL}', style: anime}}\n",
    )
    loaded = run(root, "dev")
    assert [(d.code, d.place and d.place.line) for d in loaded.diagnostics] == [("E100", 4)]


# files


def test_only_regular_files_of_the_project_are_opened(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "outside.yaml").write_text(f"{HEAD}  x: {{dataset: '{URL}'}}\n")
    root = project(tmp_path / "p", ok=f"{HEAD}  a: {{dataset: '{URL}'}}\n")
    models = root / "models"
    (models / "dir.yaml").mkdir()
    os.mkfifo(models / "fifo.yaml")
    (models / "leak.yaml").symlink_to(tmp_path / "outside.yaml")
    (models / "leak2.yaml").symlink_to("/etc/passwd")
    (models / "dev.yaml").symlink_to("/dev/zero")
    (models / "gone.yaml").symlink_to("nothing")
    (models / "loop.yaml").symlink_to("loop.yaml")
    (models / "tree").symlink_to(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(models / "sock.yaml") if len(str(models / "sock.yaml")) > 100 else str(models / "sock.yaml"))
        found = {(d.code, d.place.file if d.place else "") for d in run(root).diagnostics}
    assert found == {
        ("E003", "models/dir.yaml"),
        ("E003", "models/fifo.yaml"),
        ("E003", "models/sock.yaml"),
        ("E002", "models/leak.yaml"),
        ("E002", "models/leak2.yaml"),
        ("E002", "models/dev.yaml"),
        ("E001", "models/gone.yaml"),
        ("E001", "models/loop.yaml"),
        ("W002", "models/tree"),
    }


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    root = project(tmp_path)
    with (root / "models" / "big.yaml").open("wb") as file:
        file.truncate(11 * 1024 * 1024)
    assert codes(run(root)) == ["E004"]


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31m", "a\u202eb", os.fsdecode(b"a\xff")])
def test_a_file_name_that_cannot_be_shown_is_refused(tmp_path: Path, name: str) -> None:
    root = project(tmp_path)
    (root / "models" / f"{name}.yaml").write_text("version: 1\n")
    loaded = run(root)
    assert "E009" in codes(loaded)
    for diagnostic in loaded.diagnostics:
        assert f"{diagnostic.place} {diagnostic.summary}".isprintable()


def test_patterns_find_files_in_order_and_hidden_folders_are_left_alone(tmp_path: Path) -> None:
    root = project(tmp_path, "version: 1\nmanifests: ['**/*.yaml', 'models/a.yaml', 'm*/b?.yml']\n", a=f"{HEAD}  a: {{dataset: '{URL}'}}\n")
    (root / ".git").mkdir()
    (root / ".git" / "x.yaml").write_text("rubbish: 'x")
    (root / "models" / "deep" / "er").mkdir(parents=True)
    (root / "models" / "deep" / "er" / "c.yaml").write_text(f"{HEAD}  c: {{dataset: '{URL}'}}\n")
    (root / "models" / "b1.yml").write_text(f"{HEAD}  b: {{dataset: '{URL}'}}\n")
    loaded = run(root)
    assert loaded.catalog is not None, loaded.diagnostics
    assert (list(loaded.catalog.models), loaded.files) == (["a", "b", "c"], 3)


def test_crlf_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    root = project(tmp_path)
    text = f"{HEAD}  otter:\n    dataset: {URL}\n    steps: 1500\n"
    (root / "models" / "a.yaml").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    windows = catalog(root).models["otter"]
    (root / "models" / "a.yaml").write_text(text)
    assert windows == catalog(root).models["otter"]
    assert windows.fields["steps"] == catalog(root).models["otter"].fields["steps"]
