"""One JSON document on stdout: ASCII, sorted only where its maker sorted, readable by people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reconciler.commands.streams import Output

FORMAT_VERSION = "1.0"


def write_document(output: Output, document: Mapping[str, Any]) -> None:
    """Write `document` and a line break. Characters beyond ASCII are escaped, so any encoding carries it."""
    output.line(json.dumps(document, ensure_ascii=True, indent=2))
