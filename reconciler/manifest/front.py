"""From a path to text: what is opened, how much of it, and which characters may pass. YAML begins after this.

No link leads out of the project, nothing but regular files is opened, and nothing that could hide from a reviewer's
eye (control, bidi and line-separator characters) reaches a parser.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

from reconciler.diagnostics import Place
from reconciler.manifest.source import Problems, Source

MAX_FILE_BYTES = 10 * 1024 * 1024
MAX_CHARACTER_PROBLEMS = 20
CHUNK_BYTES = 1 << 20

HIDDEN = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f"
"""Inside a character class: what is refused everywhere, in quotes and comments too."""
ZERO_WIDTH = "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200d\u2060-\u2064\u3164\ufeff\uffa0"
"""Inside a character class: what is refused outside of quotes."""

_FORBIDDEN = re.compile(f"[{HIDDEN}\ufeff]|\r(?!\n)")
_HARMLESS = bytes([9, 10, *range(32, 127)])
"""Bytes that need no closer look: printable ASCII, tab, line feed."""
_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_KNOWN_SECRETS = (
    (("sk-", "sk_", "rk-", "rk_", "pk-", "pk_"), re.compile(r"\b[srp]k[-_][A-Za-z0-9_-]{20}")),
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30}")),
    (("hf_",), re.compile(r"\bhf_[A-Za-z0-9]{30}")),
    (("AIza",), re.compile(r"\bAIza[A-Za-z0-9_-]{30}")),
    (("xox",), re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10}")),
    (("PRIVATE KEY",), re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY")),
)
_SECRET_WORDS = ("apikey", "api_key", "api-key", "subscription", "secret", "passw", "auth")
_NAMED_SECRETS = re.compile(r"(?i)(?:api[_-]?key|subscription[_-]?key|secret|passwo?r?d|auth[_-]?token)[\"']?[ \t]{0,20}:[ \t]{0,20}[\"']?(?=[^\s\"'$,}]{8})")
"""The words before each pattern are looked for first: a hundred times cheaper, and nearly always in vain."""
_HEX_RUNS = bytes(ord("a") if chr(byte) in "0123456789abcdefABCDEF" else ord(" ") for byte in range(256))
_HEX = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{32}(?=[\"']?[ \t]{0,20}(?:[\r\n,}#]|$))")
_HEX_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]{0,100})[\"']?[ \t]{0,20}:[ \t]{0,20}[\"']?$")
_HEX_KEYS = frozenset({"id", "request_id", "attempt", "sha256", "from", "to"})


def read_source(root: Path, path: str, problems: Problems) -> Source | None:
    """The text of `path` (relative to `root`), or None after its problems were added."""
    raw = read_bytes(root, path, problems)
    return None if raw is None else decode(path, raw, problems)


def read_bytes(root: Path, path: str, problems: Problems) -> bytes | None:
    """The bytes of a regular file inside the project, at most 10 MB, or None after its problem was added."""
    place = Place(path)
    real = os.path.realpath(root / path)
    inside = os.path.realpath(root)
    if os.path.commonpath([real, inside]) != inside:
        problems.add("E002", "the link leads out of the project folder", "Files of a project must lie in it.", place=place)
        return None
    try:
        handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        problems.add(*_open_problem(error), place=place)
        return None
    try:
        return _read_open(handle, place, problems)
    except OSError as error:
        problems.add(*_open_problem(error), place=place)
        return None
    finally:
        os.close(handle)


def _open_problem(error: OSError) -> tuple[str, str, str]:
    match error.errno:
        case errno.ELOOP:
            return "E001", "the link leads in a circle, or is a link to a link", "Put the file itself here."
        case errno.ENOENT:
            return "E001", "the file does not exist, or is a link to nothing", ""
        case errno.EACCES | errno.EPERM:
            return "E001", "no permission to read the file", ""
        case errno.ENXIO | errno.EISDIR:
            return "E003", "not a regular file", "Only regular files are read."
        case _:
            return "E001", f"the file cannot be read: {os.strerror(error.errno or errno.EIO)}", ""


def _read_open(handle: int, place: Place, problems: Problems) -> bytes | None:
    before = os.fstat(handle)
    if not stat.S_ISREG(before.st_mode):
        kind = "a folder" if stat.S_ISDIR(before.st_mode) else "not a regular file"
        problems.add("E003", f"this is {kind}", "Only regular files are read.", place=place)
        return None
    if before.st_size > MAX_FILE_BYTES:
        problems.add(
            "E004", f"the file has {before.st_size:,} bytes; the limit is {MAX_FILE_BYTES:,}", "Split it: where a model is written has no meaning.", place=place
        )
        return None
    data = bytearray()
    while len(data) <= before.st_size and (chunk := os.read(handle, CHUNK_BYTES)):
        data += chunk
    after = os.fstat(handle)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(data) != before.st_size:
        problems.add("E009", "the file changed while it was read", "Run again when nothing writes to it.", place=place)
        return None
    return bytes(data)


def decode(path: str, raw: bytes, problems: Problems) -> Source | None:
    """Bytes as checked text, or None after problems were added. A byte order mark at the start is dropped."""
    if (wrong := _not_text(raw)) is not None:
        problems.add("E005", wrong, "Manifests are UTF-8 text.", place=Place(path))
        return None
    body = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        text = body.decode("utf-8", errors="strict")
    except UnicodeDecodeError as error:
        good = body[: error.start].decode("utf-8")
        place = Source(path, good).position(len(good))
        problems.add("E005", f"byte 0x{body[error.start]:02x} is not UTF-8", "Save the file as UTF-8.", place=place)
        return None
    source = Source(path, text)
    _find_secrets(source, body, problems)
    return source if not body.translate(None, _HARMLESS) or _characters_pass(source, problems) else None


def _not_text(raw: bytes) -> str | None:
    if raw.startswith(_MARKS) or (len(raw) > 3 and raw[0] and not raw[1] and raw[2] and not raw[3]) or (len(raw) > 3 and not raw[0] and raw[1] and not raw[2]):
        return "the file is UTF-16 or UTF-32"
    if raw.startswith(b"\x1f\x8b"):
        return "the file is gzip data"
    if raw.startswith(b"PK\x03\x04"):
        return "the file is a zip archive"
    return None


def _characters_pass(source: Source, problems: Problems) -> bool:
    """Adds the first forbidden characters, each with its place."""
    found = 0
    for match in _FORBIDDEN.finditer(source.text):
        found += 1
        if found > MAX_CHARACTER_PROBLEMS:
            break
        place = source.position(match.start())
        problems.add("E006", _character_message(match.group()), "In double quotes it can be written as an escape where it is allowed at all.", place=place)
    return found == 0


def _character_message(char: str) -> str:
    if char == "\0":
        return "a NUL character is not allowed; this is probably not a text file"
    if char == "\r":
        return "a carriage return without a line feed is not allowed; use one kind of line end"
    return f"the character U+{ord(char):04X} is not allowed: it cannot be seen by a reviewer"


def _find_secrets(source: Source, body: bytes, problems: Problems) -> None:
    """Adds what looks like a secret, without repeating it; its lines are never shown."""
    for start in sorted(_secrets(source.text, body))[:MAX_CHARACTER_PROBLEMS]:
        place = source.position(start)
        if place.line in source.secret_lines:
            continue
        source.secret_lines.add(place.line)
        detail = "The key comes from the environment and from nowhere else. If this one is real, revoke it: it stays in the history."
        problems.add("E008", "this looks like an API key or another secret", detail, place=place)


def _secrets(text: str, body: bytes) -> list[int]:
    hits = [m.start() for words, pattern in _KNOWN_SECRETS if any(word in text for word in words) for m in pattern.finditer(text)]
    lowered = text.lower()
    if any(word in lowered for word in _SECRET_WORDS):
        hits += [m.end() for m in _NAMED_SECRETS.finditer(text)]
    for match in _HEX.finditer(text) if b"a" * 32 in body.translate(_HEX_RUNS) else ():
        key = _HEX_KEY.search(text[max(text.rfind("\n", 0, match.start()), match.start() - 160) + 1 : match.start()])
        if key is not None and key[1] not in _HEX_KEYS:
            hits.append(match.start())
    return hits
