"""Pictures by their bytes: format, size, and whether they are there to their end."""

from __future__ import annotations

import pytest

from reconciler.dataset import decode
from reconciler.dataset.image import Broken, kind_of, look_at

from .pictures import JPEG, WEBP, png

GOOD = {"PNG": png(), "JPEG": JPEG, "WebP": WEBP}
BAD = {
    "half a PNG": png(64, 64)[:-40],
    "half a PNG, ended properly": png(64, 64, rows=32),
    "a PNG with a flipped bit": png()[:45] + b"\xff" + png()[46:],
    "a PNG of a billion pixels": png(declared=(40_000, 40_000)),
    "a PNG without pixels": png(declared=(0, 4)),
    "half a JPEG": JPEG[:-6],
    "a JPEG without an end": JPEG[:-2],
    "a JPEG of its head only": JPEG[:30],
    "half a WebP": WEBP[:-10],
    "a GIF": b"GIF89a" + bytes(50),
    "an SVG": b'<?xml version="1.0"?><svg xmlns="x"/>',
    "text": b"a photo of an otter",
    "nothing": b"",
}


@pytest.mark.parametrize("kind", GOOD)
def test_a_whole_picture_is_one(kind: str) -> None:
    assert look_at(GOOD[kind]).kind == kind == kind_of(GOOD[kind][:64])


@pytest.mark.parametrize("case", BAD)
def test_a_broken_picture_is_none(case: str) -> None:
    with pytest.raises(Broken):
        look_at(BAD[case])


@pytest.mark.parametrize("kind", GOOD)
def test_every_cut_of_a_picture_is_noticed(kind: str) -> None:
    """No prefix passes for the whole."""
    data = GOOD[kind]
    for length in range(len(data)):
        with pytest.raises(Broken):
            look_at(data[:length])


def test_the_child_paints_what_is_whole_and_survives_what_is_not() -> None:
    """A decoder's troubles stay its own: each picture gets its own answer, also after one that was broken."""
    pytest.importorskip("PIL", reason="pip install 'lora-reconciler[images]'")
    cut = JPEG[:200] + JPEG[-2:]
    found = list(decode.painted([("a", png()), ("b", cut), ("c", JPEG), ("d", b"\x89PNG\r\n\x1a\n" + bytes(50)), ("e", WEBP)]))
    assert [bool(row.problem) for row in found] == [False, True, False, True, False]


def test_a_child_over_its_limits_is_ended_and_the_next_picture_gets_another(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("PIL", reason="pip install 'lora-reconciler[images]'")
    monkeypatch.setattr(decode, "MOST_MEMORY_BYTES", 1024 * 1024)
    assert "limits" in next(iter(decode.painted([("a", png())]))).problem
    monkeypatch.undo()
    monkeypatch.setattr(decode, "LONGEST_SECONDS", 0.0)
    found = list(decode.painted([("a", png()), ("b", png())]))
    assert all("limits" in row.problem for row in found)


def test_nothing_in_the_current_folder_decides_what_the_child_runs(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder may be a stranger's checkout."""
    pytest.importorskip("PIL", reason="pip install 'lora-reconciler[images]'")
    (tmp_path / "PIL.py").write_text("open('RAN', 'w')")
    (tmp_path / "json.py").write_text("open('RAN', 'w')")
    monkeypatch.chdir(tmp_path)
    assert [row.problem for row in decode.painted([("a", png())])] == [""]
    assert not (tmp_path / "RAN").exists()
