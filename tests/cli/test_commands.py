"""init, validate, plan, show, status, output, jobs, lock, doctor, schema, version: what they say, write and exit with."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from command_lines import Call, child, snapshot

from reconciler import fact
from reconciler.commands.clock import SystemClock
from reconciler.fact import Draft
from reconciler.job import Artifact, Attempt, Phase, Sent
from reconciler.journal.file import FileJournal
from reconciler.manifest.load import load
from reconciler.ports import Owner
from reconciler.store.sqlite import SqliteStore

AT = "2026-11-20T10:00:00Z"
MODEL = "version: 1\nmodels:\n  otter: {{dataset: 'https://data.example.com/otter.zip', steps: {steps}{more}}}\n"


def declare(steps: int = 1000, more: str = "") -> None:
    for path in Path("models").iterdir():
        path.unlink()
    Path("models/otter.yaml").write_text(MODEL.format(steps=steps, more=more))


def record(*drafts: Draft) -> None:
    """Make facts durable in the project of the current folder."""
    folder = Path("state")
    store = SqliteStore(folder / "reconciler.db", FileJournal(folder / "purchases.jsonl"), now=SystemClock().now)
    with store.hold(Owner(1, "h", "a", "test", AT), wait_seconds=0) as writer:
        for draft in drafts:
            writer.record([draft])


def attempt() -> Attempt:
    """An attempt to buy the model that `declare` declares."""
    catalog = load(Path.cwd(), environment="default").catalog
    assert catalog is not None
    spec = catalog.models["otter"].spec
    return Attempt(
        id="at-1", environment="default", name="otter", trainer=spec.trainer, spec_digest=spec.digest, spec=spec.document(), price=Decimal("8.00"),
        sent_at=AT, endpoint="https://gateway.pixazo.ai", world="live",
    )  # fmt: skip


def buy(phase: Phase | None = None) -> None:
    """Put a bought job into the state, bound to `otter`; settled when a phase is given."""
    sent = attempt()
    bound = fact.binding(AT, environment="default", name="otter", job="j-1", metadata=_metadata(), reason="new_model")
    record(fact.intent(sent), fact.outcome(AT, sent.id, Sent.ACCEPTED, job="j-1", request_id="req-1", http_status=200), bound)
    if phase is not None:
        files = [Artifact("weights", "https://files.example.com/otter.safetensors?X-Amz-Signature=sig")] if phase is Phase.SUCCEEDED else []
        record(fact.settled(AT, "j-1", phase, error="" if files else "captions missing", artifacts=files))


def _metadata() -> dict[str, object]:
    catalog = load(Path.cwd(), environment="default").catalog
    assert catalog is not None
    return catalog.models["otter"].metadata


# init


def test_init_makes_a_project_whose_plan_has_one_model(call: Call, project: Path) -> None:
    names = {
        "reconciler.yaml",
        "models/example.yaml",
        ".gitignore",
        ".gitattributes",
        ".reconciler/project.schema.json",
        ".reconciler/schema.json",
        "state/purchases.jsonl",
        "state/reconciler.db",
        "state/lock",
    }
    assert set(snapshot(project)) == names
    assert Path(".gitattributes").read_text() == "purchases.jsonl merge=union\n"
    assert Path("state").stat().st_mode & 0o777 == 0o700
    assert Path("state/purchases.jsonl").stat().st_mode & 0o777 == 0o600
    assert call("validate").code == 0
    assert "1 to train" in call("plan").out
    loaded = load(project, environment="default")
    assert loaded.project is not None
    assert loaded.project.lineage in Path("state/purchases.jsonl").read_text()


def test_git_keeps_the_journal_and_ignores_the_rest_of_the_state(project: Path) -> None:
    subprocess.run(["git", "init", "-q", "."], check=True, env=child())
    found = subprocess.run(["git", "ls-files", "--others", "--exclude-standard"], check=True, capture_output=True, text=True, env=child()).stdout
    assert set(found.split()) == {".gitattributes", ".gitignore", "models/example.yaml", "reconciler.yaml", "state/purchases.jsonl"}


def test_a_second_init_changes_nothing_and_says_so(call: Call, project: Path) -> None:
    before = {name: data for name, data in snapshot(project).items() if name != "state/lock"}
    result = call("init")
    assert result.code == 0
    assert "initialised already" in result.out
    assert {name: data for name, data in snapshot(project).items() if name != "state/lock"} == before


def test_init_does_not_bring_back_the_example(call: Call, project: Path) -> None:
    Path("models/example.yaml").unlink()
    assert call("init").code == 0
    assert not Path("models/example.yaml").exists()


def test_init_never_starts_a_second_history(call: Call, project: Path) -> None:
    for path in Path("state").iterdir():
        path.unlink()
    before = snapshot(project)
    result = call("init")
    assert result.code == 1
    assert "a second history was not started" in result.err
    assert snapshot(project) == before


def test_init_takes_a_project_file_that_somebody_wrote(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("reconciler.yaml").write_text("version: 1\n")
    Path(".gitignore").write_text("mine\n")
    Path("models").mkdir()
    Path("models/mine.yaml").write_text("version: 1\nmodels: {}\n")
    result = call("init")
    assert result.code == 0
    assert Path("reconciler.yaml").read_text() == "version: 1\n"
    assert Path(".gitignore").read_text() == "mine\n"
    assert not Path("models/example.yaml").exists()
    assert "lineage:" in result.out
    assert "!state/purchases.jsonl" in result.out


def test_init_goes_on_with_a_journal_that_is_there(call: Call, project: Path) -> None:
    journal = Path("state/purchases.jsonl").read_bytes()
    Path("reconciler.yaml").unlink()
    assert call("init").code == 0
    assert Path("state/purchases.jsonl").read_bytes() == journal
    assert call("plan").code == 0


def test_init_makes_the_folder_and_refuses_what_is_none(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("init", "new/project").code == 0
    assert Path("new/project/reconciler.yaml").is_file()
    Path("file").write_text("")
    assert call("init", "file").code == 64


def test_init_does_not_write_through_a_link(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".gitignore").symlink_to(tmp_path / "elsewhere")
    call("init")
    assert not Path("elsewhere").exists()


# validate


def test_validate_reports_every_problem_of_every_file(call: Call, project: Path) -> None:
    Path("models/a.yaml").write_text("version: 1\nmodels:\n  a: {stesp: 1}\n")
    Path("models/b.yaml").write_text("version: 1\nmodels:\n  b: {dataset: 'https://h/a.zip', steps: 0}\n")
    result = call("validate")
    assert result.code == 1
    assert "models/a.yaml:3:" in result.out
    assert "models/b.yaml:3:" in result.out
    document = json.loads(call("validate", "-json").out)
    assert document["valid"] is False
    assert {d["file"] for d in document["diagnostics"]} == {"models/a.yaml", "models/b.yaml"}
    assert document["files"] == 3


def test_validate_needs_no_state(call: Call, project: Path) -> None:
    for path in Path("state").iterdir():
        path.unlink()
    document = json.loads(call("validate", "-json").out)
    assert document == {"format_version": "1.0", "valid": True, "diagnostics": [], "files": 1}


def test_validate_reads_every_environment(call: Call, project: Path) -> None:
    Path("reconciler.yaml").write_text(Path("reconciler.yaml").read_text() + "environments:\n  dev: {vars: {n: x}}\n  prod: {}\n")
    declare(more=", description: '${var.n}'")
    result = call("validate")
    assert result.code == 1
    assert "prod" in result.out
    assert call("validate", "-e=dev").code == 0


@pytest.mark.parametrize("command", ["plan", "validate", "status", "show", "jobs", "output", "lock", "apply", "refresh"])
def test_a_folder_without_a_project_is_an_error_with_the_next_step(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(command)
    assert result.code == 1
    assert "reconciler init" in result.both
    assert list(tmp_path.iterdir()) == []


# plan


def test_the_exit_code_of_plan_says_changes_only_when_asked(call: Call, project: Path) -> None:
    declare()
    assert call("plan").code == 0
    assert call("plan", "-detailed-exitcode").code == 2
    buy()
    assert call("plan", "-detailed-exitcode").code == 0, "a job that trains is no change"
    record(fact.settled(AT, "j-1", Phase.SUCCEEDED, artifacts=[Artifact("weights", "https://f.example.com/x.safetensors")]))
    assert call("plan", "-detailed-exitcode").code == 0
    declare(more=", description: new")
    assert call("plan", "-detailed-exitcode").code == 2
    declare(steps=1200)
    assert call("plan", "-detailed-exitcode").code == 2


def test_a_suspended_model_is_no_change_but_a_failed_one_is(call: Call, project: Path) -> None:
    declare(more=", lifecycle: {suspend: true}")
    assert call("plan", "-detailed-exitcode").code == 0
    declare()
    buy(Phase.FAILED)
    assert call("plan", "-detailed-exitcode").code == 2


def test_a_doubt_is_shown_and_is_a_change_but_no_error(call: Call, project: Path) -> None:
    declare()
    record(fact.intent(attempt()), fact.outcome(AT, "at-1", Sent.IN_DOUBT, evidence="no answer"))
    assert call("plan").code == 0
    assert call("plan", "-detailed-exitcode").code == 2
    assert "in doubt" in call("plan").out


@pytest.mark.parametrize("flags", [[], ["-detailed-exitcode"], ["-json"], ["-json", "-detailed-exitcode", "-out=p.json"]])
def test_a_refused_plan_is_rendered_whole_and_exits_4(call: Call, project: Path, flags: list[str]) -> None:
    text = Path("reconciler.yaml").read_text()
    Path("reconciler.yaml").write_text(text.replace("per_apply: 40.00", "per_apply: 4.00"))
    result = call("plan", *flags)
    assert result.code == 4
    assert "example-otter" in result.out
    assert "budget.per_apply" in result.out


def test_a_selector_without_a_match_is_an_error(call: Call, project: Path) -> None:
    for words in (["-target=example-oter"], ["-exclude=x*"], ["-selector", "team=brnad"], ["-replace=nothing"]):
        assert call("plan", *words).code == 1, words
    assert "example-otter" in call("plan", "-target=example-oter").err
    assert call("plan", "-target=example-*", "-selector=team=brand").code == 0


def test_a_saved_plan_is_shown_as_it_was(call: Call, project: Path) -> None:
    made = call("plan", "-out=p.json", "-json")
    assert Path("p.json").read_text() == made.out
    assert call("show", "p.json", "-json").out == made.out
    assert call("show", "p.json").out.splitlines()[2:] == call("plan").out.splitlines()[2:]
    assert call("plan", "-report", "json=r.json", "-report=json=-").code == 0
    assert json.loads(Path("r.json").read_text())["plan_digest"] == json.loads(made.out)["plan_digest"]


def test_an_edited_plan_is_not_shown(call: Call, project: Path) -> None:
    call("plan", "-out=p.json")
    Path("p.json").write_text(Path("p.json").read_text().replace('"8.00"', '"1.00"'))
    assert call("show", "p.json").code == 5
    for bad in ("", "{}", "[]", "\0", "plan"):
        Path("bad.json").write_text(bad)
        assert call("show", "bad.json").code in (1, 5)
    assert call("show", "missing.json").code == 64
    assert call("show", "models").code == 64


def test_the_plan_file_replaces_what_was_there_and_keeps_it_when_that_fails(call: Call, project: Path) -> None:
    Path("p.json").write_text("old")
    assert call("plan", "-out=p.json").code == 0
    assert Path("p.json").read_text().startswith("{")
    assert call("plan", "-out=no/such/folder/p.json").code == 64
    assert call("plan", "-out=models").code == 64
    assert [p for p in project.iterdir() if p.name.startswith(".p.json")] == []


def test_variables_reach_the_manifests_in_their_order(call: Call, project: Path) -> None:
    Path("models/example.yaml").write_text("version: 1\nvariables: {host: {default: a.example.com}}\nmodels:\n  m: {dataset: 'https://${var.host}/x.zip'}\n")
    Path("v.yaml").write_text("host: c.example.com\n")
    Path("v.json").write_text('{"host": "d.example.com"}')

    def host(*words: str, **environment: str) -> str:
        return str(json.loads(call("show", "-resolved=m", "-json", *words, **environment).out)["fields"][1]["value"]).split("/")[2]

    assert host() == "a.example.com"
    assert host(RECONCILER_VAR_host="b.example.com") == "b.example.com"
    assert host("-var-file=v.yaml", RECONCILER_VAR_host="b.example.com") == "c.example.com"
    assert host("-var-file=v.yaml", "-var-file=v.json") == "d.example.com"
    assert host("-var-file=v.yaml", "-var=host=e.example.com") == "e.example.com"
    Path("v.yaml").write_text("host: {a: 1}\n")
    assert "v.yaml:1:" in call("plan", "-var-file=v.yaml").err


def test_plan_reads_files_only(project: Path) -> None:
    """No network, no key, no lock, no write but into its cache: in a child that may do none of it."""

    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in project.rglob("*") if ".reconciler" not in path.parts}

    def contents() -> dict[str, bytes]:
        return {path: data for path, data in snapshot(project).items() if not path.startswith(".reconciler/")}

    before = times(), contents()
    code = """
