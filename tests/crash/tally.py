"""Figures of a sweep: counted, demanded, and appended to a file when the full sweep asks for its summary."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field

from tests.crash.world import Verdict

FIGURES = "CRASH_FIGURES"
"""The file that a sweep appends its figures to; `bench/crash.py` sets it and adds them up."""

THIN = int(os.environ.get("CRASH_THIN", "1"))
"""The full sweeps take each so-manieth case: 1 is all of them."""


@dataclass
class Tally:
    """What came of the cases of one kind. The part of `kind` in front of the colon is what the summary adds up by."""

    kind: str
    kills: int = 0
    missed: int = 0
    """Cases that ended before the fault came."""
    charges: int = 0
    doubts: int = 0
    false_doubts: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    more: Counter[str] = field(default_factory=Counter)

    def count(self, place: object, verdict: Verdict) -> None:
        self.kills += 1
        self.charges += verdict.charges
        self.doubts += verdict.doubts
        self.false_doubts += verdict.false_doubts
        self.codes[verdict.ended.code] += 1
        self.wrong += [f"{self.kind} at {place}: {w}\n{verdict.ended.err[-600:]}" for w in verdict.wrong]

    def demand(self) -> None:
        """Keep the figures; every promise must have held."""
        if path := os.environ.get(FIGURES):
            row = {
                "kind": self.kind,
                "cases": self.kills,
                "missed": self.missed,
                "charges": self.charges,
                "doubts": self.doubts,
                "false_doubts": self.false_doubts,
                "codes": {str(k): n for k, n in self.codes.items()},
                "wrong": len(self.wrong),
                **self.more,
            }
            with open(path, "a") as file:
                file.write(json.dumps(row) + "\n")
        assert not self.wrong, f"{len(self.wrong)} of {self.kills}:\n" + "\n".join(self.wrong[:8])
