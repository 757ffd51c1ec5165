"""Text for people and machines: the one door for foreign text, and numbers, money, durations as words.

Every string that this program did not write itself (names, labels, paths, URLs, server messages, exception
texts) passes `safe()` before it reaches any output. Nothing here knows where the output goes.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from html import escape as html_escape
from typing import Literal

Target = Literal["terminal", "log", "markdown", "html", "xml", "csv", "annotation", "json"]

REDACTED = "<redacted>"

_DATA_URL = re.compile(r"(?<![A-Za-z0-9])data:(?:[a-z0-9.+-]{1,100}/[a-z0-9.+-]{1,100})?(?:;[^\s\"'<>,;]{0,100}){0,10},[^\s\"'<>`]*", re.IGNORECASE)
_URL = re.compile(r"://(?P<user>[^\s/?#\"'<>`]*@)?(?P<rest>(?:(?!://)[^\s?#\"'<>`])*)(?P<query>\?(?:<redacted>)*[^\s\"'<>`#]*)?(?P<fragment>#[^\s\"'<>`]*)?")
_SECRET_PARAMETER = re.compile(
    r"(?P<name>[?&;](?:x-(?:amz|goog)-[a-z0-9-]{1,40}|signature|sig|se|sp|sv|st|expires|token|access_token|api_?key|key|password|secret"
    r"|awsaccesskeyid|googleaccessid|policy)=)[^\s&\"'<>`]+",
    re.IGNORECASE,
)
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"})
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
"""Letters and marks that print nothing, although their category does not say so."""
_MOST_MARKS = 3
"""Combining marks in a row that are still writing; more are there to paint over other rows."""


def safe(value: object, target: Target = "terminal", *, limit: int = 500) -> str:
    r"""`value` as text that is inert in `target`, cut to about `limit` code points with an ellipsis; one line, whatever it held.

    Control, bidi, zero-width, tag and surrogate characters become visible (`\\u{202E}`), but in `json`, which carries
    the text itself in ASCII escapes. Queries and user names of URLs become `<redacted>`, inline data its length.
    A `markdown` value is a whole code span; an `annotation` is good for a message (a property also needs `:` and `,` escaped).
    """
    text = redact(str(value))
    if target == "json":
        return json.dumps(_cut(text, limit), ensure_ascii=True)[1:-1]
    text = _readable(text, limit)
    match target:
        case "terminal":
            return text
        case "log":
            return inert_line(text)
        case "markdown":
            return _markdown_code(text)
        case "html" | "xml":
            return html_escape(text, quote=True)
        case "csv":
            return _csv_text(text)
        case "annotation":
            return inert_line(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def safe_all(values: Sequence[str], *, limit: int = 500) -> Sequence[str]:
    """As `safe` for a terminal, of many texts. Most are harmless, which one look at all of them together can tell."""
    together = "".join(values)
    if together.isascii() and together.isprintable() and not any(sign in together for sign in "=,?@#") and max(map(len, values), default=0) <= limit:
        return values
    if len(values) > _TOGETHER:
        return [text for i in range(0, len(values), _TOGETHER) for text in safe_all(values[i : i + _TOGETHER], limit=limit)]
    return [safe(value, limit=limit) for value in values]


_TOGETHER = 64


def redact(text: str) -> str:
    """`text` without what URLs may hide (user names, queries, fragments with values, signing parameters) and without inline data."""
    if ":" in text:
        if "," in text:
            text = _DATA_URL.sub(lambda m: f"data:…({len(m.group(0))} bytes)", text)
        if "?" in text or "@" in text or "#" in text:
            text = _URL.sub(_redacted_url, text)
    return _SECRET_PARAMETER.sub(lambda m: m["name"] + REDACTED, text) if "=" in text else text


def _redacted_url(match: re.Match[str]) -> str:
    user = f"{REDACTED}@" if match["user"] else ""
    query = f"?{REDACTED}" if match["query"] else ""
    fragment = match["fragment"] or ""
    return f"://{user}{match['rest']}{query}{'#' + REDACTED if '=' in fragment else fragment}"


def inert_line(line: str) -> str:
    """A whole line of output that no CI runner takes for a command (`::error::` after its trimming, `##[…]` anywhere)."""
    if "##" in line:
        line = re.sub(r"##(?=[A-Za-z]{0,40}\[)", r"#\\#", line)
    body = line.lstrip()
    if body.startswith("::"):
        return f"{line[: len(line) - len(body)]}\\{body}"
    return line


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def _readable(text: str, limit: int) -> str:
    cut = _cut(text, limit)
    if cut.isascii() and cut.isprintable():
        return cut
    pieces: list[str] = []
    length, marks = 0, _MOST_MARKS
    for char in cut:
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        shown = f"\\u{{{ord(char):02X}}}" if category in _HIDDEN_CATEGORIES or _prints_nothing(char) or marks > _MOST_MARKS else char
        length += len(shown)
        if length > limit + 40:
            pieces.append("…")
            break
        pieces.append(shown)
    return "".join(pieces)


def _prints_nothing(char: str) -> bool:
    return char in _BLANK or "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


def _markdown_code(text: str) -> str:
    runs = [len(run) for run in re.findall(r"`+", text)]
    fence = "`" * (max(runs, default=0) + 1)
    pad = " " if text[:1] in ("`", " ") or text[-1:] in ("`", " ") else ""
    body = text.translate(_MARKDOWN_SIGNS).replace("](", "]\u200b(").replace("[[", "[\u200b[")
    # a mention needs no letter before its sign: `sweep@steps=1000` is a name and stays fit to be copied
    body = re.sub(r"(?<![A-Za-z0-9])@", "@\u200b", body)
    return f"{fence}{pad}{body or ' '}{pad}{fence}"


_MARKDOWN_SIGNS = str.maketrans({"|": "\\|", "<": "\u2039", ">": "\u203a", "#": "#\u200b"})


def _csv_text(text: str) -> str:
    return f"'{text}" if text.lstrip()[:1] in _FORMULA_STARTS else text


_FORMULA_STARTS = frozenset("=+-@＝＋－＠")  # the full-width ones are formulas in some locales


def ascii_only(text: str) -> str:
    """`text` for an output whose encoding is not UTF-8: our own signs in their ASCII spelling, the rest escaped."""
    return text if text.isascii() else text.translate(_ASCII_SIGNS).encode("ascii", "backslashreplace").decode("ascii")


_ASCII_SIGNS = str.maketrans(
    {"±": "-/+", "→": "->", "›": ">", "…": "...", "·": "-", "×": "x", "█": "#", "░": ".", "–": "-", "—": "-", "≤": "<=", "≥": ">=", "‹": "<", "⚠": "!"}
)


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


def format_size(size_bytes: int) -> str:
    """A number of bytes in decimal units: `812 B`, `1.4 kB`, `317 MB`."""
    size, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 999.5:
            break
        size, unit = size / 1000, larger
    return f"{size:.1f} {unit}" if unit != "B" and size < 9.95 else f"{size:,.0f} {unit}"


def format_time(instant: str, *, today: str = "") -> str:
    """An instant (UTC, ISO 8601) for people: `2026-11-21 22:14 UTC`; on the day of `today` (ISO 8601 too) only `22:14 UTC`."""
    if not _INSTANT.match(instant):
        return safe(instant, limit=40)
    day, clock = instant[:10], instant[11:16]
    return f"{clock} UTC" if day == today[:10] else f"{day} {clock} UTC"


_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9.]+)?Z?$")


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
