"""Data without a URL, from the manifest to the trainer: what is bought, what is sent, and what happens when somebody changes them meanwhile."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator import request
from reconciler.emulator.faults import Fault
from reconciler.emulator.server import Emulator
from reconciler.trainer import BUILT_IN
from tests.growth.inside import Inside
from tests.life.folder import Folder
from tests.life.test_stop import wait_for_charges

from .pictures import good, zipped


@dataclass
class Seen:
    """What the trainer was sent; `meanwhile` runs when a body has arrived and is not answered yet."""

    bodies: list[bytes] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None

    def files(self, number: int = -1) -> dict[str, bytes]:
        """The files in the zip that came with a body."""
        url = json.loads(self.bodies[number])["image_data_url"]
        head, _, data = url.partition(",")
        assert head == "data:application/zip;base64"
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(data, validate=True))) as archive:
            return {entry.filename: archive.read(entry) for entry in archive.infolist()}


@pytest.fixture
def trainer(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(books=tmp_path / "books.db", trainers=BUILT_IN, speed=1e6) as emulator:
        yield emulator


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    found, understood = Seen(), request.understood

    def look(trainer: Any, body: bytes) -> Any:
        found.bodies.append(body)
        found.meanwhile()
        return understood(trainer, body)

    monkeypatch.setattr(request, "understood", look)
    return found


@pytest.fixture
def folder(tmp_path: Path, trainer: Emulator) -> Folder:
    made = Inside.new(tmp_path / "project", trainer.url)
    for name in ("otter", "heron"):
        put(made, name, {f"{name}-{file}": data for file, data in good().items()})
    return made


def put(folder: Folder, name: str, files: dict[str, bytes]) -> None:
    place = folder.path / "sets" / name
    place.mkdir(parents=True, exist_ok=True)
    for file, data in files.items():
        (place / file).write_bytes(data)


def touch(folder: Folder, name: str) -> None:
    (folder.path / "sets" / name / "more.txt").write_bytes(b"another caption")


def test_a_folder_is_trained_kept_and_retrained_by_its_content(folder: Folder, trainer: Emulator, seen: Seen) -> None:
    """A second plan has no changes, a renamed folder costs nothing, another caption is a training with its price."""
    folder.models(otter={"dataset": "./sets/otter"})
    (folder.path / "sets" / "otter" / ".DS_Store").write_bytes(b"junk")
    done = folder.apply("-wait=60s")
    assert done.code == 0, done
    assert seen.files() == {f"otter-{name}": data for name, data in good().items()}
    assert folder.plan()["changes"] == []
    (folder.path / "sets" / "otter").rename(folder.path / "sets" / "lutra")
    folder.models(otter={"dataset": {"path": "sets/lutra"}})
    assert folder.plan()["changes"] == []
    assert folder.apply("-wait=60s").code == 0
    assert len(trainer.books.charges()) == 1
    (folder.path / "sets" / "lutra" / "otter-img00.txt").write_bytes(b"another caption")
    change = folder.plan()["changes"][0]
    assert (change["action"], change["cost"], change["reason"]) == ("retrain", "8.00", "dataset_changed")
    assert [f["path"] for f in change["fields"]] == ["dataset"]
    assert folder.apply("-wait=60s").code == 0
    assert seen.files()["otter-img00.txt"] == b"another caption"
    assert len(trainer.books.charges()) == 2


def test_a_zip_is_sent_as_it_is_and_a_url_beside_it_later_costs_nothing(folder: Folder, trainer: Emulator, seen: Seen) -> None:
    raw = zipped(good())
    (folder.path / "sets" / "otter.zip").write_bytes(raw)
    folder.models(otter={"dataset": "sets/otter.zip"})
    assert folder.apply("-wait=60s").code == 0
    assert json.loads(seen.bodies[0])["image_data_url"].partition(",")[2] == base64.b64encode(raw).decode()
    digest = hashlib.sha256(raw).hexdigest()
    for dataset in (
        {"path": "sets/otter.zip", "sha256": digest},
        {"path": "sets/otter.zip", "url": "https://data.example.com/otter.zip"},
        {"url": "https://data.example.com/otter.zip", "sha256": digest},
    ):
        folder.models(otter={"dataset": dataset})
        assert folder.plan()["changes"] == [], dataset
    assert len(trainer.books.charges()) == 1


def test_nothing_of_the_data_stays_in_journal_state_or_output(folder: Folder, seen: Seen) -> None:
    """The intent has the sha256 of the very bytes, and the body without what they carried."""
    folder.models(otter={"dataset": "./sets/otter"})
    done = folder.apply("-json")
    assert done.code == 0, done
    data = json.loads(seen.bodies[0])["image_data_url"].partition(",")[2]
    samples = [data[at : at + 64].encode() for at in range(0, len(data) - 64, 997)]
    kept = b"".join(folder.state_bytes().values()) + done.text.encode() + folder.run("jobs", "show", folder.jobs()[0]["job"], "-json").out.encode()
    assert not any(sample in kept for sample in samples)
    facts = [json.loads(line) for line in (folder.path / "state" / "purchases.jsonl").read_text().splitlines()]
    intent = next(fact["data"] for fact in facts if fact["kind"] == "intent")
    assert intent["body_sha256"] == "sha256:" + hashlib.sha256(seen.bodies[0]).hexdigest()
    assert "data:…(" in intent["body"]


def test_a_saved_plan_is_not_applied_to_other_data(folder: Folder, seen: Seen) -> None:
    folder.models(otter={"dataset": "./sets/otter"}, heron={"dataset": "./sets/heron"})
    assert folder.run("plan", "-out=p.json").code == 0
    touch(folder, "otter")
    before = folder.state_bytes()
    done = folder.run("apply", "p.json")
    assert done.code == 5, done
    assert "otter" in done.err
    assert seen.bodies == []
    assert folder.state_bytes() == before
    (folder.path / "sets" / "otter" / "more.txt").unlink()
    assert folder.run("apply", "p.json").code == 0
    assert len(seen.bodies) == 2


def test_data_that_change_before_they_are_sent_are_not_sent(folder: Folder, trainer: Emulator, seen: Seen) -> None:
    """Refused at no cost for this model alone; the run says so, and the next one plans what is there now."""
    folder.models(heron={"dataset": "./sets/heron"}, otter={"dataset": "./sets/otter"}, stork={})
    seen.meanwhile = lambda: touch(folder, "otter")
    done = folder.apply("-parallelism=1")
    assert done.code == 1, done
    assert "the data at ./sets/otter are not what was planned any more; nothing was sent" in done.err
    assert "heron-img00.png" in seen.files(0)
    assert [b"data:" in body for body in seen.bodies] == [True, False]
    assert len(trainer.books.charges()) == 2
    assert "1 not bought" in done.err
    facts = [json.loads(line) for line in (folder.path / "state" / "purchases.jsonl").read_text().splitlines()]
    assert [fact["data"]["name"] for fact in facts if fact["kind"] == "intent"] == ["heron", "stork"]
    seen.meanwhile = lambda: None
    assert folder.actions()["otter"] == "train"
    assert folder.apply("-wait=60s").code == 0
    assert seen.files()["more.txt"] == b"another caption"
    assert len(trainer.books.charges()) == 3


@pytest.mark.parametrize("change", ["another file", "gone", "too large"])
def test_an_apply_that_could_send_nothing_for_that_reason_alone_is_stale(folder: Folder, seen: Seen, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 5, as with every plan that is not what was approved; no request and no intent."""
    from reconciler.commands import apply

    planned = apply.refuse

    def spoil(plan: Any) -> None:
        planned(plan)
        match change:
            case "another file":
                touch(folder, "otter")
            case "gone":
                shutil.rmtree(folder.path / "sets" / "otter")
            case _:
                put(folder, "otter", {"big.png": b"\0" * 8_000_000})

    monkeypatch.setattr(apply, "refuse", spoil)
    folder.models(otter={"dataset": "./sets/otter"})
    before = (folder.path / "state" / "purchases.jsonl").read_bytes()
    done = folder.apply("-json")
    assert done.code == 5, done
    assert [(e["code"], e["name"]) for e in done.events if e["type"] == "diagnostic"] == [("plan_changed", "otter")]
    assert seen.bodies == []
    assert (folder.path / "state" / "purchases.jsonl").read_bytes() == before


