"""`catalog build`: one document and one page, the same for the same project, inert whatever the names and texts are."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reconciler.catalog.document import Entry, catalog_document
from reconciler.catalog.page import catalog_page
from reconciler.diagnostics import Place
from reconciler.job import Artifact, Job, Phase
from reconciler.model import Dataset, Model, make_spec
from reconciler.reports.schemas import SCHEMAS
from tests.growth.inside import Inside
from tests.life.folder import Folder
from tests.reports.hostile import HOSTILE


class Page(HTMLParser):
    """What a browser would make of a page: elements with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside in ("script", "style"):
            (self.scripts if self._inside == "script" else self.styles).append(data)
        else:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def entry(text: str, *, name: str = "otter", url: str = "https://files.example.com/w.safetensors?X-Amz-Signature=hunter2") -> Entry:
    """An entry that says `text` wherever it can say something foreign."""
    spec = make_spec("pixazo-flux2-pro", f"id:{text}", {"steps": 1000, "note": text})
    model = Model(name, spec, Dataset("https://d.example.com/a.zip", f"id:{text}"), Place(text, 3, 1), labels=((text, text),), description=text, trigger=text)
    job = Job(
        "j-1", "default", name, "pixazo-flux2-pro", spec.digest, spec.document(), Decimal("8.00"), text, "2026-11-20T10:00:00Z", "live",
        phase=Phase.SUCCEEDED, error=text, artifacts=(Artifact("weights", url, "p", text, 317), Artifact("other", "javascript:alert(1)", "q")),
    )  # fmt: skip
    return Entry(name, "succeeded", model, job)


def document(*entries: Entry):
    return catalog_document(entries, environment="default", lineage="l", serial=3)


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_text_of_others_acts_in_the_page(kind: str) -> None:
    """Elements, links and scripts are the same as with a harmless text; nothing is loaded from anywhere."""
    value = HOSTILE[kind]
    page = Page(catalog_page(document(entry(value)), hrefs={}))
    calm = Page(catalog_page(document(entry("calm")), hrefs={}))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in calm.elements]
    assert [sorted(attributes) for _, attributes in page.elements] == [sorted(attributes) for _, attributes in calm.elements]
    assert page.scripts == calm.scripts
    assert "hunter2" not in page.text
    assert not any(name in attributes for _, attributes in page.elements for name in ("src", "srcset", "action", "onclick", "onload", "onerror", "style"))
    assert all((a["href"] or "").startswith(("#", "https://", "../")) for a in page.all("a"))
    assert not page.all("link") + page.all("iframe") + page.all("img") + page.all("object")


