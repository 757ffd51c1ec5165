"""`pin`: what it writes, where it leaves the pen to people, and that nothing is bought because of it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.emulator.server import Emulator
from reconciler.manifest.pin import Pin, pin_text
from reconciler.trainer import BUILT_IN
from tests.growth.inside import Inside
from tests.life.folder import Folder

from .pictures import good, zipped

URL = "https://data.example.com/otter.zip"
SHA = "0f343b0931126a20f133d67c2b018a3b0a8dff3a4f0a3c4f2f0f6f7a3f1c2d4e"
ALL = Pin(SHA, 24)

WRITTEN = {
    "short form with a comment": (
        "version: 1\nmodels:\n  otter:   # mine\n    dataset: ${var.b}/otter.zip        # short form\n    steps: 1000\n",
        f"version: 1\nmodels:\n  otter:   # mine\n    dataset:\n      url: ${{var.b}}/otter.zip        # short form\n      sha256: {SHA}\n      images: 24\n    steps: 1000\n",
    ),
    "a block": (
        f"version: 1\nmodels:\n  otter:\n    dataset:\n      # where it lies\n      url: '{URL}'  # here\n    steps: 1000\n",
        f"version: 1\nmodels:\n  otter:\n    dataset:\n      # where it lies\n      url: '{URL}'  # here\n      sha256: {SHA}\n      images: 24\n    steps: 1000\n",
    ),
    "a block with other values": (
        f'version: 1\nmodels:\n  otter:\n    dataset:\n      url: {URL}\n      sha256: "{"ab" * 32}"  # old\n      id: x\n      images: 3\n',
        f"version: 1\nmodels:\n  otter:\n    dataset:\n      url: {URL}\n      sha256: {SHA}  # old\n      id: x\n      images: 24\n",
    ),
    "a block with an id": (
        f"version: 1\nmodels:\n  otter:\n    dataset:\n      url: {URL}\n      path: data\n      id: x\n",
        f"version: 1\nmodels:\n  otter:\n    dataset:\n      url: {URL}\n      path: data\n      sha256: {SHA}\n      id: x\n      images: 24\n",
    ),
    "braces": (
        f'version: 1\nmodels:\n  otter: {{dataset: {{url: "{URL}"}}, steps: 1000}}  # all\n',
        f'version: 1\nmodels:\n  otter: {{dataset: {{url: "{URL}", sha256: {SHA}, images: 24}}, steps: 1000}}  # all\n',
    ),
    "braces around a short form": (
        f"version: 1\nmodels:\n  otter: {{dataset: '{URL}', steps: 1000}}\n",
        f"version: 1\nmodels:\n  otter: {{dataset: {{url: '{URL}', sha256: {SHA}, images: 24}}, steps: 1000}}\n",
    ),
    "braces with values": (
        f"version: 1\nmodels:\n  otter:\n    dataset: {{images: 3, url: '{URL}'}}\n",
        f"version: 1\nmodels:\n  otter:\n    dataset: {{images: 24, url: '{URL}', sha256: {SHA}}}\n",
    ),
    "lines that end as on Windows": (
        f"version: 1\r\nmodels:\r\n  otter:\r\n    dataset: {URL}\r\n",
        f"version: 1\r\nmodels:\r\n  otter:\r\n    dataset:\r\n      url: {URL}\r\n      sha256: {SHA}\r\n      images: 24\r\n",
    ),
    "no newline at the end": (
        f"version: 1\nmodels:\n  otter:\n    dataset: {URL}",
        f"version: 1\nmodels:\n  otter:\n    dataset:\n      url: {URL}\n      sha256: {SHA}\n      images: 24",
    ),
}
LEFT = {
    "shared by an anchor": f"version: 1\nmodels:\n  otter:\n    dataset: &d\n      url: {URL}\n  twin:\n    dataset: *d\n",
    "an alias": f"version: 1\nmodels:\n  twin:\n    dataset: &d\n      url: {URL}\n  otter:\n    dataset: *d\n",
    "merged in": f"version: 1\nmodels:\n  base: &b\n    dataset: {URL}\n  otter:\n    <<: *b\n    steps: 3000\n",
    "from defaults": f"version: 1\ndefaults:\n  dataset: {URL}\nmodels:\n  otter: {{steps: 1000}}\n",
    "over several lines": "version: 1\nmodels:\n  otter:\n    dataset: >-\n      https://data.example.com/\n      otter.zip\n",
}


@pytest.mark.parametrize("case", WRITTEN)
def test_only_what_is_pinned_changes(case: str) -> None:
    """Comments, quotes, order and line ends stay."""
    before, after = WRITTEN[case]
    assert pin_text(before, "models/a.yaml", {"otter": ALL}) == (after, ())
    assert pin_text(after, "models/a.yaml", {"otter": ALL}) == (after, ())


@pytest.mark.parametrize("case", LEFT)
def test_what_others_share_is_left_to_people(case: str) -> None:
    assert pin_text(LEFT[case], "models/a.yaml", {"otter": ALL}) == (LEFT[case], ("otter",))


def test_a_digest_that_reads_as_a_number_is_quoted() -> None:
    for digest in ("1" * 64, "12e4" + "5" * 60):
        text, left = pin_text(f"version: 1\nmodels:\n  otter:\n    dataset: {URL}\n", "a.yaml", {"otter": Pin(digest, None)})
        assert not left
        assert f'sha256: "{digest}"' in text


@pytest.fixture
def emulator(tmp_path: Path):
    with Emulator(books=tmp_path / "books.db", trainers=BUILT_IN, protocol="g2", speed=30000.0) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, emulator: Emulator) -> Folder:
    made = Inside.new(tmp_path / "project", emulator.url)
    (made.path / "otter.zip").write_bytes(zipped(good()))
    (made.path / "heron.zip").write_bytes(zipped(good(11)))
    return made


def sha(folder: Folder, name: str) -> str:
    return hashlib.sha256((folder.path / name).read_bytes()).hexdigest()


def block(name: str, url: str, *, path: str = "", steps: int = 1000, more: str = "") -> str:
    local = f"      path: {path}\n" if path else ""
    return f"  {name}:\n    dataset:\n      url: {url}\n{local}    steps: {steps}\n{more}"


def paid(folder: Folder, *words: str) -> dict[str, str]:
    return {c["name"]: c["cost"] for c in folder.plan(*words)["changes"] if c["cost"] != "0.00"}


def test_what_was_never_bought_is_pinned_for_nothing(folder: Folder) -> None:
    """With its path, and by another plan of the same price; a second pin writes nothing; -check says 3 and then 0."""
    folder.write("version: 1\nmodels:\n" + block("otter", URL, path="otter.zip"))
    before = paid(folder)
    assert folder.run("pin", "-check").code == 3
    assert "sha256" not in (folder.path / "models" / "a.yaml").read_text()
    done = folder.run("pin")
    assert done.code == 0, done
    text = (folder.path / "models" / "a.yaml").read_text()
    assert f"sha256: {sha(folder, 'otter.zip')}\n      images: 12\n" in text
    assert paid(folder) == before
    again = folder.run("pin")
    assert (again.code, again.out) == (0, "")
    assert folder.run("pin", "-check").code == 0
    assert (folder.path / "models" / "a.yaml").read_text() == text


class Host:
    """A host of two zips on this machine."""

    def __init__(self) -> None:
        import threading
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

        files = {
            "/otter.zip": zipped(good()),
            "/fail-training.zip": zipped(good()),
            "/heron.zip": zipped(good(11)),
            "/dev/otter.zip": zipped(good()),
            "/prod/otter.zip": zipped(good(13)),
        }

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = files.get(self.path.partition("?")[0])
                self.send_response(200 if body else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def host():
    made = Host()
    yield made
    made.close()


def test_a_trained_model_keeps_its_identity_and_a_new_one_gets_a_digest(folder: Folder, host: Host) -> None:
    """Trained, and its twin of the same spec: none of them would be bought again. The new one is pinned."""
    otter = f"{host.url}/otter.zip"
    old = block("otter", otter) + block("twin", otter)
    folder.write("version: 1\nmodels:\n" + old)
    assert folder.apply("-wait=60s").code == 0
    folder.write("version: 1\nmodels:\n" + old + block("heron", f"{host.url}/heron.zip", steps=1200))
    before = paid(folder)
    assert set(before) == {"heron"}
    assert folder.run("pin", "-check").code == 3, "the new one is not pinned"
    done = folder.run("pin", "-fetch")
    assert done.code == 0, done
    text = (folder.path / "models" / "a.yaml").read_text()
    assert text.count("sha256:") == 1
    assert sha(folder, "heron.zip") in text
    assert text.count("images: 12") == 2
    assert "otter: not pinned: its sha256 would buy it again for $8.00; -allow-retrain=otter" in done.err
    assert paid(folder) == before
    assert folder.run("pin", "-check").code == 0, "what is bought is in order as it is"
    assert folder.run("pin", "-check", "-fetch").code == 0
    forced = folder.run("pin", "-fetch", "-allow-retrain=otter")
    assert forced.code == 0
    assert paid(folder) == before | {"otter": "8.00"}


def test_a_failed_and_a_protected_model_are_not_turned_into_purchases(folder: Folder, host: Host) -> None:
    """What is only held back now would be bought again later."""
    failed = block("failed", f"{host.url}/fail-training.zip")
    folder.write("version: 1\nmodels:\n" + failed + block("keeper", f"{host.url}/otter.zip", more="    lifecycle: {prevent_retrain: true}\n"))
    assert folder.apply("-wait=60s").code == 8
    assert folder.actions() == {"failed": "held"}
    plan = folder.plan()
    assert folder.run("pin", "-fetch").code == 0
    assert "sha256" not in (folder.path / "models" / "a.yaml").read_text()
    assert folder.plan()["changes"] == plan["changes"]


def test_a_sweep_is_pinned_as_a_whole_or_not_at_all(folder: Folder, host: Host) -> None:
    sweep = f"  shots:\n    dataset: {{url: '{host.url}/otter.zip'}}\n    matrix: {{steps: [1000, 1500]}}\n"
    folder.write("version: 1\nmodels:\n" + sweep)
    assert folder.apply("-wait=60s", "-target=shots@steps=1000").code == 0
    before = paid(folder)
    assert set(before) == {"shots@steps=1500"}
    assert folder.run("pin", "-fetch").code == 0
    assert "sha256" not in (folder.path / "models" / "a.yaml").read_text()
    assert paid(folder) == before


def test_every_environment_is_asked(folder: Folder, host: Host) -> None:
    """Trained in prod, wanted in dev too: the pin would be free in dev alone. And what differs between them has no digest."""
    project = folder.path / "reconciler.yaml"
    text = project.read_text()
    project.write_text(
        text + f"environments:\n  dev: {{vars: {{b: {host.url}/dev}}}}\n  prod: {{vars: {{b: {host.url}}}}}\nvariables: {{b: {{type: string}}}}\n"
    )
    folder.write("version: 1\nmodels:\n  otter:\n    dataset: ${var.b}/otter.zip  # short\n")
    assert folder.apply("-e=prod", "-wait=60s").code == 0
    assert paid(folder, "-e=dev") == {"otter": "8.00"}
    done = folder.run("pin", "-fetch")
    assert done.code == 0, done
    assert "not pinned" in done.err
    assert "sha256" not in (folder.path / "models" / "a.yaml").read_text()
    assert paid(folder, "-e=prod") == {}
    project.write_text(
        text + f"environments:\n  dev: {{vars: {{b: {host.url}/dev}}}}\n  prod: {{vars: {{b: {host.url}/prod}}}}\nvariables: {{b: {{type: string}}}}\n"
    )
    folder.write("version: 1\nmodels:\n  otter:\n    dataset: ${var.b}/otter.zip\n    steps: 1700\n")
    differs = folder.run("pin", "-fetch")
    assert differs.code == 1
    assert "do not hold the same data" in differs.err
    assert "sha256" not in (folder.path / "models" / "a.yaml").read_text()


def test_models_that_would_share_a_purchase_still_do(folder: Folder, host: Host) -> None:
    """One of two equal models cannot be edited: pinning the other would make two purchases of one."""
    folder.write(f"version: 1\nmodels:\n  base:\n    dataset: {host.url}/otter.zip\n  twin:\n    dataset: >-\n      {host.url}/otter.zip\n")
    before = paid(folder)
    assert len(before) == 1
    done = folder.run("pin", "-fetch")
    assert done.code == 0
    assert paid(folder) == before
    assert "base: not pinned" in done.err
    assert "twin: not pinned: its data set is shared or written in a way" in done.err


def test_what_cannot_be_opened_is_exit_1_and_the_rest_is_written(folder: Folder, host: Host) -> None:
    folder.write("version: 1\nmodels:\n" + block("gone", f"{host.url}/gone.zip") + block("otter", "https://data.invalid/otter.zip", path="otter.zip"))
    done = folder.run("pin", "-fetch")
    assert done.code == 1
    assert "cannot be resolved" in done.err, "the URL beside the path cannot be reached"
    assert "gone.zip" in done.err
    assert "sha256:" not in (folder.path / "models" / "a.yaml").read_text(), "a place that could not be opened may hold other data"
    done = folder.run("pin")
    assert done.code == 0
    assert (folder.path / "models" / "a.yaml").read_text().count("sha256:") == 1
    assert folder.run("pin", "otr").code == 1
    assert folder.run("pin", "-allow-retrain=otr").code == 1


def test_pin_writes_nothing_when_an_environment_cannot_be_read(folder: Folder) -> None:
    project = folder.path / "reconciler.yaml"
    project.write_text(project.read_text() + "environments:\n  dev: {vars: {b: 'https://d.example.com'}}\n  prod: {}\nvariables: {b: {type: string}}\n")
    folder.write("version: 1\nmodels:\n  otter:\n    dataset: {url: '${var.b}/otter.zip', path: otter.zip}\n")
    before = (folder.path / "models" / "a.yaml").read_bytes()
    done = folder.run("pin")
    assert done.code == 1
    assert "every environment" in done.err
    assert (folder.path / "models" / "a.yaml").read_bytes() == before


def test_an_image_count_never_changes_what_is_trained() -> None:
    from reconciler.model import Dataset

    dataset = Dataset(URL, f"url:{URL}")
    assert replace(dataset, images=3).identity == dataset.identity
