"""Manifests of nearly 10 MB, each of which asks most of one part of the reader; and a small program that measures one of them.

`python -m tests.hostile.worst NAME` prints CPU seconds of reading it, CPU seconds of reading 10,000 good models (0.5 MB) on the
same machine at the same moment, the peak of memory in MB, the number of problems and their codes, as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from reconciler.manifest.load import load

FULL = 10 * 1024 * 1024 - 100
MODELS = "version: 1\nmodels:\n"


def many(count: int, line: Callable[[int], str]) -> str:
    return "".join(map(line, range(count)))


def model(i: int) -> str:
    return f"  m{i}:\n    dataset: https://d.example.com/{i}.zip\n"


WORST: dict[str, Callable[[], str]] = {
    "flow depth": lambda: "a: " + "[" * (FULL // 2) + "]" * (FULL // 2),
    "flow depth of maps": lambda: "a: " + "{a: " * (FULL // 5),
    "block depth": lambda: "".join(" " * i + "a:\n" for i in range(4000)),
    "keys": lambda: "version: 1\n" + many(800_000, lambda i: f"k{i}: 1\n"),
    "one key, again and again": lambda: "a: 1\n" * (FULL // 5),
    "an alias bomb": lambda: "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + many(20, lambda i: f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n"),
    "a broad alias bomb": lambda: "x: &a [" + ",".join(["x"] * 10_000) + "]\n" + many(500_000, lambda i: f"k{i}: *a\n"),
    "merges": lambda: "x: &a {a: 1}\n" + many(250_000, lambda i: f"m{i}:\n  <<: *a\n"),
    "one scalar": lambda: "name: " + "a" * (FULL - 100),
    "one quoted scalar of escapes": lambda: 'name: "' + "\\u0041" * (FULL // 6 - 10) + '"',
    "one folded scalar": lambda: "name: >\n" + "  a\n" * (FULL // 4 - 10),
    "anchors": lambda: "version: 1\n" + many(450_000, lambda i: f"k{i}: &a{i} 1\n"),
    "quotes": lambda: "'" * FULL,
    "double quotes": lambda: '"' * FULL,
    "colons": lambda: ":" * FULL,
    "dashes": lambda: "-\n" * (FULL // 2),
    "empty maps": lambda: "a: [" + "{}," * (FULL // 3 - 10) + "]",
    "comments": lambda: "#\n" * (FULL // 2),
    "line ends": lambda: "\r\n" * (FULL // 2),
    "tabs": lambda: "\t" * FULL,
    "directives": lambda: "%\n" * (FULL // 2),
    "tags": lambda: "! " * (FULL // 2),
    "documents": lambda: "---\n" * (FULL // 4),
    "conflict markers": lambda: "<<<<<<< a\n" * (FULL // 11),
    "template braces": lambda: "a: " + "{{ x }} " * (FULL // 8 - 10),
    "bidi characters": lambda: "\u202e" * (FULL // 3),
    "what looks like keys": lambda: ("a: " + "0123456789abcdef" * 2 + "\n") * (FULL // 40),
    "words of secrets": lambda: ("apikey" + " " * 20) * (FULL // 27),
    "colons inside of words": lambda: "version: 1\na: {" + "b:c," * (FULL // 4 - 20),
    "bad models": lambda: MODELS + many(330_000, lambda i: f"  M{i}:\n    datas: x\n"),
    "unknown keys": lambda: MODELS + many(80_000, lambda i: f"  m{i}:\n    dataset: https://d.example.com/{i}.zip\n    stps{i}: 4\n"),
    "variables behind variables": lambda: "version: 1\nvariables:\n" + many(150_000, lambda i: f'  v{i}: {{default: "${{var.v{i + 1}}}"}}\n'),
    "variables that nobody declared": lambda: (
        "version: 1\nvariables:\n" + many(50_000, lambda i: f"  v{i}: {{default: x}}\n") + "models:\n"
        + many(50_000, lambda i: f'  m{i}:\n    dataset: "${{var.w{i}}}"\n')
    ),
    "moves of nothing": lambda: MODELS + many(40_000, model) + "moved:\n" + many(60_000, lambda i: f"  - {{from: a{i}, to: n{i}}}\n"),
    "big matrices": lambda: MODELS + many(1_500, lambda i: model(i) + f"    matrix: {{steps: [{','.join(map(str, range(100, 1000)))}]}}\n"),
    "winners that are none": lambda: MODELS + many(40_000, lambda i: model(i) + "    matrix: {steps: [100, 200]}\n    winner: {steps: 5}\n"),
}  # fmt: skip


def read(text: str) -> tuple[float, list[str]]:
    """CPU seconds of reading it as a project's only manifest, and the codes of what was found."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "models").mkdir()
        (root / "reconciler.yaml").write_text("version: 1\n")
        path = root / "models" / "a.yaml"
        path.write_text(text, newline="")
        assert path.stat().st_size <= 10 * 1024 * 1024
        began = time.process_time()
        loaded = load(root, environment="default")
        return time.process_time() - began, [d.code for d in loaded.diagnostics]


def main(name: str) -> None:
    seconds, codes = read(WORST[name]())
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    good, _ = read(MODELS + many(10_000, model))
    print(json.dumps({"seconds": seconds, "good": good, "megabytes": megabytes, "problems": len(codes), "codes": sorted(set(codes))}))


if __name__ == "__main__":
    main(sys.argv[1])