def test_the_page_allows_its_own_style_and_script_and_nothing_else() -> None:
    page = Page(catalog_page(document(entry("x")), hrefs={}))
    (policy,) = [m["content"] or "" for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    for kind, (text,) in (("script", page.scripts), ("style", page.styles)):
        assert f"{kind}-src 'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy


def test_without_its_script_every_model_stands_there() -> None:
    """Only the tools of the search are hidden, and the script shows them."""
    page = Page(catalog_page(document(entry("x"), entry("y", name="heron")), hrefs={}))
    assert [a["id"] for a in page.all("article")] == ["heron", "otter"]
    assert [tag for tag, attributes in page.elements if "hidden" in attributes] == ["div"]


def test_what_was_saved_is_linked_where_it_lies_and_a_cut_address_is_not_linked() -> None:
    found = entry("x")
    saved = Entry(
        found.name,
        found.phase,
        found.model,
        found.job,
        local={found.job.artifacts[0].url: {"path": "artifacts/j-1/weights.safetensors", "sha256": "ab" * 32, "size_bytes": 9}},
    )
    linked = Page(catalog_page(document(saved), hrefs={"artifacts/j-1/weights.safetensors": "../artifacts/j-1/weights.safetensors"}))
    assert "../artifacts/j-1/weights.safetensors" in [a["href"] for a in linked.all("a")]
    assert all("files.example.com" not in (a["href"] or "") for a in Page(catalog_page(document(found), hrefs={})).all("a"))
    plain = Page(catalog_page(document(entry("x", url="https://files.example.com/w.safetensors")), hrefs={}))
    assert "https://files.example.com/w.safetensors" in [a["href"] for a in plain.all("a")]


def test_the_money_of_a_job_counts_once_whatever_names_point_to_it() -> None:
    twins = document(entry("x"), entry("x", name="twin"))
    assert twins["summary"]["cost"] == Decimal("8.00")
    assert twins["summary"]["phases"] == {"succeeded": 2}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A project with a trained, a failed, a new and a suspended model, and the weights of the first one."""
    folder = Inside.new(tmp_path_factory.mktemp("catalog") / "project")
    folder.key = None
    folder.models(
        otter={"steps": 1000, "description": "An <b>otter</b>", "labels": {"team": "brand"}, "trigger": "ottr"},
        bad={"dataset": "https://data.example.com/fail-training.zip?token=hunter2"},
    )
    assert folder.apply("-emulate", "-wait=60s", RECONCILER_EMULATE_SPEED="30000").code == 8
    assert folder.run("artifacts", "pull").code == 0
    text = (folder.path / "models" / "a.yaml").read_text()
    more = json.loads(text)
    more["models"] |= {
        "new": {"dataset": "https://data.example.com/new.zip"},
        "rest": {"dataset": "https://data.example.com/r.zip", "lifecycle": {"suspend": True}},
    }
    folder.write(json.dumps(more))
    assert folder.run("catalog", "build").code == 0
    return folder


def read(folder: Folder, where: str = "catalog") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder.path / where).iterdir())}


def test_the_same_project_gives_the_same_bytes(built: Folder) -> None:
    """Whenever and wherever it is built; the state is not written."""
    before = built.state_bytes()
    first = read(built)
    assert sorted(first) == ["catalog.json", "index.html"]
    assert built.run("catalog", "build", "-out=other").code == 0
    assert read(built, "other") == first
    assert built.run("catalog", "build").code == 0
    assert read(built) == first
    assert built.state_bytes() == before


def test_the_document_is_as_its_schema_says_and_holds_every_model(built: Folder) -> None:
    found = json.loads(read(built)["catalog.json"])
    assert {row["name"]: row["phase"] for row in found["models"]} == {"bad": "failed", "new": "new", "otter": "succeeded", "rest": "suspended"}
    otter = found["models"][2]
    assert (otter["trigger"], otter["labels"], otter["price"], otter["spec"]["parameters"]["steps"]) == ("ottr", {"team": "brand"}, "8.00", 1000)
    assert (built.path / otter["artifacts"][0]["path"]).is_file()
    assert otter["artifacts"][0]["sha256"] == hashlib.sha256((built.path / otter["artifacts"][0]["path"]).read_bytes()).hexdigest()
    assert b"hunter2" not in b"".join(read(built).values())
    jsonschema = pytest.importorskip("jsonschema", reason="pip install 'lora-reconciler[test]'")
    jsonschema.Draft7Validator(SCHEMAS["catalog"]()).validate(found)


def test_links_of_the_page_lead_to_the_saved_files(built: Folder) -> None:
    page = Page(read(built)["index.html"].decode())
    hrefs = [a["href"] or "" for a in page.all("a")]
    assert [h for h in hrefs if h.startswith("../artifacts/") and (built.path / "catalog" / h).resolve().is_file()]
    assert "An <b>otter</b>" in page.text
    assert not re.search(r"<(?:img|link|iframe)", read(built)["index.html"].decode())


def test_a_linked_folder_is_not_written_through(built: Folder, tmp_path: Path) -> None:
    """A stranger's checkout may hold a link of that name; who names a folder may name a link."""
    copy = Inside(tmp_path / "project", None, None)
    import shutil

    shutil.copytree(built.path, copy.path)
    shutil.rmtree(copy.path / "catalog")
    (tmp_path / "outside").mkdir()
    (copy.path / "catalog").symlink_to(tmp_path / "outside")
    refused = copy.run("catalog", "build")
    assert refused.code == 64
    assert not list((tmp_path / "outside").iterdir())
    assert copy.run("catalog", "build", "-out=catalog").code == 0
    assert copy.run("catalog", "make").code == 64