def test_data_that_are_too_large_are_an_error_before_anything_is_planned(folder: Folder, seen: Seen) -> None:
    """Known from sizes: the file is sparse and would take long to read. With a URL beside it, it may have any size."""
    big = folder.path / "sets" / "otter" / "big.png"
    with big.open("wb") as file:
        file.truncate(15_000_000_000)
    folder.models(otter={"dataset": "./sets/otter"})
    for words in (("validate",), ("plan",), ("apply", "-auto-approve")):
        done = folder.run(*words)
        assert done.code == 1
        assert "error[E112]" in done.text
        assert "as a zip it has 15,000" in done.text
        assert "`url:` beside `path:`" in done.text
    assert seen.bodies == []


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ("./sets/absent", "there is nothing at"),
        ("../otter", "not a path inside the project"),
        (".", "the project folder itself"),
        ("./.secrets", "is hidden"),
        ("./sets/hidden", "is hidden"),
        ("./sets/outside", "leads out of the project"),
        ("./sets/circle", "cannot be looked up"),
        ("x" * 300, "cannot be looked up"),
        ("./sets/linked", "symbolic link"),
        ("./sets/pipe", "it is no file"),
        ({"path": "sets/otter", "sha256": "ab" * 32}, "a folder has no `sha256`"),
        ({"path": "sets/otter.zip", "sha256": "ab" * 32}, "or write "),
        ({"images": 3}, "neither `url` nor `path`"),
    ],
)
def test_what_may_not_be_sent_is_an_error_with_its_place(folder: Folder, tmp_path: Path, dataset: Any, words: str) -> None:
    sets = folder.path / "sets"
    (folder.path / ".secrets").mkdir()
    (folder.path / ".secrets" / "key").write_text("x")
    (tmp_path / "outside").mkdir()
    for name, target in (("hidden", "../.secrets"), ("outside", str(tmp_path / "outside")), ("circle", "circle"), ("linked", "otter")):
        (sets / name).symlink_to(target)
    os.mkfifo(sets / "pipe")
    (sets / "otter.zip").write_bytes(zipped(good()))
    folder.models(otter={"dataset": dataset})
    done = folder.run("validate")
    assert done.code == 1
    assert words in done.out
    assert "models/a.yaml:1:" in done.out


