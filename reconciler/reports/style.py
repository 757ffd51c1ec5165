"""How an output can look: its width, its colours, its alphabet. The only file that knows ANSI escape codes.

Which of these an output has is found out by the commands (tty, encoding, environment); nothing here looks at the world.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reconciler.plan.action import Action
from reconciler.text import ascii_only, safe, safe_all

Tone = Literal["plain", "bad", "warn", "good", "calm", "faint", "strong"]
"""What a colour says again that a word beside it has said already."""

NARROWEST = 40
WIDEST = 400

_CODES: dict[Tone, str] = {"plain": "", "bad": "31", "warn": "33", "good": "32", "calm": "36", "faint": "2", "strong": "1"}
_TONES: dict[Action, Tone] = {
    Action.IN_DOUBT: "bad",
    Action.HELD: "bad",
    Action.RETRAIN: "warn",
    Action.TRAIN: "good",
    Action.ADOPT: "calm",
    Action.REUSE: "calm",
    Action.MOVE: "calm",
    Action.UPDATE: "calm",
    Action.WAIT: "faint",
    Action.FORGET: "faint",
    Action.UNCHANGED: "plain",
}


def tone_of(action: Action) -> Tone:
    """The tone of a row with this action."""
    return _TONES[action]


@dataclass(frozen=True, slots=True)
class Style:
    """The look of one output. `width` is in columns and is kept between 40 and 400."""

    width: int = 100
    color: bool = False
    unicode: bool = True

    @classmethod
    def plain(cls, width: int = 100) -> Style:
        """No colour, all signs: what a file or a pipe gets."""
        return cls(width=width)

    @property
    def columns(self) -> int:
        """The usable width: terminals wrap on their own when the last column is written."""
        return min(max(self.width, NARROWEST), WIDEST) - 1

    def own(self, text: str) -> str:
        """Text of this program in the output's alphabet."""
        return text if self.unicode else ascii_only(text)

    def foreign(self, value: object, *, limit: int = 500) -> str:
        """Text of others: inert, and in the output's alphabet."""
        return self.own(safe(value, "terminal", limit=limit))

    def foreign_all(self, values: Sequence[str], *, limit: int = 500) -> list[str]:
        """As `foreign`, of many texts."""
        texts = safe_all(values, limit=limit)
        return list(texts) if self.unicode else list(map(ascii_only, texts))

    def paint(self, text: str, tone: Tone) -> str:
        """`text` in colour where the output has colours. Its width stays the same."""
        code = _CODES[tone]
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and code and text.strip() else text
