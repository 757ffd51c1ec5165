"""docs/MANIFEST.md is what the program knows of its own files. `python tests/growth/test_reference.py` writes it anew."""

from __future__ import annotations

import re
from pathlib import Path

from reconciler.manifest import keys
from reconciler.manifest.codes import CODES
from reconciler.manifest.reference import reference_text

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "MANIFEST.md"


def test_the_page_is_made_from_the_table_of_keys() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_text()


def test_every_key_and_every_code_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    tables = [
        table for name, table in vars(keys).items() if name.isupper() and isinstance(table, dict) and table and isinstance(next(iter(table.values())), keys.Key)
    ]
    assert len(tables) > 20
    for table in tables:
        for name, key in table.items():
            assert f"| `{name}`" in text
            assert key.description.replace("|", "\\|") in text
    assert all(f"| `{code}` | " in text for code in CODES)


def test_every_link_of_the_page_leads_somewhere() -> None:
    text = PAGE.read_text(encoding="utf-8")
    anchors = {re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in text.splitlines() if line.startswith("#")}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert target.removeprefix("#") in anchors if target.startswith("#") else (PAGE.parent / target).exists(), target


if __name__ == "__main__":
    PAGE.write_text(reference_text(), encoding="utf-8")
