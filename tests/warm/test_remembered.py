"""A plan that is remembered is the plan that would be made: whatever happens to files and cache, the output is the same to the byte."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.inputs import write_project
from reconciler.cache import witness
from reconciler.cache.folder import MAGIC, MOST_ENTRIES, Folder
from reconciler.cli.run import run
from reconciler.commands import kept, watch
from reconciler.commands.clock import SystemClock
from reconciler.commands.remember import Memory

NOW = "2026-11-24T12:00:00Z"
NOWHERE = {"RECONCILER_CACHE_DIR": os.devnull}
Result = tuple[int, str, str]
Plan = Callable[..., Result]


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bought")
    write_project(folder, 6, 3)
    return folder


@pytest.fixture
def project(bought: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(bought, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Run `plan` in this process at a fixed time."""
    monkeypatch.setattr(SystemClock, "now", lambda _self: NOW)

    def run_here(*words: str, **environment: str) -> Result:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True) for _ in range(2)]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            code = run(["plan", *words], {"PATH": os.environ["PATH"]} | environment)
        out, err = (stream.buffer.getvalue().decode("utf-8") for stream in streams)  # type: ignore[attr-defined]
        return code, out, err

    return run_here


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one whenever a plan is made and not recalled."""
    seen: list[str] = []
    begin = Memory.begin
    monkeypatch.setattr(Memory, "begin", lambda self, project: (seen.append("made"), begin(self, project))[1])
    return seen


def entries(project: Path, kind: str = "plan") -> list[Path]:
    return sorted((project / ".reconciler").glob(f"{kind}-*.cache"))


@pytest.mark.parametrize("words", [(), ("-json",), ("-json", "-target=model-000001"), ("-detailed-exitcode",), ("-replace=model-000002",)])
def test_a_recalled_plan_is_the_same_to_the_byte(project: Path, plan: Plan, made: list[str], words: tuple[str, ...]) -> None:
    without = plan("-emulate", *words, **NOWHERE)
    cold, warm = plan("-emulate", *words), plan("-emulate", *words)
    assert cold == warm == without
    assert len(made) == 2
    assert len(entries(project)) == 1


def test_a_plan_with_changes_and_warnings_is_recalled_with_them(project: Path, plan: Plan, made: list[str]) -> None:
    text = (project / "models/part-00000.yaml").read_text().replace("steps: 1000", "steps: 50").replace("team: team-1", "team: other")
    (project / "models/part-00000.yaml").write_text(text)
    with (project / "reconciler.yaml").open("a") as file:
        file.write("budget:\n  per_month: {limit: 100, warn_at: 0.01, timezone: Europe/Berlin}\nguards: {require_dataset_digest: warn}\n")
    for words in ((), ("-json",), ("-compact-warnings",)):
        without = plan("-emulate", *words, **NOWHERE)
        assert plan("-emulate", *words) == plan("-emulate", *words) == without
        assert "model-000000" in without[1]
    assert len(made) == 5


def test_a_saved_plan_from_memory_is_the_plan_that_would_have_been_saved(project: Path, plan: Plan) -> None:
    plan("-emulate", "-replace=model-000003", "-out=cold.json")
    plan("-emulate", "-replace=model-000003", "-out=warm.json")
    assert (project / "cold.json").read_bytes() == (project / "warm.json").read_bytes()


EVENTS = (
    "edit", "restore", "comment", "touch", "add", "drop", "defaults", "undefaults", "budget", "pause", "unpause", "lose state", "tamper journal",
    "heal journal", "tamper state", "heal state", "delete cache", "flip", "cut", "empty", "loosen", "swap",
)  # fmt: skip


def happen(project: Path, original: Path, event: str, number: int) -> None:  # noqa: C901, PLR0912 (one case an event)
    manifest, journal, state = (project / name for name in ("models/part-00001.yaml", "state/purchases.jsonl", "state/reconciler.db"))
    caches = [*entries(project), *entries(project, "manifests")]
    match event:
        case "edit":
            manifest.write_text(manifest.read_text().replace("1200", f"{1100 + number % 5}"))
        case "restore":
            shutil.copy2(original / "models/part-00001.yaml", manifest)
        case "comment":
            manifest.write_text(manifest.read_text() + f"# {number}\n")
        case "touch":
            os.utime(manifest, ns=(1_700_000_000_000_000_000 + number, 1_700_000_000_000_000_000 + number))
        case "add":
            (project / f"models/extra-{number % 3}.yaml").write_text(
                f"version: 1\nmodels:\n  extra-{number % 3}: {{dataset: 'https://a.example.com/{number % 2}.zip'}}\n"
            )
        case "drop":
            for extra in list((project / "models").glob("extra-*"))[:1]:
                extra.unlink()
        case "defaults":
            (project / "models/_defaults.yaml").write_text(
                f"version: 1\ndefaults: {{description: d{number % 2}, lora_rank: 16}}\n" if number % 3 else "version: [\n"
            )
        case "undefaults":
            (project / "models/_defaults.yaml").unlink(missing_ok=True)
        case "budget":
            (project / "reconciler.yaml").write_text((original / "reconciler.yaml").read_text() + f"budget: {{per_month: {{limit: {number % 4 * 10 + 1}}}}}\n")
        case "pause":
            (project / "state/paused").write_text(f"because {number % 2}")
        case "unpause":
            (project / "state/paused").unlink(missing_ok=True)
        case "lose state":
            state.unlink(missing_ok=True)
        case "tamper journal" | "tamper state":
            victim = journal if event == "tamper journal" else state
            if victim.exists():
                data = bytearray(victim.read_bytes())
                data[number * 7919 % len(data)] ^= 1 << number % 8
                before = victim.stat()
                victim.write_bytes(data)
                os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
        case "heal journal":
            shutil.copy2(original / "state/purchases.jsonl", journal)
        case "heal state":
            shutil.copy2(original / "state/reconciler.db", state)
        case "delete cache":
            shutil.rmtree(project / ".reconciler", ignore_errors=True)
        case "flip":
            for cache in caches[number % 2 :][:1]:
                data = bytearray(cache.read_bytes())
                data[number * 6151 % len(data)] ^= 1 << number % 8
                cache.write_bytes(data)
        case "cut":
            for cache in caches[number % 2 :][:1]:
                cache.write_bytes(cache.read_bytes()[: number % 400])
        case "empty":
            for cache in caches:
                cache.write_bytes(b"")
        case "loosen":
            for cache in caches:
                cache.chmod(0o644)
        case "swap":
            if len(caches) > 1:
                caches[0].replace(caches[1])


@pytest.mark.parametrize("racy", [0, witness.RACY_NANOSECONDS])
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(happenings=st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 9999), st.sampled_from([(), ("-json",)])), min_size=4, max_size=14))
def test_whatever_happens_the_output_is_that_without_a_cache(
    bought: Path, tmp_path_factory: pytest.TempPathFactory, racy: int, happenings: list[tuple[str, int, tuple[str, ...]]]
) -> None:
    project = tmp_path_factory.mktemp("project") / "p"
    shutil.copytree(bought, project)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.setattr(witness, "RACY_NANOSECONDS", racy)
        plan = plan_in(patch)
        for event, number, words in happenings:
            happen(project, bought, event, number)
            expected = plan(*words, **NOWHERE)
            assert plan(*words) == expected, event
            assert plan(*words) == expected, event


def plan_in(patch: pytest.MonkeyPatch) -> Plan:
    return plan.__wrapped__(patch)  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("victim", ["state/purchases.jsonl", "state/reconciler.db"])
@pytest.mark.parametrize("restores_times", [False, True])
def test_a_tampered_journal_or_state_is_an_error_although_the_plan_is_remembered(
    project: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch, victim: str, restores_times: bool
) -> None:
    monkeypatch.setattr(witness, "RACY_NANOSECONDS", 0)
    assert plan()[0] == plan()[0] == 0
    path = project / victim
    data = path.read_bytes()
    at = data.index(b"job-00000003") + 11
    before = path.stat()
    path.write_bytes(data[:at] + b"9" + data[at + 1 :])
    if restores_times:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    code, _, err = plan()
    assert code == 1
    assert "altered" in err or "does not fit" in err or "lacks" in err or "behind" in err


def test_a_journal_that_is_gone_is_an_error_although_the_plan_is_remembered(project: Path, plan: Plan) -> None:
    assert plan()[0] == 0
    (project / "state/purchases.jsonl").unlink()
    assert plan()[0] == 1


def test_in_a_fresh_checkout_content_is_enough(project: Path, plan: Plan, made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a cache folder of this machine, which checkouts share."""
    shared = {"RECONCILER_CACHE_DIR": str(tmp_path / "cache")}
    first = plan(**shared)
    other = tmp_path / "elsewhere"
    shutil.copytree(project, other)
    for path in other.rglob("*.yaml"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    monkeypatch.chdir(other)
    assert plan(**shared) == first
    assert len(made) == 1


def test_a_cache_that_a_repository_brings_along_is_not_believed(
    project: Path, plan: Plan, made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever opens a pull request must not decide what the plan says of it, even where a checkout makes files 0600."""
    first = plan()
    other = tmp_path / "elsewhere"
    shutil.copytree(project, other)
    assert entries(other)
    monkeypatch.chdir(other)
    assert plan() == first
    assert len(made) == 2


def test_looks_alone_decide_once_files_have_rested(project: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "RACY_NANOSECONDS", 0)
    hashed: list[int] = []
    recall = Memory.recall
    monkeypatch.setattr(Memory, "recall", lambda self: (recall(self), hashed.append(self.hashed_bytes))[0])
    plan()
    plan()
    assert hashed[1] == (project / "reconciler.yaml").stat().st_size


def test_files_that_were_just_touched_are_read(project: Path, plan: Plan, made: list[str]) -> None:
    """An edit that keeps size, inode and time of change is seen, because young files are never judged by their look."""
    plan()
    document = json.loads(entries(project)[0].read_bytes()[len(MAGIC) + 65 :])
    path = project / "models/part-00000.yaml"
    path.write_text(path.read_text().replace("model number 0", "model number X"))
    status = path.stat()
    row = document["files"]["models/part-00000.yaml"]
    row[0] = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
    Folder(project / ".reconciler").put(entries(project)[0].stem, json.dumps(document).encode())
    assert "model number X" in plan("-json")[1]
    assert "1 to update" in plan()[1]


def test_another_day_is_planned_anew(project: Path, plan: Plan, made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plan()
    monkeypatch.setattr(SystemClock, "now", lambda _self: "2026-11-25T00:00:00Z")
    plan()
    monkeypatch.setattr(SystemClock, "now", lambda _self: "2026-11-25T23:59:59Z")
    plan()
    assert len(made) == 2


def test_waiting_models_are_never_remembered(tmp_path: Path, plan: Plan, made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(tmp_path / "p", 2, 1, pending=True)
    monkeypatch.chdir(tmp_path / "p")
    assert "queued for" in plan()[1]
    plan()
    assert len(made) == 2
    assert not entries(tmp_path / "p")


@pytest.mark.parametrize("setting", [{"RECONCILER_ENDPOINT": "https://other.example.com"}, {"RECONCILER_VAR_x": "1"}])
def test_settings_are_part_of_the_question(project: Path, plan: Plan, setting: dict[str, str]) -> None:
    assert plan("-json") != plan("-json", **setting)
    assert plan("-json", **setting) == plan("-json", **setting, **NOWHERE)


def test_another_program_is_another_question(project: Path, plan: Plan, made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan()
    copy = tmp_path / "program"
    shutil.copytree(kept.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for owner in (kept, watch):
        monkeypatch.setattr(owner, "PACKAGE", copy)
    plan()
    assert len(made) == 1
    with (copy / "plan/make.py").open("a") as file:
        file.write("#\n")
    plan()
    assert len(made) == 2


def test_a_link_among_the_manifests_is_never_remembered(project: Path, plan: Plan, made: list[str]) -> None:
    (project / "models").rename(project / "real")
    (project / "models").symlink_to("real")
    plan()
    plan()
    assert len(made) == 2


def test_a_cache_as_a_checkout_would_make_it_is_not_believed(project: Path, plan: Plan, made: list[str]) -> None:
    plan()
    entries(project)[0].chmod(0o644)
    plan()
    assert len(made) == 2
    assert stat.S_IMODE(entries(project)[0].stat().st_mode) == 0o600


def test_plan_writes_into_the_cache_folder_and_nowhere_else(project: Path, plan: Plan) -> None:
    before = {p: p.read_bytes() for p in project.rglob("*") if p.is_file()}
    plan()
    after = {p: p.read_bytes() for p in project.rglob("*") if p.is_file() and ".reconciler" not in p.parts}
    assert after == before


@pytest.mark.parametrize("blocked", ["a file", "a folder of nobody"])
def test_a_cache_that_cannot_be_written_is_silent(project: Path, plan: Plan, blocked: str) -> None:
    expected = plan(**NOWHERE)
    if blocked == "a file":
        (project / ".reconciler").write_text("")
    else:
        (project / ".reconciler").symlink_to("/nonexistent/nowhere")
    assert plan() == plan() == expected


def test_the_folder_is_bounded(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "cache")
    for number in range(MOST_ENTRIES + 20):
        assert folder.put(f"plan-{number}", b"x" * number)
    assert len(list((tmp_path / "cache").glob("*.cache"))) == MOST_ENTRIES
    assert folder.get(f"plan-{MOST_ENTRIES + 19}") == b"x" * (MOST_ENTRIES + 19)


def test_writers_at_the_same_time_leave_whole_entries(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "cache")
    payloads = [bytes([65 + n]) * 20_000 for n in range(6)]

    def write(payload: bytes) -> None:
        for _ in range(30):
            folder.put("plan-1", payload)
            assert folder.get("plan-1") in payloads

    threads = [threading.Thread(target=write, args=(payload,)) for payload in payloads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folder.get("plan-1") in payloads
    assert [p.name for p in (tmp_path / "cache").iterdir() if p.name.endswith(".new")] == []


def test_a_warm_plan_imports_no_parser_no_database_and_no_client(project: Path) -> None:
    """Counted in modules, not in seconds."""
    script = "import sys\nfrom reconciler.cli.run import run\ncode = run(['plan'])\nprint(*sorted(sys.modules), file=sys.stderr)\nsys.exit(code)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=True)
    modules = set(done.stderr.split())
    heavy = {"httpx", "rich", "sqlite_utils", "sqlite3", "pydantic", "asyncio", "jinja2", "ruamel.yaml", "_ruamel_yaml", "ssl", "zoneinfo", "reconciler.state"}
    assert not heavy & modules
    assert not {m for m in modules if m.startswith(("reconciler.store", "reconciler.journal", "reconciler.engine", "reconciler.pixazo"))}
