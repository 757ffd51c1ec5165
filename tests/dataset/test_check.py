"""A zip or a folder of a data set: what of it would fail at the trainer, and what makes a zip dangerous."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

from reconciler.dataset import archive, decode, entry
from reconciler.dataset.check import Report, check
from reconciler.dataset.folder import content_digest
from reconciler.errors import ReconcilerError

from .pictures import JPEG, good, png, zipped


@pytest.fixture(autouse=True)
def _without_painting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found must not depend on whether Pillow is installed."""
    monkeypatch.setattr(decode, "is_possible", lambda: False)


def look(tmp_path: Path, files: dict[str, bytes] | bytes, *, needs_captions: bool = True) -> Report:
    path = tmp_path / "data.zip"
    path.write_bytes(files if isinstance(files, bytes) else zipped(files))
    return check(path, needs_captions=needs_captions)


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


def without(name: str) -> dict[str, bytes]:
    files = good()
    del files[name]
    return files


def test_a_good_data_set_has_no_findings_as_zip_and_as_folder(tmp_path: Path) -> None:
    report = look(tmp_path, good())
    assert (report.findings, report.images, report.captions, report.formats) == ((), 12, 12, (("PNG", 12),))
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, data in good().items():
        (folder / name).write_bytes(data)
    assert check(folder, needs_captions=True) == report


FOUND = {
    "no picture": ({"a.txt": b"x"}, ["no-images", "caption-alone"]),
    "a caption is missing": (without("img03.txt"), ["no-caption"]),
    "a picture is missing": (without("img03.png"), ["caption-alone"]),
    "few pictures": (good(3), ["few-images"]),
    "an empty caption": (good() | {"img03.txt": b" \n"}, ["empty-caption"]),
    "a caption in another encoding": (good() | {"img03.txt": "Flußotter".encode("latin-1")}, ["not-utf8"]),
    "captions that say the same": (good() | {f"img{n:02}.txt": b"otter" for n in range(12)}, ["same-captions"]),
    "everything in a folder": ({f"data/{name}": data for name, data in good().items()}, ["nested"]),
    "junk": (good() | {"__MACOSX/._img00.png": b"x", ".DS_Store": b"x", "Thumbs.db": b"x"}, ["junk"]),
    "something else": (good() | {"README.md": b"x"}, ["other"]),
    "half a picture": (good() | {"img03.png": png(64, 64)[:-40]}, ["bad-image"]),
    "an SVG named png": (good() | {"img03.png": b"<svg/>"}, ["bad-image"]),
    "a GIF": (good() | {"x.gif": b"GIF89a" + bytes(40), "x.txt": b"x"}, ["bad-image"]),
    "a JPEG named png": (good() | {"img03.png": JPEG}, ["misnamed"]),
    "a picture without an ending": (good() | {"x": JPEG, "x.txt": b"x"}, ["misnamed"]),
    "the same picture twice": (good() | {"x.png": png(seed=3), "x.txt": b"x"}, ["same-image"]),
    "two pictures and one caption": (good() | {"img03.jpg": JPEG}, ["root-twice"]),
    "huge pixels": (good() | {"img03.png": png(declared=(20_000, 20_000))}, ["bad-image"]),
    "a wrong ending of captions": ({k.replace(".txt", ".caption"): v for k, v in good().items()}, ["no-caption", "other"]),
}


@pytest.mark.parametrize("case", FOUND)
def test_what_would_fail_is_found(case: str, tmp_path: Path) -> None:
    files, expected = FOUND[case]
    assert codes(look(tmp_path, files)) == expected


def test_a_trainer_with_a_caption_of_its_own_needs_none(tmp_path: Path) -> None:
    report = look(tmp_path, {f"a{n}.png": png(seed=n) for n in range(12)}, needs_captions=False)
    assert (codes(report), report.errors) == (["no-caption"], 0)


def test_pairs_of_an_edit_trainer_share_a_caption_and_need_both_ends(tmp_path: Path) -> None:
    files: dict[str, bytes] = {}
    for n in range(6):
        files |= {f"p{n}_start.png": png(seed=n), f"p{n}_end.png": png(seed=n + 50), f"p{n}.txt": f"make it {n}".encode()}
    assert codes(look(tmp_path, files)) == []
    del files["p3_end.png"]
    report = look(tmp_path, files)
    assert [(f.code, f.names) for f in report.findings] == [("half-pair", ("p3",))]


def test_captions_that_differ_in_capitals_are_named_as_that(tmp_path: Path) -> None:
    (finding,) = [
        f for f in look(tmp_path, {k.replace("img", "IMG") if k.endswith("txt") else k: v for k, v in good().items()}).findings if f.code == "no-caption"
    ]
    assert "capitals" in finding.text


def overlapping() -> bytes:
    """Two names in the directory for the same bytes."""
    raw = zipped({"a.png": png(), "b.png": png()})
    at = raw.rfind(b"PK\x01\x02")
    return raw[: at + 42] + struct.pack("<I", 0) + raw[at + 46 :]


def renamed() -> bytes:
    raw = zipped({"a.png": png()})
    return raw.replace(b"a.png", b"z.png", 1)