def test_at_most_one_body_a_slot_is_made_before_the_trainer_has_answered(folder: Folder, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    from reconciler.dataset import inline

    pack, packed, ahead = inline.pack, [0], []

    def counted(path: Path, most_bytes: int) -> inline.Packed:
        packed[0] += 1
        return pack(path, most_bytes)

    monkeypatch.setattr(inline, "pack", counted)
    seen.meanwhile = lambda: ahead.append(packed[0] - len(seen.bodies))
    for number in range(8):
        put(folder, f"set{number}", {"a.png": bytes([number])})
    folder.models(**{f"m{number}": {"dataset": f"./sets/set{number}"} for number in range(8)})
    assert folder.apply("-parallelism=2").code == 0
    assert packed == [8]
    assert max(ahead) <= 1


def test_the_same_data_are_bought_once_and_an_own_id_decides_alone(folder: Folder, trainer: Emulator) -> None:
    folder.models(
        otter={"dataset": "./sets/otter"}, twin={"dataset": {"path": "sets/otter", "images": 12}}, own={"dataset": {"path": "sets/heron", "id": "heron-v1"}}
    )
    assert {c["name"]: (c["action"], c["cost"]) for c in folder.plan()["changes"]} == {
        "otter": ("train", "8.00"), "own": ("train", "8.00"), "twin": ("reuse", "0.00")
    }  # fmt: skip
    assert folder.apply("-wait=60s").code == 0
    touch(folder, "heron")
    assert folder.plan()["changes"] == []
    assert len(trainer.books.charges()) == 2


def test_plan_reads_unchanged_files_once_and_apply_reads_them_always(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is known by its look only when that cannot lie; a new caption with the old times and the old size is seen all the same."""
    from reconciler.dataset import folder as module

    read: list[str] = []
    digest = module.digest_of_file
    monkeypatch.setattr(module, "digest_of_file", lambda path: read.append(path.name) or digest(path))
    folder.models(otter={"dataset": "./sets/otter"})
    caption = folder.path / "sets" / "otter" / "otter-img00.txt"
    monkeypatch.setattr("reconciler.cache.witness.RACY_NANOSECONDS", 0)
    first = folder.plan()["changes"][0]["spec_digest"]
    assert len(read) == 24
    read.clear()
    assert folder.plan()["changes"][0]["spec_digest"] == first
    assert read == []
    status = caption.stat()
    caption.write_bytes(caption.read_bytes().replace(b"photo", b"image"))
    os.utime(caption, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert folder.plan()["changes"][0]["spec_digest"] != first
    assert read == [caption.name]
    read.clear()
    folder.apply()
    assert len([name for name in read if name.startswith("otter-")]) == 24


def test_files_that_were_touched_just_now_are_read_again(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    from reconciler.dataset import folder as module

    read: list[str] = []
    digest = module.digest_of_file
    monkeypatch.setattr(module, "digest_of_file", lambda path: read.append(path.name) or digest(path))
    monkeypatch.setattr("reconciler.cache.witness.RACY_NANOSECONDS", 10**15)
    folder.models(otter={"dataset": "./sets/otter"})
    assert folder.plan()["changes"] == folder.plan()["changes"]
    assert len(read) == 48


def test_check_pin_and_show_know_data_without_a_url(folder: Folder) -> None:
    folder.write("version: 1\nmodels:\n  otter:\n    dataset: ./sets/otter  # ours\n    steps: 1000\n")
    checked = folder.run("dataset", "check", "-json")
    assert checked.code == 0, checked
    assert [(row["location"], row["opened"], row["images"]) for row in checked.json["datasets"]] == [("./sets/otter", True, 12)]
    before = folder.plan()["changes"][0]["spec_digest"]
    assert folder.run("pin", "-check").code == 3
    assert folder.run("pin").code == 0
    assert "    dataset:\n      path: ./sets/otter  # ours\n      images: 12\n" in (folder.path / "models" / "a.yaml").read_text()
    assert folder.run("pin", "-check").code == 0
    assert folder.plan()["changes"][0]["spec_digest"] == before
    shown = {row["path"]: row for row in folder.run("show", "-resolved", "otter", "-json").json["fields"]}
    assert (shown["dataset"]["value"], shown["dataset"]["line"]) == ("./sets/otter", 5)
    assert shown["dataset identity"]["value"].startswith("folder:")


def test_an_apply_that_is_killed_while_data_are_on_their_way_is_in_doubt(tmp_path: Path, trainer: Emulator) -> None:
    """And is never sent again by itself, whatever becomes of the folder."""
    folder = Folder.new(tmp_path / "killed", trainer.url)
    put(folder, "otter", good())
    folder.models(otter={"dataset": "./sets/otter"})
    trainer.plan.replace([Fault("delay", settings={"seconds": 20.0})])
    process = folder.start("apply", "-auto-approve")
    wait_for_charges(trainer, 1)
    process.kill()
    process.communicate()
    trainer.plan.replace([])
    assert folder.actions() == {"otter": "in_doubt"}
    assert folder.apply().code == 7
    assert len(trainer.books.charges()) == 1
