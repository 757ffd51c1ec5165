"""Findings as SARIF 2.1.0: diagnostics, guards and budgets with the region they stand in."""

from __future__ import annotations

from itertools import islice
from typing import Any
from urllib.parse import quote

from reconciler import __version__
from reconciler.plan.change import Plan
from reconciler.reports.document import json_text
from reconciler.reports.findings import Finding, Fingerprints, findings, place_of
from reconciler.reports.run import Run
from reconciler.text import redact, safe

MOST_RESULTS = 5_000
"""GitHub shows no more of one run."""
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(plan: Plan | None, run: Run) -> str:
    """One run with its rules and results; what matters most comes first, so a limit cuts notes."""
    ranked = sorted(findings(plan, run), key=lambda f: ("error", "warning", "note").index(f.level))
    kept = list(islice(ranked, MOST_RESULTS))
    rules = sorted({safe(finding.rule, limit=100) for finding in kept})
    marks = Fingerprints()
    driver = {"name": "lora-reconciler", "version": __version__, "rules": [{"id": rule} for rule in rules]}
    results = [_result(finding, rules, marks) for finding in kept]
    return json_text({"$schema": SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}]})


def _result(finding: Finding, rules: list[str], marks: Fingerprints) -> dict[str, Any]:
    place, rule = place_of(finding), safe(finding.rule, limit=100)
    return {
        "ruleId": rule,
        "ruleIndex": rules.index(rule),
        "level": finding.level,
        "message": {"text": safe(finding.message, limit=1000)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(redact(place.file).encode("utf-8", "replace"))},
                    "region": {"startLine": max(1, place.line), "startColumn": max(1, place.column)},
                }
            }
        ],
        "partialFingerprints": {"ruleAndSubject/v1": marks.of(finding)},
    }
