"""`artifacts pull` and `artifacts verify` as a user calls them, against the emulator."""

from __future__ import annotations

import hashlib
import json
import signal
import time

import pytest

from reconciler.emulator.faultfile import parse_faults
from reconciler.emulator.server import Emulator
from tests.growth.inside import Inside
from tests.life.folder import Folder


def files(folder: Folder) -> dict[str, bytes]:
    root = folder.path / "artifacts"
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def faults(emulator: Emulator, *plan: dict) -> None:
    emulator.plan.replace(parse_faults(json.dumps([{"on": "artifact", **fault} for fault in plan])))


def fetched(emulator: Emulator) -> int:
    return emulator.plan.calls()["artifact"]


def test_pull_saves_every_file_once_and_output_tells_where(trained: Folder, emulator: Emulator) -> None:
    """No key is needed; a second pull asks nobody; the state and the journal are not written."""
    before = trained.state_bytes()
    pulled = trained.run("artifacts", "pull", "-json")
    assert pulled.code == 0, pulled
    saved = [event for event in pulled.events if event["type"] == "artifact_saved"]
    assert [(event["name"], event["role"]) for event in saved] == [("heron", "weights"), ("heron", "config"), ("otter", "weights"), ("otter", "config")]
    for event in saved:
        raw = (trained.path / event["path"]).read_bytes()
        assert (event["size_bytes"], event["sha256"]) == (len(raw), hashlib.sha256(raw).hexdigest())
    calls = fetched(emulator)
    again = trained.run("artifacts", "pull")
    assert (again.code, fetched(emulator)) == (0, calls)
    assert "4 here already" in again.err
    row = trained.run("output", "otter").json["models"][0]
    assert row["path"] == saved[2]["path"]
    assert row["sha256"] == saved[2]["sha256"]
    assert row["artifacts"][1]["path"] == saved[3]["path"]
    assert trained.run("output", "otter", "-format=raw").out == saved[2]["path"] + "\n"
    assert trained.state_bytes() == before


def test_verify_reads_what_is_here_again(trained: Folder) -> None:
    """Missing and changed files are told, exit 1; pull brings back what is missing and leaves alone what was changed."""
    assert trained.run("artifacts", "verify").code == 0, "nothing saved is nothing wrong"
    assert trained.run("artifacts", "pull", "otter").code == 0
    whole = trained.run("artifacts", "verify", "-json")
    assert (whole.code, whole.json["valid"], len(whole.json["jobs"]), len(whole.json["not_here"])) == (0, True, 1, 1)
    assert whole.json["jobs"][0]["files"][1]["metadata"]["emulated"] == "true"
    config, weights = (trained.path / file["path"] for file in whole.json["jobs"][0]["files"])
    config.unlink()
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    bad = trained.run("artifacts", "verify")
    assert bad.code == 1
    assert "1 missing, 1 changed" in bad.out
    assert trained.run("artifacts", "pull", "otter").code == 0
    assert config.exists()
    assert weights.read_bytes() == raw
    weights.write_bytes(b"shorter")
    left = trained.run("artifacts", "pull", "otter")
    assert left.code == 1
    assert "left alone" in left.err
    weights.unlink()
    assert trained.run("artifacts", "pull").code == 0
    assert trained.run("artifacts", "verify").code == 0


