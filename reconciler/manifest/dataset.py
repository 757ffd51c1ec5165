"""What a model is trained on: the forms a dataset can be written in, and the identity that decides whether it is the same data.

The identity is part of the spec: a rotated signature must not change it, other data must. Nothing is fetched; local
data are digested by a function that the caller hands in, and sent themselves where no URL is given.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from reconciler.manifest.fields import Fields
from reconciler.manifest.keys import DATASET
from reconciler.manifest.local import FolderDigest, LocalReader
from reconciler.manifest.node import Map, Node, Scalar
from reconciler.manifest.scalars import Odd
from reconciler.manifest.source import shown
from reconciler.model import MAX_DATA_URL, Dataset

MAX_URL = 8192
SIGNING = frozenset({"signature", "expires", "sig", "se", "sp", "sv", "st", "token"})
SIGNING_PREFIXES = ("x-amz-", "x-goog-")
"""Query parameters that say who may read and until when, not what is read."""

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_URL_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*\.?")
_STAYS = re.compile(r"/(?:\.|%2[eE]){1,2}(?:/|\Z)")
_LOOPBACK = re.compile(r"localhost|127(?:\.\d{1,3}){3}|\[::1\]")
_PORTS = {"http": "80", "https": "443"}
_DATA = re.compile(r"data:([A-Za-z0-9.+/-]*)((?:;[A-Za-z0-9.+=_-]+)*),(.*)", re.IGNORECASE | re.DOTALL)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DATASET_ID = re.compile(r"[!-~](?:[ -~]{0,254}[!-~])?")


class Unusable(Exception):
    """Why an address cannot be used; `code` is the diagnostic's."""

    def __init__(self, code: str, summary: str, detail: str = "") -> None:
        self.code = code
        self.summary = summary
        self.detail = detail
        super().__init__(summary)


class Address(NamedTuple):
    """A checked URL: what is sent, and what identifies it. `sha256` is known for inline data only."""

    url: str
    identity: str
    sha256: str | None = None


def read_address(text: str) -> Address:
    """Check a dataset's URL. Raises Unusable."""
    if text[:5].lower() == "data:":
        return _inline(text)
    if len(text) > MAX_URL:
        raise Unusable("E110", f"the URL has {len(text):,} characters; the limit is {MAX_URL:,}")
    if not _URL_CHARACTERS.fullmatch(text) or ("%" in text and "%" in _ESCAPE.sub("", text)):
        raise Unusable("E110", f"{shown(text)} is not a URL", "Blanks, backslashes and characters beyond ASCII must be percent-encoded.")
    match = _URL.fullmatch(text)
    if match is None:
        raise Unusable("E110", f"{shown(text)} is not a URL with a host", "Write https://HOST/PATH.")
    scheme, authority, path, query, fragment = match.groups()
    host = _host(scheme.lower(), authority)
    if fragment is not None:
        raise Unusable("E110", "a fragment (#…) is never sent and identifies nothing", "Remove it, or write %23.")
    if _STAYS.search(path):
        raise Unusable("E110", "the URL's path goes up or stays in place (`..`, `.`)", "Write the path that is meant.")
    return Address(text, f"url:{scheme.lower()}://{host}{_normal(path) or '/'}{_identifying(query)}")


@lru_cache(maxsize=1024)
def _host(scheme: str, authority: str) -> str:
    """The host and a port that is not the scheme's own, in lower case. Most datasets of a catalog lie on a few hosts."""
    if scheme not in _PORTS:
        raise Unusable("E110", f"the scheme {shown(scheme)} is not allowed", "Allowed: https, http to loopback, data:, or a local path.")
    if "@" in authority:
        raise Unusable(
            "E110", "user names and passwords in a URL are not allowed", "Use a presigned URL; what identifies the data is kept, the signature is not."
        )
    host, port = authority.lower(), ""
    if (found := re.fullmatch(r"(.*?):([0-9]*)", host)) is not None and not host.endswith("]"):
        host, port = found.groups()
    if port and not 0 < int(port[:6]) < 65536:
        raise Unusable("E110", f"the port {shown(port)} does not exist")
    if not (_HOST.fullmatch(host) or re.fullmatch(r"\[[0-9a-f:.]{2,45}\]", host)) or len(host) > 255:
        raise Unusable("E110", f"{shown(host)} is not a host" if host else "the URL has no host")
    if scheme == "http" and not _LOOPBACK.fullmatch(host):
        raise Unusable("E110", "plain http is allowed to loopback only", "Use https.")
    return host if port in ("", _PORTS[scheme]) else f"{host}:{int(port)}"


def _normal(text: str) -> str:
    """Percent-escapes in one spelling: unreserved characters plain, the rest in capitals."""

    def one(match: re.Match[str]) -> str:
        char = chr(int(match[0][1:], 16))
        return char if char in _UNRESERVED else match[0].upper()

    return _ESCAPE.sub(one, text) if "%" in text else text


def _identifying(query: str | None) -> str:
    """The query without signing parameters, sorted by name (stable), so that a new signature is the same data."""
    if not query:
        return ""
    parts = [_normal(p) for p in query[1:].split("&") if p]
    kept = [p for p in parts if not _signs(p.partition("=")[0].lower())]
    return "?" + "&".join(sorted(kept, key=lambda p: p.partition("=")[0])) if kept else ""


def _signs(name: str) -> bool:
    return name in SIGNING or name.startswith(SIGNING_PREFIXES)


