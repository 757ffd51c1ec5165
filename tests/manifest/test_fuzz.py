"""Whatever a manifest or a project file holds, reading it ends in values or in diagnostics, never in an exception."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifest import keys
from reconciler.manifest.load import load

SECRET = "sk-abcdefghijklmnopqrstuvwx"
TEXTS = [
    "",
    " ",
    "x",
    "otter",
    "dev",
    "default",
    "${var.x}",
    "${var.y}",
    "a${var.x}b",
    "${",
    "$${x}",
    "https://d.example.com/a.zip",
    "data:;base64,QUJD",
    "not_submitted",
    "../x",
    "1500",
]
TEXTS += [
    "string",
    "integer",
    "steps",
    "labels.a",
    "retry",
    "80%",
    "\u202e",
    "=cmd()",
    "__proto__",
    "file",
    "git:x",
    "pixazo-flux2-pro",
    "2026-01-01",
    ">=0",
    "**",
    "[",
    "a/**/b[!",
    SECRET,
]
scalars = st.one_of(st.none(), st.booleans(), st.integers(-2, 2**64), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(TEXTS))
NAMES = sorted(
    {
        *keys.MODEL,
        *keys.DATASET,
        *keys.LIFECYCLE,
        *keys.VARIABLE,
        *keys.MOVED,
        *keys.REMOVED,
        *keys.ADOPT,
        *keys.RESOLUTION,
        "steps",
        "learning_rate",
        "exclude",
        "x",
        "y",
        "otter",
    }
)
PROJECT_NAMES = sorted(
    {
        *keys.PROJECT,
        *keys.PRICE,
        *keys.BUDGET,
        *keys.MONTH,
        *keys.GUARDS,
        *keys.STATE,
        *keys.ENVIRONMENT,
        *keys.POLLING,
        *keys.TRAINER,
        *keys.PARAMETER,
        "x",
        "dev",
    }
)


def tree(names: list[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(names), inner, max_size=4)), max_leaves=12
    )


def block(table: keys.Table, names: list[str]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional={name: tree(names) for name in table})


MANIFESTS = st.fixed_dictionaries(
    {"version": st.just(1)},
    optional={
        "models": st.dictionaries(
            st.sampled_from(["otter", "heron", "X", "1"]), block({**keys.MODEL, **keys.VARIABLE, "steps": keys.MODEL["generation"]}, NAMES), max_size=3
        ),
        "defaults": block(keys.SHARED, NAMES),
        "variables": st.dictionaries(st.sampled_from(["x", "y", "a-b"]), block(keys.VARIABLE, NAMES), max_size=2),
        "moved": st.lists(block(keys.MOVED, NAMES), max_size=2),
        "removed": st.lists(block(keys.REMOVED, NAMES), max_size=2),
        "adopt": st.lists(block(keys.ADOPT, NAMES), max_size=2),
        "resolutions": st.lists(block(keys.RESOLUTION, NAMES), max_size=2),
    },
)
PROJECTS = st.fixed_dictionaries({"version": st.just(1)}, optional={name: tree(PROJECT_NAMES) for name in keys.PROJECT if name != "version"})


def read(project: Any, manifest: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "models").mkdir()
        (root / "reconciler.yaml").write_text(json.dumps(project, indent=1))
        (root / "models" / "a.yaml").write_text(json.dumps(manifest, indent=1))
        loaded = load(root, environment="default", variables={"x": ("1", "-var")})
    assert (loaded.catalog is None) == any(d.severity == "error" for d in loaded.diagnostics)
    for diagnostic in loaded.diagnostics:
        assert (diagnostic.summary + diagnostic.detail).isprintable()
        assert SECRET not in f"{diagnostic}", "a secret is not repeated"


@settings(max_examples=250, deadline=None)
@given(MANIFESTS)
def test_no_manifest_raises(manifest: Any) -> None:
    read({"version": 1}, manifest)


@settings(max_examples=150, deadline=None)
@given(tree(NAMES))
def test_no_value_on_top_raises(manifest: Any) -> None:
    read({"version": 1}, manifest)


@settings(max_examples=250, deadline=None)
@given(PROJECTS)
def test_no_project_file_raises(project: Any) -> None:
    read(project, {"version": 1})
