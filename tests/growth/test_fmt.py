"""`fmt` as a command: what it finds, what it writes, and what it leaves alone."""

from __future__ import annotations

import os
from pathlib import Path

from tests.growth.inside import Inside

UGLY = "version: 1\nmodels:\n  otter:  # ours\n    learning_rate: 3.0E-05\n    dataset: https://d.example.com/o.zip\n"
NEAT = "version: 1\nmodels:\n  otter:  # ours\n    dataset: https://d.example.com/o.zip\n    learning_rate: 3e-05\n"


def test_fmt_puts_every_file_of_the_project_in_order_and_a_second_time_none(offline: Inside) -> None:
    (offline.path / "models" / "team").mkdir()
    offline.write(UGLY)
    offline.write(UGLY.replace("otter", "heron"), "team/b.yaml")
    offline.write("version: 1\ndefaults: {steps: 1500.0}\n", "_defaults.yaml")
    assert offline.run("fmt", "-check").code == 3
    assert (offline.path / "models" / "a.yaml").read_text() == UGLY
    done = offline.run("fmt")
    assert (done.code, done.out.split()) == (0, ["models/_defaults.yaml", "models/a.yaml", "models/team/b.yaml"])
    assert (offline.path / "models" / "a.yaml").read_text() == NEAT
    assert offline.run("fmt", "-check") == (0, "", "")
    assert offline.run("fmt") == (0, "", "")


def test_diff_shows_a_unified_diff_and_with_check_writes_nothing(offline: Inside) -> None:
    offline.write(UGLY)
    seen = offline.run("fmt", "-check", "-diff", "models/a.yaml")
    assert seen.code == 3
    assert "--- a/models/a.yaml\n+++ b/models/a.yaml\n@@ " in seen.out
    assert "\n-    learning_rate: 3.0E-05\n" in seen.out
    assert "\n+    learning_rate: 3e-05\n" in seen.out
    assert (offline.path / "models" / "a.yaml").read_text() == UGLY


def test_a_file_that_cannot_be_read_leaves_all_files_as_they_are_and_all_problems_are_told(offline: Inside) -> None:
    offline.write(UGLY)
    offline.write("a: [\n", "b.yaml")
    (offline.path / "models" / "c.yaml").write_bytes(b"a: \xff\n")
    refused = offline.run("fmt")
    assert refused.code == 1
    assert "models/b.yaml:1:5: error[E010]" in refused.err
    assert "models/c.yaml:1:4: error[E005]" in refused.err
    assert "nothing was changed" in refused.err
    assert (offline.path / "models" / "a.yaml").read_text() == UGLY
    assert offline.run("fmt", "models/a.yaml").code == 0


def test_a_file_is_replaced_whole_behind_its_link_with_its_permissions(offline: Inside) -> None:
    real = offline.path / "elsewhere.yaml"
    real.write_text(UGLY)
    real.chmod(0o640)
    (offline.path / "models" / "a.yaml").symlink_to(real)
    before = real.stat().st_ino
    with real.open() as held:
        assert offline.run("fmt").code == 0
        assert held.read() == UGLY, "whoever has it open reads the old text to its end"
    assert (offline.path / "models" / "a.yaml").is_symlink()
    assert real.read_text() == NEAT
    assert real.stat().st_mode & 0o777 == 0o640
    assert real.stat().st_ino != before
    assert [p.name for p in offline.path.iterdir() if p.name.startswith(".elsewhere")] == []


def test_fmt_of_stdin_is_a_filter(offline: Inside) -> None:
    assert offline.run("fmt", "-", stdin=UGLY) == (0, NEAT, "")
    assert offline.run("fmt", "-check", "-", stdin=UGLY) == (3, "", "")
    assert offline.run("fmt", "-", stdin="a: [").code == 1
    assert offline.run("fmt", "-", "models", stdin=UGLY).code == 64


def test_paths_outside_of_the_project_or_missing_are_usage_errors(offline: Inside, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(UGLY)
    assert offline.run("fmt", str(tmp_path / "other.yaml")).code == 64
    assert offline.run("fmt", "../other.yaml").code == 64
    assert offline.run("fmt", "models/nope.yaml").code == 64
    os.symlink(tmp_path / "other.yaml", offline.path / "models" / "a.yaml")
    assert offline.run("fmt", "models/a.yaml").code == 1
    assert (tmp_path / "other.yaml").read_text() == UGLY


def test_what_init_writes_is_in_order(tmp_path: Path) -> None:
    folder = Inside(tmp_path)
    assert folder.run("init").code == 0
    assert folder.run("fmt", "-check") == (0, "", "")
