"""Text for people and machines: the one door for foreign text, and numbers, money, durations as words.

Every string that this program did not write itself (names, labels, paths, URLs, server messages, exception
texts) passes `safe()` before it reaches any output. Nothing here knows where the output goes.
"""

from __future__ import annotations

import json
import re
import unicodedata
from decimal import Decimal
from html import escape as html_escape
from typing import Literal

Target = Literal["terminal", "log", "markdown", "html", "xml", "csv", "annotation", "json"]

_SECRET_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?:[^\s/?#@\"'<>]*@)?(?P<rest>[^\s?\"'<>`]*)(?P<query>\?[^\s\"'<>`]*)?")
_DATA_URL = re.compile(r"data:[^\s\"'<>,]{0,200},[^\s\"'<>`]*", re.IGNORECASE)
_ALWAYS_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"})
_MARKDOWN_ESCAPES = {"|": "\\|", "<": "&lt;", ">": "&gt;", "[": "\\[", "]": "\\]", "&": "&amp;"}


def safe(value: object, target: Target = "terminal", *, limit: int = 500) -> str:
    r"""`value` as text that is inert in `target`, cut to `limit` code points with an ellipsis.

    Control, bidi, zero-width and surrogate characters become visible (`\\u{202E}`); queries and user names of
    URLs become `?<redacted>`, base64 data becomes its length.
    """
    text = redact(str(value)[: limit * 4 + 4096])
    if len(text) > limit:
        text = text[: max(limit - 1, 0)] + "…"
    text = "".join(_visible(c) for c in text)
    match target:
        case "terminal":
            return text
        case "log":
            return _inert_log(text)
        case "markdown":
            return _markdown_code(text)
        case "html" | "xml":
            return html_escape(text, quote=True)
        case "csv":
            return "'" + text if text[:1] in ("=", "+", "-", "@") else text
        case "annotation":
            return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        case "json":
            return json.dumps(text, ensure_ascii=True)[1:-1]


def redact(text: str) -> str:
    """`text` without the queries and user names of URLs and without inline data."""
    text = _DATA_URL.sub(lambda m: f"data:…({len(m.group(0))} bytes)", text)
    return _SECRET_URL.sub(lambda m: m["scheme"] + m["rest"] + ("?<redacted>" if m["query"] else ""), text)


def _visible(char: str) -> str:
    if " " <= char <= "~":
        return char
    if unicodedata.category(char) in _ALWAYS_HIDDEN:
        return f"\\u{{{ord(char):02X}}}"
    return char


def _inert_log(text: str) -> str:
    stripped = text.lstrip()
    if stripped.startswith("::"):
        text = text.replace("::", ":\u2060:", 1).replace("\u2060", "\\")
    return text.replace("##[", "#\\#[")


def _markdown_code(text: str) -> str:
    runs = [len(run) for run in re.findall(r"`+", text)]
    fence = "`" * (max(runs, default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    body = text.replace("|", "\\|").replace("@", "@\u200b").replace("#", "#\u200b")
    body = body.replace("<", "\u2039").replace(">", "\u203a")
    return f"{fence}{pad}{body or ' '}{pad}{fence}"


def ascii_only(text: str) -> str:
    """`text` for an output whose encoding is not UTF-8: our own signs in their ASCII spelling, the rest escaped."""
    return text.translate(_ASCII_SIGNS).encode("ascii", "backslashreplace").decode("ascii")


_ASCII_SIGNS = str.maketrans({"±": "-/+", "→": "->", "›": ">", "…": "...", "·": "-", "×": "x", "█": "#", "░": ".", "–": "-", "—": "-", "≤": "<=", "≥": ">="})


def format_money(amount: Decimal) -> str:
    """USD for people: `$8.00`, `$1,240.00`; more than two decimals are kept when they are there."""
    return f"${_decimal(amount, grouped=True)}"


def money_text(amount: Decimal) -> str:
    """USD for documents: a decimal string without sign or grouping, at least two decimals."""
    return _decimal(amount, grouped=False)


def _decimal(amount: Decimal, *, grouped: bool) -> str:
    exponent = amount.normalize().as_tuple().exponent
    places = max(2, -exponent if isinstance(exponent, int) else 2)
    return f"{amount:,.{places}f}" if grouped else f"{amount:.{places}f}"


def format_duration(seconds: float) -> str:
    """A duration as two units at most: `42 s`, `14 min`, `1 h 05 min`, `3 d 4 h`."""
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    if whole < 2 * 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def plural(count: int, noun: str, nouns: str = "") -> str:
    """`1 model`, `2 models`; `nouns` where the plural is irregular."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def nearest(word: str, known: list[str], *, most: int = 3) -> list[str]:
    """Up to `most` of `known` that `word` may have been meant to be, nearest first."""
    from difflib import get_close_matches

    if len(known) > 5000:
        known = [k for k in known if k[:1] == word[:1]][:5000]
    return get_close_matches(word[:200], known, n=most, cutoff=0.6)


def short_digest(digest: str) -> str:
    """The first 12 hex digits of a digest, as people see it."""
    return digest.removeprefix("sha256:")[:12]
