"""Where the files of a finished job may stand in an answer, and which of them are the weights. Downloading is another room's work."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from reconciler.job import Artifact
from reconciler.pixazo.endpoint import is_loopback

MOST_ARTIFACTS = 100

_WEIGHTS_KEYS = frozenset({"diffusers_lora_file", "lora_file", "lora_url", "weights"})
_CONFIG_KEYS = frozenset({"config_file"})
_OUTPUT_KEYS = frozenset({"media_url", "url", "output_url"})
_WRAPPERS = ("result", "payload", "data")
_GALLERIES = ("images", "image", "videos", "video", "audio", "files", "file")
_NEVER = re.compile(
    r"(?:polling|poll|response|status|cancel|webhook|callback)_?(?:url|endpoint|uri)s?|webhook|callback|input|request|parameters|.*data_url", re.IGNORECASE
)
"""Keys of addresses that are no results: where to ask, and what we ourselves sent."""
_URL = re.compile(r"https?://[^\s\"<>\\`]{1,8192}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found. `counts`: there is a file in a place where results stand, so the job has an artifact."""

    artifacts: tuple[Artifact, ...] = ()
    counts: bool = False
    refused: tuple[str, ...] = ()
    """Hosts of addresses that were left out because they are not https."""

    @property
    def has_weights(self) -> bool:
        """Whether one of them is certainly the weights."""
        return any(a.role == "weights" for a in self.artifacts)


@dataclass(frozen=True, slots=True)
class _Place:
    path: str
    url: str
    key: str
    """The named key it stands under; empty for an address found elsewhere."""
    about: Mapping[str, Any]


def find_artifacts(answer: Mapping[str, Any]) -> Found:
    """Every file of the answer, each address once, the named places first."""
    places = [*_named(answer, ""), *_anywhere(answer, "", {})]
    kept: dict[str, Artifact] = {}
    refused: dict[str, None] = {}
    counts = False
    for place in places:
        host = _host(place.url)
        if host is None or len(kept) >= MOST_ARTIFACTS:
            continue
        artifact = _artifact(place)
        result = bool(place.key) or artifact.role == "weights"
        if place.url[:6].lower() != "https:" and not is_loopback(host):
            refused.update({host: None} if result else {})
            continue
        counts = counts or result
        kept.setdefault(place.url, artifact)
    return Found(tuple(kept.values()), counts, tuple(refused))


def _named(answer: Mapping[str, Any], path: str) -> Iterator[_Place]:
    for key, value in answer.items():
        if key in _WEIGHTS_KEYS | _CONFIG_KEYS | {"media_url", "output_url"}:
            yield from _files(value, f"{path}{key}", key)
    output = answer.get("output")
    if isinstance(output, dict):
        yield from (
            place for key, value in output.items() if key in _WEIGHTS_KEYS | _CONFIG_KEYS | _OUTPUT_KEYS for place in _files(value, f"{path}output.{key}", key)
        )
    elif output is not None:
        yield from _files(output, f"{path}output", "output")
    for wrapper in _WRAPPERS:
        inner = answer.get(wrapper)
        if isinstance(inner, dict):
            yield from _named(inner, f"{path}{wrapper}.") if path.count(".") < len(_WRAPPERS) else ()
            yield from (place for key in sorted(_OUTPUT_KEYS & inner.keys()) for place in _files(inner[key], f"{path}{wrapper}.{key}", key))
        elif inner is not None:
            yield from _files(inner, f"{path}{wrapper}", wrapper)
    for gallery in _GALLERIES:
        yield from _files(answer.get(gallery), f"{path}{gallery}", gallery)


def _files(value: Any, path: str, key: str) -> Iterator[_Place]:
    match value:
        case str():
            yield _Place(path, value, key, {})
        case list():
            for index, item in enumerate(value):
                if not isinstance(item, list):
                    yield from _files(item, f"{path}[{index}]", key)
        case {"url": str(url)}:
            yield _Place(f"{path}.url", url, key, value)


def _anywhere(value: Any, path: str, about: Mapping[str, Any]) -> Iterator[_Place]:
    match value:
        case str():
            yield _Place(path, value, "", about)
        case list():
            for index, item in enumerate(value):
                yield from _anywhere(item, f"{path}[{index}]", {})
        case dict():
            for key, item in value.items():
                if not _NEVER.fullmatch(key):
                    yield from _anywhere(item, f"{path}.{key}" if path else key, value if key == "url" else {})


def _artifact(place: _Place) -> Artifact:
    stated = place.about.get("file_name")
    name = stated if isinstance(stated, str) and 0 < len(stated) <= 255 and stated.isprintable() else ""
    size = place.about.get("file_size")
    whole = size if isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**63 else None
    return Artifact(_role(place, name), place.url, place.path, name, whole)


def _role(place: _Place, name: str) -> str:
    for candidate in (unquote(urlsplit(place.url).path).lower(), name.lower()):
        if candidate.endswith(".safetensors"):
            return "weights"
        if candidate.endswith(".json"):
            return "config"
    if place.key in _CONFIG_KEYS:
        return "config"
    return "weights" if place.key in _WEIGHTS_KEYS else "other"


def _host(url: str) -> str | None:
    if not _URL.fullmatch(url) or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
        return parts.hostname.lower() if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None