def lying(size: int) -> bytes:
    """A zip whose directory declares another size."""
    raw = zipped({"a.png": png()})
    at = raw.rfind(b"PK\x01\x02")
    return raw[: at + 24] + struct.pack("<I", size) + raw[at + 28 :]


def link() -> bytes:
    info = zipfile.ZipInfo("a.png")
    info.external_attr = 0o120777 << 16
    raw = zipped({"b.png": png()})
    import io

    out = io.BytesIO(raw)
    with zipfile.ZipFile(out, "a") as opened:
        opened.writestr(info, b"/etc/passwd")
    return out.getvalue()


def encrypted() -> bytes:
    raw = bytearray(zipped({"a.png": png()}))
    raw[6] |= 1
    raw[raw.rfind(b"PK\x01\x02") + 8] |= 1
    return bytes(raw)


DANGEROUS = {
    "a web page": (b"<!DOCTYPE html><title>Sign in</title>", "not-a-zip"),
    "a tar.gz": (b"\x1f\x8b" + bytes(40), "not-a-zip"),
    "an LFS pointer": (b"version https://git-lfs.github.com/spec/v1\n", "not-a-zip"),
    "empty": (b"", "not-a-zip"),
    "cut off": (zipped(good())[:-400], "not-a-zip"),
    "its head only": (b"PK\x03\x04", "not-a-zip"),
    "traversal": (zipped({"../../evil.png": png()}), "unsafe-name"),
    "absolute": (zipped({"/etc/x.png": png()}), "unsafe-name"),
    "backslash": (zipped({"..\\x.png": png()}), "unsafe-name"),
    "drive": (zipped({"C:x.png": png()}), "unsafe-name"),
    "control characters": (zipped({"a\x1b[31m.png": png()}), "unsafe-name"),
    "bidi": (zipped({"a\u202egnp.png": png()}), "unsafe-name"),
    "a link": (link(), "link"),
    "encrypted": (encrypted(), "encrypted"),
    "overlap": (overlapping(), "overlap"),
    "two names for one entry": (renamed(), "two-names"),
    "a bomb": (zipped({"a.png": bytes(5_000_000)}, method=zipfile.ZIP_DEFLATED), "bomb"),
    "another method": (zipped({"a.png": png()}, method=zipfile.ZIP_LZMA), "method"),
    "a lying size": (lying(900_000), "lying-size"),
    "a size that both places lie about": (
        lying(900_000).replace(struct.pack("<II", len(png()), len(png())), struct.pack("<II", len(png()), 900_000), 1),
        "bad-image",
    ),
    "gigabytes declared": (lying(4_000_000_000), "bomb"),
}


@pytest.mark.parametrize("case", DANGEROUS)
def test_a_dangerous_zip_is_refused_by_what_it_is(case: str, tmp_path: Path) -> None:
    """Nothing of it is unpacked anywhere."""
    raw, code = DANGEROUS[case]
    report = look(tmp_path, raw)
    assert code in codes(report), report
    assert report.errors
    assert [path.name for path in tmp_path.iterdir()] == ["data.zip"]


def test_a_zip_may_have_so_many_entries_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_ENTRIES", 20)
    assert codes(look(tmp_path, good())) == ["too-many"]
    monkeypatch.setattr(archive, "MOST_ENTRIES", 24)
    assert codes(look(tmp_path, good())) == []


@pytest.mark.parametrize("flip", range(0, 1200, 37))
def test_any_damage_is_a_finding_and_never_an_exception(flip: int, tmp_path: Path) -> None:
    raw = bytearray(zipped(good(2)))
    raw[-1 - flip % len(raw)] ^= 0xFF
    look(tmp_path, bytes(raw))


def test_a_folder_with_a_link_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.png").symlink_to("/etc/passwd")
    assert codes(check(folder, needs_captions=True)) == ["link"]
    with pytest.raises(ReconcilerError, match="links"):
        content_digest(folder)


def test_a_folder_is_known_by_names_and_contents_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by times, modes, junk or the order of the disk; a zip by its bytes."""
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, names in ((one, ["a.png", "b.txt"]), (two, ["b.txt", "a.png"])):
        folder.mkdir()
        for name in names:
            (folder / name).write_bytes(name.encode())
    (two / ".DS_Store").write_bytes(b"x")
    (two / "a.png").chmod(0o600)
    same = content_digest(one)
    assert content_digest(two) == same
    (two / "a.png").rename(two / "c.png")
    assert content_digest(two) != same
    (two / "c.png").rename(two / "a.png")
    (two / "a.png").write_bytes(b"other")
    assert content_digest(two) != same
    monkeypatch.setattr("reconciler.dataset.folder.MOST_ENTRIES", 1)
    with pytest.raises(ReconcilerError, match="more than"):
        content_digest(one)


@pytest.mark.parametrize("name", ["", "a//b", "/a", "a/../b", "./a", "~a", "a\\b", "C:a", "a\nb", "x" * 2000])
def test_names_that_lead_elsewhere_are_unsafe(name: str) -> None:
    assert entry.is_unsafe(name)
    assert not entry.is_unsafe("a b/ü.png")