def _inline(text: str) -> Address:
    if len(text) > MAX_DATA_URL:
        raise Unusable("E113", f"the data: URL has {len(text):,} characters; the limit is {MAX_DATA_URL:,}")
    match = _DATA.fullmatch(text)
    if match is None:
        raise Unusable("E113", "this is not a data: URL", "Write data:application/zip;base64,….")
    if ";base64" not in match[2].lower().split(",")[0] or not match[2].lower().endswith(";base64"):
        raise Unusable("E113", "a data: URL must be base64", "Write data:application/zip;base64,….")
    content: bytes | None
    try:
        content = binascii.a2b_base64(match[3].encode("ascii"), strict_mode=True)
        if binascii.b2a_base64(content, newline=False) != match[3].encode("ascii"):  # excess padding passes the strict mode
            content = None
    except (binascii.Error, ValueError):
        content = None
    if content is None:
        raise Unusable("E113", "the base64 of this data: URL is broken", "It needs the standard alphabet and padding, without blanks.")
    if not content:
        raise Unusable("E113", "this data: URL is empty")
    digest = hashlib.sha256(content).hexdigest()
    return Address(text, f"sha256:{digest}", digest)


class DatasetReader:
    """Reads `dataset:` in all its forms."""

    def __init__(self, root: Path, fields: Fields, folder_digest: FolderDigest | None) -> None:
        self._fields = fields
        self._local = LocalReader(root, fields, folder_digest)

    @property
    def looked(self) -> int:
        """How often the file system was asked for a local path: what came of it depends on more than manifests."""
        return self._local.looked

    def read(self, node: Node) -> Dataset | None:
        """The dataset, or None after its problems were added."""
        fields = self._fields
        if type(node) is Map:
            return self._described(node)
        value = fields.value(node)
        if type(value) is str and value and not _is_url(value):
            content = self._local.sent_content(node, value)
            return None if content is None else Dataset("", content, path=value, content=content)
        text = fields.text(node, "dataset", limit=MAX_DATA_URL)
        address = self._address(node, text) if text is not None else None
        return None if address is None else Dataset(address.url, address.identity, address.sha256)

    def _address(self, node: Node, text: str) -> Address | None:
        try:
            return read_address(text)
        except Unusable as why:
            self._fields.fault(why.code, node, why.summary, why.detail)
            return None

    def _described(self, node: Map) -> Dataset | None:
        fields, before = self._fields, self._fields.problems.errors
        fields.unknown(node, "dataset", DATASET)
        url_node, path_node = node.get("url"), node.get("path")
        address = path = content = None
        if url_node is not None and (text := fields.text(url_node, "url", limit=MAX_DATA_URL)) is not None:
            address = self._address(url_node, text)
        sha256 = self._sha256(found, address) if (found := node.get("sha256")) is not None else None
        own = self._own_id(found) if (found := node.get("id")) is not None else None
        images = fields.integer(found, "images", minimum=1, maximum=1_000_000) if (found := node.get("images")) is not None else None
        identity = f"id:{own}" if own else f"sha256:{sha256}" if sha256 else None
        if path_node is not None and (path := fields.text(path_node, "path")) is not None:
            if url_node is None:
                content = self._local.sent_content(path_node, path)
                self._compare(node, content, sha256)
            elif identity is not None:
                self._local.find(path_node, path)
            else:
                content = self._local.content(path_node, path)
        if url_node is None and path_node is None:
            fields.fault("E111", node, "the dataset has neither `url` nor `path`", "Add `url:` with its address, or `path:` where it lies in the project.")
        if fields.problems.errors > before:
            return None
        if address is None:
            return None if content is None else Dataset("", identity or content, sha256, own, images, path, content)
        return Dataset(address.url, identity or content or address.identity, sha256 or address.sha256, own, images, path)

    def _compare(self, node: Map, content: str | None, sha256: str | None) -> None:
        """What is written of data that are sent themselves must be so."""
        if sha256 is None or content is None or content == f"sha256:{sha256}":
            return
        actual = content.removeprefix("sha256:")
        summary = "`sha256` is not the digest of the zip at this path" if actual != content else "a folder has no `sha256`: names and contents identify it"
        self._fields.fault("E111", node.get("sha256") or node, summary, f"Remove it{f', or write {actual}' if actual != content else ''}.")

    def _sha256(self, node: Node, address: Address | None) -> str | None:
        value = self._fields.value(node)
        if isinstance(value, (int, float, Odd)) and not isinstance(value, bool) and type(node) is Scalar:
            self._fields.fault("E102", node, "`sha256` is text", "Quote it.")
            return None
        text = self._fields.text(node, "sha256")
        if text is None:
            return None
        if not _SHA256.fullmatch(text):
            self._fields.fault("E105", node, f"`sha256` must be 64 hex digits, not {shown(text)}", "`sha256sum FILE` prints it.")
            return None
        if address is not None and address.sha256 not in (None, text.lower()):
            self._fields.fault("E111", node, "`sha256` is not the digest of the data in the data: URL", "Remove it, or correct one of them.")
            return None
        return text.lower()

    def _own_id(self, node: Node) -> str | None:
        text = self._fields.text(node, "id", limit=256)
        if text is not None and not _DATASET_ID.fullmatch(text):
            self._fields.fault("E105", node, f"{shown(text)} cannot be a dataset's id", "1 to 256 printable ASCII characters.")
            return None
        return text


def _is_url(text: str) -> bool:
    return "://" in text[:64] or text[:5].lower() == "data:" or text.startswith("//") or re.match(r"[A-Za-z][A-Za-z0-9+.-]{1,20}:", text) is not None
