"""The threat model names tests that exist, and every file of hostile tests is named in it."""

from __future__ import annotations

import re
from pathlib import Path


def test_every_test_that_it_names_exists(repo: Path) -> None:
    text = (repo / "docs" / "THREAT_MODEL.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[^`]+)`", text))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (repo / path).exists()] == []
    ours = {f"tests/hostile/{path.name}" for path in (repo / "tests" / "hostile").glob("test_*.py")}
    assert ours <= named


def test_every_threat_has_a_defence_and_a_test(repo: Path) -> None:
    text = (repo / "docs" / "THREAT_MODEL.md").read_text(encoding="utf-8")
    rows = [row.strip("|").split("|") for row in text.splitlines() if re.match(r"\| T\d", row)]
    assert [row[0].strip() for row in rows] == [f"T{n}" for n in range(1, len(rows) + 1)]
    assert all(len(row) == 5 and all(cell.strip() for cell in row) and "`tests/" in row[4] for row in rows)
