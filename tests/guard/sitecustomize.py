"""The suite's guards, as audit hooks: nothing talks beyond loopback, nothing opens this checkout's own state.

`conftest.py` runs this file in the test process and puts its folder on PYTHONPATH, so that Python children get the
same guards. An audit hook sees every socket and every open file, whichever library made it, and cannot be undone.
"""

import ipaddress
import os
import socket
import sys

_HOME = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "state") + os.sep
_KEPT_IN_GIT = frozenset({"README.md", ".gitignore"})


class Trespass(BaseException):
    """A test left its ground. Not an Exception: no handler of the product may take it for a fault of the network."""


def _check_host(host):
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host).decode("ascii", "replace")
    if host in (None, "", "localhost"):
        return
    if str(host).rstrip(".").endswith(".invalid"):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    try:
        is_ours = ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        is_ours = False
    if not is_ours:
        raise Trespass(f"a test reached for {host!s:.80}; only loopback is allowed")


def _check_address(sock, address):
    if isinstance(address, tuple) and getattr(sock, "family", None) in (socket.AF_INET, socket.AF_INET6):
        _check_host(address[0])


def _check_file(path):
    if isinstance(path, (bytes, bytearray)):
        path = os.fsdecode(bytes(path))
    if not isinstance(path, str) or "state" not in path and os.sep in path:
        return
    path = os.path.abspath(path.removeprefix("file:").partition("?")[0])
    if path.startswith(_HOME) and os.path.basename(path) not in _KEPT_IN_GIT:
        raise Trespass(f"a test opened {path}, the default state of this checkout; use tmp_path")


_KEYS = ("PIXAZO_API_KEY", "PIXAZO_SUBSCRIPTION_KEY")


def _check_words(words):
    """The process list shows the words of a command line to everybody."""
    keys = [os.environ[name].encode() for name in _KEYS if len(os.environ.get(name, "")) >= 8]
    words = [words] if isinstance(words, (str, bytes)) else words
    said = b"\n".join(os.fsencode(word) for word in words)
    if any(key in said for key in keys):
        raise Trespass("the API key stands in the command line of a child")


def _guard(event, args):
    if event in ("open", "sqlite3.connect"):
        _check_file(args[0])
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"):
        _check_address(args[0], args[1])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        _check_host(args[0])
    elif event in ("subprocess.Popen", "os.exec", "os.posix_spawn"):
        _check_words(args[1])


sys.addaudithook(_guard)
