"""`dataset check` as a user calls it; and a local data set as a model's identity."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest

from tests.growth.inside import Inside
from tests.life.folder import Folder
from tests.pixazo.raw_server import RawServer, answer

from .pictures import good, png, zipped

URL = "https://data.example.com/otter.zip"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Inside.new(tmp_path / "project")
    made.key = None
    return made


def model(dataset: object, **more: object) -> dict[str, object]:
    return {"dataset": dataset, **more}


def test_local_data_is_opened_and_remote_data_is_not(folder: Folder) -> None:
    """Each data set once, with its models; no connection is made."""
    raw = zipped(good())
    (folder.path / "otter.zip").write_bytes(raw)
    local = {"url": URL, "path": "otter.zip"}
    folder.models(otter=model(local), twin=model(local, steps=1200), heron=model("https://data.example.com/heron.zip?X-Amz-Signature=secret"))
    done = folder.run("dataset", "check", "-json")
    assert done.code == 0, done
    rows = {(row["location"], row["opened"]): row for row in done.json["datasets"]}
    opened = rows["otter.zip", True]
    assert (opened["models"], opened["images"], opened["captions"], opened["sha256"]) == (["otter", "twin"], 12, 12, hashlib.sha256(raw).hexdigest())
    assert rows[URL, False]["models"] == ["otter", "twin"]
    assert "secret" not in done.text
    text = folder.run("dataset", "check", "otter")
    assert text.code == 0
    assert "12 images (12 PNG), 12 captions" in text.out
    assert "1 not opened (-fetch" in text.out


def test_what_would_fail_is_told_with_its_place_and_exit_1(folder: Folder) -> None:
    files = good()
    del files["img03.txt"]
    (folder.path / "otter.zip").write_bytes(zipped(files))
    folder.write(f"version: 1\nmodels:\n  otter:\n    dataset:\n      url: {URL}\n      path: otter.zip\n      sha256: {'ab' * 32}\n      images: 24\n")
    done = folder.run("dataset", "check")
    assert done.code == 1
    for words in ("models/a.yaml:6:", "error[no-caption]", "img03.png", "error[images-differ]", "error[sha256-differs]"):
        assert words in done.out
    codes = {row["code"] for row in folder.run("dataset", "check", "-json").json["diagnostics"]}
    assert codes >= {"no-caption", "images-differ", "sha256-differs"}


def test_inline_data_is_opened_too(folder: Folder) -> None:
    coded = base64.b64encode(zipped({"a.png": png()})).decode()
    folder.models(otter=model(f"data:application/zip;base64,{coded}"))
    done = folder.run("dataset", "check", "-json")
    assert done.code == 1
    assert coded[:60] not in done.out
    assert {row["code"] for row in done.json["diagnostics"]} == {"few-images", "no-caption"}


def test_a_remote_data_set_is_fetched_only_on_request(folder: Folder) -> None:
    """Over https from the public network; from this machine only in a project that works on it."""
    with RawServer([answer(200, zipped(good()))]) as server:
        folder.models(otter=model(f"{server.url}/otter.zip"))
        assert folder.run("dataset", "check").code == 0
        assert not server.requests
        refused = folder.run("dataset", "check", "-fetch")
        assert refused.code == 1
        assert "is this machine" in refused.out
        assert not server.requests
        done = folder.run("dataset", "check", "-fetch", "-json", RECONCILER_ENDPOINT="http://127.0.0.1:9")
        assert done.code == 0, done
        assert done.json["datasets"][0]["images"] == 12
        assert [request.method for request in server.requests] == ["GET"]
        small = folder.run("dataset", "check", "-fetch", "-max-size=1kB", RECONCILER_ENDPOINT="http://127.0.0.1:9")
        assert small.code == 1
        assert "larger than 1.0 kB" in small.out
    with RawServer([answer(200, b"<!DOCTYPE html><title>Sign in</title>", {"Content-Type": "text/html"})]) as server:
        folder.models(otter=model(f"{server.url}/otter"))
        page = folder.run("dataset", "check", "-fetch", RECONCILER_ENDPOINT="http://127.0.0.1:9")
        assert "web page" in page.out
        assert "no-zip-ending" in page.out


def test_names_and_flags_are_checked(folder: Folder) -> None:
    folder.models(otter=model(URL))
    assert "did you mean otter" in folder.run("dataset", "check", "oter").err
    assert folder.run("dataset", "look").code == 64
    assert folder.run("dataset", "check", "-max-size=1GB").code == 64


def test_a_local_folder_decides_what_is_trained(folder: Folder) -> None:
    """Another content is another spec, at once and in every plan; what an operating system leaves there is not."""
    data = folder.path / "otter"
    data.mkdir()
    for name, raw in good().items():
        (data / name).write_bytes(raw)
    folder.models(otter=model({"url": URL, "path": "otter"}))

    def digest() -> str:
        return str(folder.plan()["changes"][0]["spec_digest"])

    first = digest()
    assert digest() == first
    (data / ".DS_Store").write_bytes(b"x")
    assert digest() == first
    (data / "img00.txt").write_bytes(b"another caption")
    assert digest() != first


def test_a_local_zip_is_known_by_its_sha256(folder: Folder) -> None:
    """So writing the sha256 into the manifest changes nothing, and another zip does, remembered plan or not."""
    raw = zipped(good())
    path = folder.path / "otter.zip"
    path.write_bytes(raw)
    folder.models(otter=model({"url": URL, "path": "otter.zip"}))
    first = folder.plan()["changes"][0]["spec_digest"]
    folder.models(otter=model({"url": URL, "path": "otter.zip", "sha256": hashlib.sha256(raw).hexdigest()}))
    assert folder.plan()["changes"][0]["spec_digest"] == first
    folder.models(otter=model({"url": URL, "path": "otter.zip"}))
    assert folder.plan()["changes"][0]["spec_digest"] == first
    path.write_bytes(zipped(good(11)))
    assert folder.plan()["changes"][0]["spec_digest"] != first
    assert json.dumps(folder.plan()["changes"][0])
