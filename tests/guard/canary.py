"""The canary of the suite: one random API key per run, looked for in every byte that the suite and its children emit.

`conftest.py` installs it. Files below a test's folders are searched, and what a test prints or logs; here also whatever a
child says: on a pipe that a test reads in any way, on one that nobody reads, and on its way to /dev/null.
"""

import html
import io
import json
import os
import re
import secrets
import subprocess
import tempfile
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

_VARIABLE = "KEY_OF_THIS_RUN"
LARGEST_FILE = 8_000_000
"""Of what is searched."""
_PIECE = 1 << 16
_OVERLAP = 4096


def key_of_the_run():
    """Workers of pytest-xdist are children of the first process, and have its key; no variable of theirs holds it as it is."""
    return "suite" + os.environ.setdefault(_VARIABLE, secrets.token_hex(16)) + "/+=&%"


def shapes_of(key):
    """Finds `key` raw, escaped for URLs, JSON or HTML, and in base64 wherever it stands in what was encoded."""
    raw = key.encode()
    text = {key, quote(key, safe=""), quote_plus(key), json.dumps(key)[1:-1], html.escape(key), repr(key)[1:-1]}
    coded = {encode(b"x" * lead + raw)[4:-4].decode() for encode in (b64encode, urlsafe_b64encode) for lead in range(3)}
    return re.compile(b"|".join(re.escape(shape.encode()) for shape in sorted(text | coded, key=len, reverse=True)))


KEY = key_of_the_run()
SHAPES = shapes_of(KEY)
found: list[str] = []
"""What was seen since it was last asked for; `conftest.py` fails the test that is running then."""
_discarded: list[tuple[str, io.BufferedRandom]] = []


def is_in(data):
    """Whether the key stands in it in any shape."""
    return SHAPES.search(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data) is not None


def files_holding(folder):
    """The regular files below `folder` that contain the key in any shape, and files so named."""
    holders = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        is_searched = path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST_FILE
        if is_in(os.fsencode(name)) or (is_searched and is_in(path.read_bytes())):
            holders.append(name)
    return holders


class Heard(io.RawIOBase):
    """A pipe from a child: what is read from it is searched, and what is left in it when it is closed."""

    def __init__(self, raw, words):
        self._raw, self._words, self._tail = raw, words, b""
        self.name, self.mode = raw.name, raw.mode

    def readinto(self, buffer):
        count = self._raw.readinto(buffer)
        if count:
            self._hear(bytes(buffer[:count]))
        return count

    def _hear(self, piece):
        self._tail += piece
        if is_in(self._tail):
            found.append(self._words)
        self._tail = self._tail[-_OVERLAP:]

    def close(self):
        if not self.closed:
            self._drain()
            self._raw.close()
            super().close()

    def _drain(self):
        try:
            os.set_blocking(self._raw.fileno(), False)
            while piece := os.read(self._raw.fileno(), _PIECE):
                self._hear(piece)
        except OSError:
            pass  # nothing is there yet, or the descriptor is gone

    def readable(self):
        return True

    def fileno(self):
        return self._raw.fileno()

    def isatty(self):
        return False


def _heard(stream, words):
    if isinstance(stream, io.TextIOWrapper):
        encoding, errors, by_line = stream.encoding, stream.errors, stream.line_buffering
        return io.TextIOWrapper(_heard(stream.detach(), words), encoding=encoding, errors=errors, line_buffering=by_line)
    if isinstance(stream, io.BufferedReader):
        return io.BufferedReader(Heard(stream.detach(), words))
    return Heard(stream, words) if isinstance(stream, io.FileIO) else stream


_init, _communicate = subprocess.Popen.__init__, subprocess.Popen.communicate


def _watched_init(self, args, *more, **options):
    words = " ".join(map(str, args)) if isinstance(args, (list, tuple)) else str(args)
    words = SHAPES.sub(b"<key>", words.encode("utf-8", "replace")).decode()[:200]
    for name in ("stdout", "stderr"):
        if options.get(name) == subprocess.DEVNULL:
            _discarded.append((words, tempfile.TemporaryFile()))  # noqa: SIM115 (read and closed when the test ends)
            options[name] = _discarded[-1][1]
    _init(self, args, *more, **options)
    self.stdout, self.stderr = _heard(self.stdout, words), _heard(self.stderr, words)


def _watched_communicate(self, *words, **options):
    said = _communicate(self, *words, **options)
    if any(is_in(text) for text in said if text):
        found.append(str(self.args)[:200])
    return said


def install():
    """From now on every child is listened to. Twice is once."""
    if subprocess.Popen.__init__ is _init:
        subprocess.Popen.__init__ = _watched_init
        subprocess.Popen.communicate = _watched_communicate


def heard():
    """The children that said the key since this was last asked."""
    while _discarded:
        words, file = _discarded.pop()
        file.seek(0)
        tail = b""
        while piece := file.read(_PIECE):
            tail += piece
            if is_in(tail):
                found.append(words)
                break
            tail = tail[-_OVERLAP:]
        file.close()
    said = sorted(set(found))
    found.clear()
    return said
