"""How a secret may be spelled in a text, so that every spelling can be taken out of it again.

Knows no variable, file or header: `pixazo/key` has the API key, `forge/wire` its token, `cli/door` what the environment holds.
"""

from __future__ import annotations

import base64
import html
import re

MARK = "<key>"
"""What stands where a secret was."""
_C_ESCAPES = {"\n": "n", "\r": "r", "\t": "t"}


def pattern_of(value: str) -> re.Pattern[str]:
    """Finds `value` (not empty) plain or with any of its characters escaped, for URLs, JSON, HTML, `repr` or `safe`, and inside base64."""
    return re.compile("|".join(["".join(map(_any_spelling, value)), *map(re.escape, _base64_forms(value.encode("utf-8", "surrogateescape")))]))


def _any_spelling(character: str) -> str:
    code = ord(character)
    percents = "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
    escaped = [re.escape(html.escape(character)), f"&#0*{code};", f"(?i:{percents}|\\\\u{code:04x}|\\\\x{code:02x}|\\\\u\\{{0*{code:x}\\}}|&#x0*{code:x};)"]
    if character in _C_ESCAPES:
        escaped.append(f"\\\\{_C_ESCAPES[character]}")
    return f"(?:{'|'.join(escaped)}|\\\\?{re.escape(character)})"


def _base64_forms(raw: bytes) -> list[str]:
    # The value may stand anywhere inside what was encoded; only the characters that it decides alone are looked for.
    encoders = (base64.b64encode, base64.urlsafe_b64encode)
    return [encode(b"\0" * lead + raw).decode("ascii")[-(-lead * 8 // 6) : (lead + len(raw)) * 8 // 6] for encode in encoders for lead in range(3)]