import socket, builtins, os, sys, fcntl
def refuse(*a, **k): raise SystemExit("plan did what it must not")
socket.socket.connect = refuse; socket.getaddrinfo = refuse; fcntl.flock = refuse
from reconciler.cli.run import run
code = run(["plan", "-json"])
heavy = [m for m in ("httpx", "rich", "sqlite_utils", "asyncio", "ssl", "pydantic") if m in sys.modules]
heavy += [m for m in sys.modules if m.startswith(("reconciler.engine", "reconciler.emulator.", "reconciler.pixazo."))]
print(heavy, file=sys.stderr)
sys.exit(code)
"""
    environment = {k: v for k, v in child().items() if not k.startswith("PIXAZO") and k != "PYTHONPATH"}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (ended.returncode, ended.stderr) == (0, "[]\n")
    assert (times(), contents()) == before


def test_plan_says_the_same_twice(call: Call, project: Path) -> None:
    first, second = (json.loads(call("plan", "-json").out) for _ in range(2))
    for document in (first, second):
        del document["created_at"], document["document_digest"]
    assert first == second


def test_a_state_of_the_emulator_is_named_before_apply_refuses_it(call: Call, project: Path) -> None:
    declare()
    buy()
    assert "apply refuses" in call("plan", "-emulate").err
    assert call("plan").err == ""


# what is known


def test_status_exits_with_what_somebody_must_look_at(call: Call, project: Path) -> None:
    declare()
    assert call("status").code == 0
    record(fact.intent(attempt()), fact.outcome(AT, "at-1", Sent.IN_DOUBT, evidence="no answer"))
    result = call("status")
    assert result.code == 7
    assert "reconciler resolve otter" in result.out
    document = json.loads(call("status", "-json").out)
    assert document["in_doubt"][0]["attempt"] == "at-1"


@pytest.mark.parametrize(("phase", "code"), [(None, 0), (Phase.SUCCEEDED, 0), (Phase.FAILED, 8), (Phase.LOST, 8)])
def test_status_of_a_job(call: Call, project: Path, phase: Phase | None, code: int) -> None:
    declare()
    buy(phase)
    result = call("status", "otter")
    assert result.code == code
    assert "req-1" in result.out
    assert call("status", "oter").code == 1
    assert "did you mean otter?" in call("status", "oter").err


def test_status_shows_what_was_bought_although_the_manifests_are_broken(call: Call, project: Path) -> None:
    declare()
    buy()
    Path("models/otter.yaml").write_text("models: [\n")
    result = call("status")
    assert result.code == 0
    assert "req-1" in result.out
    assert "reconciler validate" in result.err


def test_output_has_its_four_forms_only_for_models_that_trained_well(call: Call, project: Path) -> None:
    declare()
    buy()
    assert json.loads(call("output").out)["models"] == []
    waiting = call("output", "otter")
    assert waiting.code == 1
    assert "queued" in waiting.err
    record(fact.settled(AT, "j-1", Phase.SUCCEEDED, artifacts=[Artifact("weights", "https://files.example.com/o.safetensors")]))
    url = "https://files.example.com/o.safetensors"
    assert json.loads(call("output", "otter").out)["models"][0]["url"] == url
    assert f"LORA_OTTER_URL='{url}'" in call("output", "-format=env").out
    assert url in call("output", "-format=yaml").out
    assert call("output", "otter", "-format=raw").out == url + "\n"
    assert call("output", "-format=raw").code == 1
    assert call("output", "nothing").code == 1


def test_jobs_are_listed_and_shown_by_either_id(call: Call, project: Path) -> None:
    declare()
    assert json.loads(call("jobs", "-json").out)["jobs"] == []
    buy(Phase.SUCCEEDED)
    (row,) = json.loads(call("jobs", "list", "-json").out)["jobs"]
    assert (row["job"], row["request_id"], row["price"], row["phase"]) == ("j-1", "req-1", "8.00", "succeeded")
    assert "sig" not in call("jobs", "list", "-json").out
    assert call("jobs", "show", "req-1").out == call("jobs", "show", "j-1").out
    assert json.loads(call("jobs", "show", "j-1", "-json").out)["jobs"][0] == row
    assert call("jobs", "show", "j-2").code == 1


def test_show_says_what_the_state_holds(call: Call, project: Path) -> None:
    declare()
    buy(Phase.SUCCEEDED)
    out = call("show").out
    assert "otter" in out
    assert "req-1" in out
    assert "$8.00" in out
    document = json.loads(call("show", "-json").out)
    assert document["kind"] == "state"
    assert document["bindings"][0]["name"] == "otter"
    assert "sig" not in out + json.dumps(document)


def test_a_resolved_model_names_the_place_of_every_value(call: Call, project: Path) -> None:
    declare()
    rows = {row["path"]: row for row in json.loads(call("show", "-resolved=otter", "-json").out)["fields"]}
    assert (rows["steps"]["value"], rows["steps"]["file"], rows["steps"]["line"]) == (1000, "models/otter.yaml", 3)
    assert rows["learning_rate"]["file"] is None
    assert "did you mean otter" in call("show", "-resolved=oter").err


def test_lock_status_names_the_holder_without_taking_the_lock(call: Call, project: Path) -> None:
    assert json.loads(call("lock", "status", "-json").out)["locked"] is False
    store = SqliteStore(Path("state/reconciler.db"), FileJournal(Path("state/purchases.jsonl")), now=SystemClock().now)
    with store.hold(Owner(4711, "host", "somebody", "apply", AT), wait_seconds=0):
        document = json.loads(call("lock", "-json").out)
        assert document["locked"] is True
        assert document["holder"]["pid"] == 4711
        assert "somebody" in call("lock").out
        assert call("plan").code == 0
        assert call("status").code == 0


# memory that cannot be trusted


def without_cache(project: Path) -> dict[str, bytes]:
    return {path: raw for path, raw in snapshot(project).items() if not path.startswith(".reconciler/")}


@pytest.mark.parametrize("command", ["plan", "status", "show", "jobs", "output", "doctor"])
def test_missing_memory_is_an_error_everywhere(call: Call, project: Path, command: str) -> None:
    Path("state/purchases.jsonl").unlink()
    before = without_cache(project)
    assert call(command).code == 1
    assert without_cache(project) == before


def test_a_state_that_is_gone_is_folded_from_the_journal_and_says_so(call: Call, project: Path) -> None:
    declare()
    buy()
    Path("state/reconciler.db").unlink()
    result = call("plan")
    assert result.code == 0
    assert "Note: " in result.err
    assert not Path("state/reconciler.db").exists()


def test_a_journal_of_another_kind_is_refused(call: Call, project: Path) -> None:
    text = Path("reconciler.yaml").read_text()
    Path("reconciler.yaml").write_text(text.replace("  path: state/reconciler.db\n", "  path: state/reconciler.db\n  journal: s3://ledger\n"))
    result = call("plan")
    assert result.code == 1
    assert "s3://ledger" in result.err
    assert "git:BRANCH" in result.err


def test_a_journal_on_a_branch_needs_a_repository(call: Call, project: Path) -> None:
    text = Path("reconciler.yaml").read_text()
    Path("reconciler.yaml").write_text(text.replace("  path: state/reconciler.db\n", "  path: state/reconciler.db\n  journal: git:ledger\n"))
    result = call("refresh")
    assert result.code == 1
    assert "branch ledger" in result.err


# tools


def test_doctor_finds_nothing_wrong_with_a_new_project(call: Call, project: Path) -> None:
    result = call("doctor", PIXAZO_API_KEY="hunter2hunter2")
    assert result.code == 0
    assert "PIXAZO_API_KEY" in result.out
    assert "hunter2" not in result.both
    document = json.loads(call("doctor", "-json").out)
    assert document["ok"] is True
    assert {c["check"] for c in document["checks"]} >= {"program", "sqlite", "key", "manifests", "state folder", "journal", "lock"}


@pytest.mark.parametrize("key", ["hunter2 hunter2", "hunter2hunter2\nx", "short", "hünter2hünter2"])
def test_doctor_judges_a_key_without_showing_it(call: Call, project: Path, key: str) -> None:
    result = call("doctor", PIXAZO_API_KEY=key)
    assert result.code == 1
    assert key not in result.both
    assert "hunter2" not in result.both


def test_doctor_names_doubts_bad_permissions_and_broken_manifests(call: Call, project: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("hunter2hunter2\n")
    key.chmod(0o644)
    declare()
    record(fact.intent(attempt()), fact.outcome(AT, "at-1", Sent.IN_DOUBT, evidence="no answer"))
    Path("models/b.yaml").write_text("models: [\n")
    result = call("doctor", RECONCILER_API_KEY_FILE=str(key), RECONCILER_LOGG="x")
    assert result.code == 1
    for word in ("resolve otter", "0644", "reconciler validate", "RECONCILER_LOGG"):
        assert word in result.out.replace("\n", " ")
    key.unlink()


@pytest.mark.parametrize("kind", ["manifest", "project", "plan", "events"])
def test_every_schema_is_json_schema(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    document = json.loads(call("schema", kind).out)
    assert document["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert document["type"] == "object"


def test_the_schema_of_manifests_knows_the_trainers_of_the_project_it_is_asked_in(call: Call, project: Path, tmp_path: Path) -> None:
    """And those of `-chdir`; elsewhere it knows the built-in ones. `init` writes the same for editors."""
    text = (project / "reconciler.yaml").read_text()
    parameters = "{steps: {type: integer, default: 1000, minimum: 1, maximum: 9000}, warmth: {type: number, default: 5e-5, exclusive_minimum: 0, maximum: 1}}"
    own = f"trainers:\n  studio:\n    api: x-edit\n    submit_path: /v1/x\n    result_path: /v1/x-result\n    dataset_field: u\n    parameters: {parameters}\n"
    (project / "reconciler.yaml").write_text(text + own)
    known = json.loads(call("schema", "manifest").out)["definitions"]["model"]["properties"]
    assert known["warmth"]["examples"] == [5e-5]
    assert {"steps", "learning_rate"} <= set(known), "the built-in one too"
    (project / ".reconciler" / "schema.json").unlink(missing_ok=True)
    assert call("init").code == 0
    assert json.loads((project / ".reconciler" / "schema.json").read_text())["definitions"]["model"]["properties"] == known
    (project / "reconciler.yaml").write_text("nonsense")
    assert call("schema", "manifest").code == 1
    assert call("schema", "plan").code == 0
    (tmp_path / "empty").mkdir()
    assert "warmth" not in call("schema", "manifest", f"-chdir={tmp_path / 'empty'}").out


def test_the_plan_schema_names_every_key_of_a_plan(call: Call, project: Path) -> None:
    schema = json.loads(call("schema", "plan").out)
    document = json.loads(call("plan", "-json").out)
    assert set(schema["required"]) <= document.keys()
    change = schema["properties"]["changes"]["items"]
    assert set(change["required"]) <= document["changes"][0].keys()
    assert set(schema["properties"]["cost"]["required"]) <= document["cost"].keys()
    assert set(schema["properties"]["budgets"]["items"]["required"]) <= document["budgets"][0].keys()
    assert set(schema["properties"]["summary"]["required"]) == document["summary"].keys()


def test_version_needs_nothing(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    document = json.loads(call("version", "-json").out)
    assert document["format_version"] == "1.0"
    assert document["version"] in call("version").out
    assert call("-version").out == f"reconciler {document['version']}\n"


def test_the_emulator_serves_until_it_is_stopped(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "emulator", "-port=0", "-speed=250"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child(),
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"http://127.0.0.1:")
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def test_plan_apply_status_output_on_the_emulator(call: Call, project: Path) -> None:
    """The whole way of a model, through the command line."""
    fast = {"RECONCILER_EMULATE_SPEED": "1000000"}
    assert call("plan", "-emulate", "-out=p.json").code == 0
    applied = call("apply", "p.json", "-emulate", "-wait=30s", "-report=json=applied.json", **fast)
    assert applied.code == 0, applied.err
    assert json.loads(Path("applied.json").read_text())["spend_digest"] == json.loads(Path("p.json").read_text())["spend_digest"]
    assert call("refresh", "-emulate", "-report=json=status.json").code == 0
    assert json.loads(Path("status.json").read_text())["models"][0]["phase"] == "succeeded"
    assert call("apply", "-emulate", "-auto-approve", "-report=json=no/such/folder").code == 1
    assert call("apply", "-emulate", "-auto-approve", "-report=jsn=x").code == 64
    assert call("plan", "-emulate", "-detailed-exitcode").code == 0
    assert call("status", "-emulate").code == 0
    assert call("output", "example-otter", "-format=raw").out.startswith("http")
    assert json.loads(call("show", "-json").out)["world"] == "emulated"


def test_a_watched_status_ends_cleanly_with_ctrl_c(project: Path) -> None:
    process = subprocess.Popen([sys.executable, "-m", "reconciler", "status", "-watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=child())
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"Environment default")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 130
        assert b"Traceback" not in said
    finally:
        process.kill()
