"""The catalog as one page: opened from a disk as well as from a server, asks nobody for anything, readable without its script."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from reconciler.catalog.look import SCRIPT, STYLE
from reconciler.text import format_money, format_size, format_time, plural, redact, safe, short_digest

_TONES = {"succeeded": "good", "failed": "bad", "lost": "bad", "held": "bad", "in_doubt": "bad", "running": "calm", "queued": "calm", "submitting": "calm"}
MOST_TEXT = 2000
MOST_SEARCH = 4000


def catalog_page(document: Mapping[str, Any], *, hrefs: Mapping[str, str]) -> str:
    """The page of a catalog document. `hrefs`: path of a saved file → where it lies from the page."""
    title = f"LoRA catalog · {_text(document['environment'])}"
    policy = f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}"
    pieces = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        '<meta name="robots" content="noindex">',
        f"<title>{title}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        *_header(document, title),
        "<main>",
        *(piece for row in document["models"] for piece in _card(row, hrefs)),
        "</main>",
        *_footer(document),
        f"<script>{SCRIPT}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(pieces) + "\n"


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(value: object, limit: int = 500) -> str:
    return safe(value, "html", limit=limit)


def _header(document: Mapping[str, Any], title: str) -> Iterator[str]:
    summary = document["summary"]
    phases = summary["phases"]
    told = ", ".join(f"{count:,} {_text(phase).replace('_', ' ')}" for phase, count in phases.items())
    cost = format_money(summary["cost"])
    doubt = f"; {format_money(summary['in_doubt'])} in doubt" if summary["in_doubt"] else ""
    yield f"<header><h1>{title}</h1>"
    yield f'<p class="sum">{plural(summary["models"], "model")}{f": {told}" if told else ""}. The jobs that they point to cost {cost}{doubt}.</p>'
    yield '<div class="tools" id="tools" hidden><input type="search" id="search" placeholder="Search names, labels, triggers" aria-label="Search" autocomplete="off">'
    if len(phases) > 1:
        yield from (
            f'<button type="button" data-phase="{_text(phase)}" aria-pressed="false">{_text(phase).replace("_", " ")} {count:,}</button>'
            for phase, count in phases.items()
        )
    yield '<span id="count" role="status"></span></div></header>'


def _card(row: Mapping[str, Any], hrefs: Mapping[str, str]) -> Iterator[str]:
    phase = str(row["phase"])
    breakable = re.sub("([@,])", r"\1<wbr>", _text(row["name"]))
    anchor = quote(str(row["name"]), safe="")
    yield f'<article id="{_text(row["name"])}" data-phase="{_text(phase)}" data-search="{_search(row)}">'
    tone = f" {_TONES[phase]}" if phase in _TONES else ""
    yield f'<div class="top"><h2><a href="#{anchor}">{breakable}</a></h2><span class="phase{tone}">{_text(phase).replace("_", " ")}</span></div>'
    if row["description"]:
        yield f"<p>{_text(row['description'], MOST_TEXT)}</p>"
    if row["error"]:
        yield f'<p class="error">{_text(row["error"], MOST_TEXT)}</p>'
    if row["labels"]:
        items = "".join(f"<li>{_text(key)}: {_text(value)}</li>" for key, value in row["labels"].items())
        yield f'<ul class="labels">{items}</ul>'
    yield from _facts(_first_facts(row, hrefs))
    more = list(_facts(_more_facts(row)))
    if more:
        yield "<details><summary>Spec and job</summary>"
        yield from more
        yield "</details>"
    yield "</article>"


def _search(row: Mapping[str, Any]) -> str:
    labels = [f"{key}:{value} {key}={value} {value}" for key, value in row["labels"].items()]
    words = [row["name"], row["phase"], row["description"], row["trigger"], row["request_id"] or "", *labels]
    return _text(" ".join(map(str, words)).lower(), MOST_SEARCH)


def _facts(facts: Iterator[tuple[str, str]]) -> Iterator[str]:
    pairs = [f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts if value]
    if pairs:
        yield f"<dl>{''.join(pairs)}</dl>"


def _first_facts(row: Mapping[str, Any], hrefs: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if row["trigger"]:
        yield "trigger", f"<code>{_text(row['trigger'])}</code>"
    for artifact in row["artifacts"]:
        yield _text(artifact["role"]), _file(artifact, hrefs)
    parameters = row["spec"]["parameters"] or {}
    yield "settings", ", ".join(f"{_text(key)} {_text(value)}" for key, value in sorted(parameters.items()))


def _file(artifact: Mapping[str, Any], hrefs: Mapping[str, str]) -> str:
    """The saved file where there is one, else the vendor's address; one that had a signature is shown and not linked, because it is cut."""
    size = f" · {format_size(artifact['size_bytes'])}" if artifact["size_bytes"] is not None else ""
    url = str(artifact["url"])
    if artifact["path"]:
        href = hrefs.get(artifact["path"], artifact["path"])
        digest = f" · sha256 <code>{_text(artifact['sha256'])[:12]}</code>" if artifact["sha256"] else ""
        name = _text(str(artifact["path"]).rpartition("/")[2])
        return f'<a href="{_text(quote(href), MOST_TEXT)}" title="{_text(artifact["path"])}">{name}</a>{size}{digest}'
    if url == redact(url) and url.startswith(("https://", "http://")):
        return f'<a href="{_text(url, 8192)}" rel="noreferrer noopener">{_text(url.rpartition("/")[2] or url)}</a>{size}'
    return f"{_text(url, MOST_TEXT)}{size}"


def _more_facts(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    spec = row["spec"]
    yield "trainer", _text(spec["trainer"] or "")
    yield "data set", _text(spec["dataset"] or "", MOST_TEXT)
    yield "images", "" if row["images"] is None else f"{row['images']:,}"
    yield "generation", "" if spec["generation"] in (None, 1) else _text(spec["generation"])
    yield "spec", f"<code>{_text(short_digest(row['spec_digest']))}</code>" if row["spec_digest"] else ""
    yield "job", f"<code>{_text(row['job'])}</code>" if row["job"] else ""
    yield "request", f"<code>{_text(row['request_id'])}</code>" if row["request_id"] else ""
    yield "price", "" if row["price"] is None else format_money(row["price"])
    yield "bought", _text(format_time(row["submitted_at"])) if row["submitted_at"] else ""
    yield "ended", _text(format_time(row["settled_at"])) if row["settled_at"] else ""
    yield "declared", _text(f"{row['source']['file']}:{row['source']['line']}") if row["source"] else ""


def _footer(document: Mapping[str, Any]) -> Iterator[str]:
    state = document["state"]
    yield f"<footer>Made by <code>reconciler catalog build</code> from state serial {state['serial']:,}; the same as data is in <code>catalog.json</code>.</footer>"