BAD = {
    "truncated_artifact": "cut off",
    "padded_artifact": "longer than it says",
    "html_artifact": "a web page",
    "pickle_artifact": "no safetensors file",
    "not_found": "no reason to train again",
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_is_refused_by_name_and_the_others_are_saved(trained: Folder, emulator: Emulator, fault: str) -> None:
    """Exit 1, nothing of it under its name, nothing of it run; what is good is here."""
    faults(emulator, {"do": fault, "when": {"call": 1}})
    result = trained.run("artifacts", "pull")
    assert result.code == 1, result
    assert BAD[fault] in result.err
    assert "3 saved" in result.err
    assert "1 not saved" in result.err
    assert sorted(name.rpartition("/")[2] for name in files(trained)) == [
        ".gitignore",
        "artifacts.json",
        "artifacts.json",
        "config.json",
        "config.json",
        "weights.safetensors",
    ]
    assert not (trained.path / "UNPICKLED").exists()
    assert trained.run("artifacts", "pull").code == 0
    assert trained.plan()["cost"]["due"] == "0.00", "a lost copy buys nothing"


def test_a_pull_that_was_killed_goes_on(trained: Folder, emulator: Emulator) -> None:
    """SIGKILL in mid-file: nothing stands under the file's name, and the next pull saves it whole."""
    faults(emulator, {"do": "drip", "seconds": 0.01, "times": 1})
    process = trained.start("artifacts", "pull", "otter")
    until = time.monotonic() + 30
    while not (parts := list((trained.path / "artifacts").glob("*/.weights.part"))) or not parts[0].stat().st_size:
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not list((trained.path / "artifacts").glob("*/weights.safetensors"))
    faults(emulator)
    assert trained.run("artifacts", "pull", "otter").code == 0
    assert trained.run("artifacts", "verify").code == 0
    assert not list((trained.path / "artifacts").glob("*/.weights.part*"))


def test_a_pull_that_was_stopped_keeps_what_it_has(trained: Folder, emulator: Emulator) -> None:
    """Ctrl-C: 130, and the next pull asks for the rest only."""
    faults(emulator, {"do": "drip", "seconds": 0.01, "times": 1})
    process = trained.start("artifacts", "pull", "otter")
    until = time.monotonic() + 30
    while not (parts := list((trained.path / "artifacts").glob("*/.weights.part"))) or not parts[0].stat().st_size:
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    kept = parts[0].stat().st_size
    assert kept > 0
    faults(emulator, {"do": "html_artifact", "when": {"call": 2}})
    assert trained.run("artifacts", "pull", "otter").code == 1
    assert list((trained.path / "artifacts").glob("*/weights.safetensors"))


def test_two_pulls_of_one_job_do_not_meet(trained: Folder, emulator: Emulator) -> None:
    """The second one exits 6 and writes nothing."""
    faults(emulator, {"do": "drip", "seconds": 0.01, "times": 1})
    first = trained.start("artifacts", "pull", "otter")
    until = time.monotonic() + 30
    while not list((trained.path / "artifacts").glob("*/.weights.part")):
        assert time.monotonic() < until
        time.sleep(0.02)
    second = trained.run("artifacts", "pull", "otter")
    first.kill()
    first.communicate()
    assert second.code == 6
    assert "another process downloads" in second.err


def test_names_are_models_or_jobs_and_must_have_files(trained: Folder) -> None:
    job = trained.jobs()[0]
    assert trained.run("artifacts", "pull", job["job"]).code == 0
    unknown = trained.run("artifacts", "pull", "oter")
    assert unknown.code == 1
    assert "otter" in unknown.err
    assert trained.run("artifacts", "pull", "-max-size=1kB", "heron", "otter").code == 1
    assert trained.run("artifacts", "pull", "-max-size=huge").code == 64
    assert trained.run("artifacts", "verify", "-max-size=1GB").code == 64
    assert trained.run("artifacts", "push").code == 64


def test_a_link_in_the_place_of_the_folder_is_not_followed(trained: Folder) -> None:
    outside = trained.path.parent / "outside"
    outside.mkdir()
    (trained.path / "artifacts").symlink_to(outside)
    result = trained.run("artifacts", "pull")
    assert result.code == 1
    assert "links are not followed" in result.err
    assert not list(outside.iterdir())


def test_an_emulated_state_is_pulled_from_the_emulator_inside(tmp_path) -> None:
    """plan, apply, pull, verify: the whole story offline, without a second terminal."""
    folder = Inside.new(tmp_path / "project")
    folder.key = None
    folder.models(otter={"steps": 1000})
    assert folder.apply("-emulate", "-wait=60s", RECONCILER_EMULATE_SPEED="30000").code == 0
    assert folder.run("artifacts", "pull", "-emulate").code == 0
    assert folder.run("artifacts", "verify").code == 0


def test_pull_never_mixes_worlds(trained: Folder) -> None:
    assert trained.run("artifacts", "pull", "-emulate").code == 1
