"""Local data as one zip: equal folders give equal bytes, and what cannot be sent is said from names and sizes alone."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from reconciler.dataset import inline
from reconciler.dataset.folder import content_digest, pieces_of
from reconciler.dataset.inline import pack, require_sendable
from reconciler.errors import ReconcilerError
from reconciler.model import INLINE, MAX_DATA_URL, MOST_INLINE_BYTES

from .pictures import good, zipped

MOST = 1_000_000
FILES = {"b/two.png": b"2" * 300, "a.txt": "ein Ötter".encode(), "ü.png": b"", "a.png": bytes(range(256))}
GOLDEN = "1eb62fa4f8386cc667d5abe183a9a5ef2f6ed12b1fcc409d646c1ab77f9bd6c0"


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_equal_folders_give_equal_bytes_in_every_process(tmp_path: Path) -> None:
    """Not by the order they were written in, times, modes, junk, the hash seed or the library's build: the digest is known beforehand."""
    one = written(tmp_path / "one", FILES)
    two = written(tmp_path / "two", dict(reversed(FILES.items())) | {".DS_Store": b"x", "__MACOSX/._a.png": b"x", "b/Thumbs.db": b"x"})
    (two / "a.png").chmod(0o600)
    os.utime(two / "a.txt", (1, 1))
    packed = pack(one, MOST)
    assert pack(two, MOST) == packed
    assert hashlib.sha256(packed.data).hexdigest() == GOLDEN
    script = "import sys, hashlib; from pathlib import Path; from reconciler.dataset.inline import pack; print(hashlib.sha256(pack(Path(sys.argv[1]), 10**6).data).hexdigest())"
    for seed in ("1", "2"):
        done = subprocess.run([sys.executable, "-c", script, str(two)], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == GOLDEN


def test_the_zip_holds_exactly_the_files_that_the_digest_covers(tmp_path: Path) -> None:
    folder = written(tmp_path / "otter", FILES | {"desktop.ini": b"x"})
    packed = pack(folder, MOST)
    with zipfile.ZipFile(io.BytesIO(packed.data)) as archive:
        assert archive.testzip() is None
        assert {entry.filename: archive.read(entry) for entry in archive.infolist()} == FILES
        assert [entry.filename for entry in archive.infolist()] == sorted(FILES)
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    assert packed.content == f"folder:{content_digest(folder)}"


def test_a_zip_is_sent_as_it_is(tmp_path: Path) -> None:
    raw = zipped(good(), method=zipfile.ZIP_DEFLATED)
    (tmp_path / "otter.zip").write_bytes(raw)
    assert pack(tmp_path / "otter.zip", MOST) == (raw, f"sha256:{hashlib.sha256(raw).hexdigest()}")


@pytest.mark.parametrize("more", [0, 1])
def test_the_limit_is_exact_and_known_without_reading(tmp_path: Path, more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(tmp_path / "otter", FILES)
    exact = len(pack(folder, MOST).data)
    (tmp_path / "otter.zip").write_bytes(zipped(good()))
    with monkeypatch.context() as patched:
        patched.setattr(inline, "pieces_of", lambda *_: pytest.fail("a file was read"))
        for path, size in ((folder, exact), (tmp_path / "otter.zip", (tmp_path / "otter.zip").stat().st_size)):
            if more:
                with pytest.raises(ReconcilerError, match=f"as a zip it has {size:,} bytes; .* may have {size - 1:,}") as refused:
                    require_sendable(path, size - more)
                assert "`url:` beside `path:`" in refused.value.hint
            else:
                require_sendable(path, size)
    if more:
        with pytest.raises(ReconcilerError, match="as a zip it has"):
            pack(folder, exact - 1)


def test_the_largest_zip_just_fits_into_a_data_url() -> None:
    coded = (MOST_INLINE_BYTES + 2) // 3 * 4
    assert MAX_DATA_URL - 4 < len(INLINE) + coded <= MAX_DATA_URL


def test_each_thing_that_cannot_be_sent_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, junk alone, a link, a link to a folder, a pipe, a pipe as the folder, no zip, an empty zip, too many files."""
    (tmp_path / "empty").mkdir()
    written(tmp_path / "junk", {".DS_Store": b"x"})
    written(tmp_path / "good", FILES)
    (tmp_path / "linked").symlink_to("good")
    (tmp_path / "link.zip").symlink_to("good.zip")
    (tmp_path / "good.zip").write_bytes(zipped(good()))
    written(tmp_path / "links", {"a.png": b"1"})
    (tmp_path / "links" / "b.png").symlink_to("a.png")
    (tmp_path / "pipes").mkdir()
    os.mkfifo(tmp_path / "pipes" / "a.png")
    os.mkfifo(tmp_path / "pipe.zip")
    (tmp_path / "text.zip").write_bytes(b"hello")
    (tmp_path / "none.zip").write_bytes(zipped({}))
    expected = {
        "empty": "there is no file in it",
        "junk": "there is no file in it",
        "linked": "symbolic link",
        "link.zip": "link",
        "links": "links, which are not followed: b.png",
        "pipes": "pipes, sockets or devices instead of files: a.png",
        "pipe.zip": "no file",
        "text.zip": "no zip file",
        "none.zip": "there is no file in it",
        "absent.zip": "No such file",
    }
    for name, words in expected.items():
        with pytest.raises(ReconcilerError, match=words):
            require_sendable(tmp_path / name, MOST)
    monkeypatch.setattr(inline, "MOST_FILES", 3)
    with pytest.raises(ReconcilerError, match="4 files; .* may have 3"):
        require_sendable(tmp_path / "good", MOST)


@pytest.mark.parametrize("change", ["longer", "shorter", "touched"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"x" * (3 << 20))
    pieces = pieces_of(path)
    next(pieces)
    match change:
        case "longer":
            path.write_bytes(b"x" * (4 << 20))
        case "shorter":
            path.write_bytes(b"x" * (2 << 20))
        case _:
            os.utime(path, ns=(1, 1))
    with pytest.raises(ReconcilerError, match="changed while it was read"):
        list(pieces)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    folder = written(tmp_path / "otter", FILES)
    (folder / "a.png").chmod(0)
    with pytest.raises(ReconcilerError, match=r"a\.png: it cannot be read"):
        content_digest(folder)
