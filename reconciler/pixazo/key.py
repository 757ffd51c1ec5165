"""The API key: where it comes from, an object that never shows it, and the redactor that removes it from any text.

A malformed key is refused before any library sees it, because HTTP libraries print whole headers in their errors.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import select
import shlex
import stat
import subprocess
import time
from collections.abc import Mapping
from typing import NoReturn

from reconciler.errors import ApiProblem
from reconciler.secret import MARK, pattern_of
from reconciler.text import safe

KEY_VARIABLES = ("PIXAZO_API_KEY", "PIXAZO_SUBSCRIPTION_KEY")
KEY_FILE_VARIABLE = "RECONCILER_API_KEY_FILE"
KEY_COMMAND_VARIABLE = "RECONCILER_API_KEY_COMMAND"
SOURCES = (*KEY_VARIABLES, KEY_FILE_VARIABLE, KEY_COMMAND_VARIABLE)
COMMAND_TIMEOUT_SECONDS = 30.0

_SHAPE = re.compile(r"[!-~]{8,256}")
_MOST_BYTES = 4096


class Key:
    """The API key. Its text leaves only through `reveal`, which the transport calls; everything else shows `<key …>`."""

    __slots__ = ("_forms", "_value", "source")

    def __init__(self, value: str, *, source: str = "a test") -> None:
        value = value.removesuffix("\n").removesuffix("\r")
        if not _SHAPE.fullmatch(value):
            raise ApiProblem(
                f"The key from {safe(source, limit=120)} cannot be used: it has {len(value)} characters, and must have 8 to 256 visible ASCII characters"
                " without blanks; nothing was sent."
            )
        self._value = value
        self.source = source
        self._forms = pattern_of(value)

    def __repr__(self) -> str:
        return f"<key from {self.source}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not written anywhere")

    def reveal(self) -> bytes:
        """The header's value. Only the transport may ask."""
        return self._value.encode("ascii")

    def fingerprint(self, lineage: str) -> str:
        """Eight hex digits that tell two keys of one history apart and say nothing about either."""
        return hmac.new(lineage.encode(), self.reveal(), hashlib.sha256).hexdigest()[:8]

    def redact(self, text: str) -> str:
        """`text` with `<key>` wherever the key stood: plain, base64, URL-, JSON- or HTML-encoded."""
        return self._forms.sub(MARK, text)

    def redact_bytes(self, data: bytes) -> bytes:
        """The same for bytes."""
        return self.redact(data.decode("latin-1")).encode("latin-1")


def read_key(environment: Mapping[str, str]) -> Key:
    """The key from the first source that is set. Raises ApiProblem naming sources and lengths, never a value."""
    for name in KEY_VARIABLES:
        if environment.get(name):
            return Key(environment[name], source=name)
    if path := environment.get(KEY_FILE_VARIABLE):
        return Key(_from_file(path), source=KEY_FILE_VARIABLE)
    if command := environment.get(KEY_COMMAND_VARIABLE):
        return Key(_from_command(command, environment), source=KEY_COMMAND_VARIABLE)
    empty = [name for name in SOURCES if name in environment]
    seen = f" ({', '.join(empty)} is set, but empty)" if empty else ""
    raise ApiProblem(f"There is no API key{seen}; nothing was sent. Set one of {', '.join(SOURCES)}; try `-emulate` without a key.")


def _from_file(path: str) -> str:
    try:
        # Without O_NONBLOCK a FIFO would wait for a writer before it could be refused.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise ApiProblem(f"The key file {safe(path, limit=200)} ({KEY_FILE_VARIABLE}) cannot be read: {reason}; nothing was sent.") from None
    try:
        if problem := _file_problem(os.fstat(descriptor)):
            raise ApiProblem(f"The key file {safe(path, limit=200)} ({KEY_FILE_VARIABLE}) {problem}; nothing was sent.")
        return _decoded(os.read(descriptor, _MOST_BYTES))
    finally:
        os.close(descriptor)


def _file_problem(about: os.stat_result) -> str:
    if not stat.S_ISREG(about.st_mode):
        return "is not a regular file"
    if about.st_uid != os.geteuid():
        return "belongs to another user"
    if about.st_mode & 0o077:
        return f"may be read by others (mode {stat.S_IMODE(about.st_mode):04o}); `chmod 600` it"
    return ""


def _from_command(command: str, environment: Mapping[str, str]) -> str:
    try:
        # Its stderr is dropped: a traced script would print the key there.
        child = subprocess.Popen(shlex.split(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(environment))
    except (OSError, ValueError, IndexError):
        raise ApiProblem(f"The command in {KEY_COMMAND_VARIABLE} cannot be started; nothing was sent. It runs without a shell.") from None
    with child:
        try:
            output = _read_bounded(child, time.monotonic() + COMMAND_TIMEOUT_SECONDS)
        finally:
            if child.poll() is None:
                child.kill()
    if child.returncode != 0:
        raise ApiProblem(f"The command in {KEY_COMMAND_VARIABLE} ended with code {child.returncode}; nothing was sent. Run it by hand to see why.")
    return _decoded(output)


def _read_bounded(child: subprocess.Popen[bytes], deadline: float) -> bytes:
    assert child.stdout is not None
    output = b""
    while len(output) < _MOST_BYTES:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([child.stdout], [], [], left)[0]:
            raise ApiProblem(f"The command in {KEY_COMMAND_VARIABLE} gave no key within {COMMAND_TIMEOUT_SECONDS:.0f} s; nothing was sent.")
        piece = os.read(child.stdout.fileno(), _MOST_BYTES - len(output))
        if not piece:
            break
        output += piece
    try:
        child.wait(max(0.1, deadline - time.monotonic()) if len(output) < _MOST_BYTES else 0.1)
    except subprocess.TimeoutExpired:
        raise ApiProblem(f"The command in {KEY_COMMAND_VARIABLE} gave a key and did not end; nothing was sent.") from None
    return output


def _decoded(data: bytes) -> str:
    # Not ASCII is refused by the shape; latin-1 only keeps the length that the message tells.
    return data.decode("latin-1")
