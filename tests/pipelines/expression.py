"""The few `${{ }}` expressions that our workflows use: names, strings, == != ! && || ( ), and the status functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_WORDS = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<sign>==|!=|&&|\|\||[!()])|(?P<name>[A-Za-z_][\w.-]*))")
STATUS = ("always", "cancelled", "success", "failure")


class Expression:
    """One expression over `names`; `status` answers the status functions."""

    def __init__(self, source: str, names: Mapping[str, Any], status: Callable[[str], bool]) -> None:
        self.names, self.status = names, status
        self.words: list[tuple[str, str]] = []
        at = 0
        while source[at:].strip():
            found = _WORDS.match(source, at)
            assert found, f"cannot read {source[at:]!r}"
            self.words.append((str(found.lastgroup), found[0].strip()))
            at = found.end()
        self.words.append(("end", ""))

    def value(self) -> Any:
        value = self._or()
        assert self.words[0][0] == "end", self.words
        return value

    def _take(self, *signs: str) -> str | None:
        return self.words.pop(0)[1] if self.words[0][1] in signs and self.words[0][0] == "sign" else None

    def _or(self) -> Any:
        value = self._and()
        while self._take("||"):
            other = self._and()
            value = value or other
        return value

    def _and(self) -> Any:
        value = self._compared()
        while self._take("&&"):
            other = self._compared()
            value = value and other
        return value

    def _compared(self) -> Any:
        value = self._one()
        while sign := self._take("==", "!="):
            other = self._one()
            value = (str(value or "") == str(other or "")) == (sign == "==")
        return value

    def _one(self) -> Any:
        if self._take("!"):
            return not self._one()
        if self._take("("):
            value = self._or()
            assert self._take(")")
            return value
        kind, word = self.words.pop(0)
        if kind == "text":
            return word[1:-1].replace("''", "'")
        assert kind == "name", (kind, word)
        if word in STATUS and self._take("("):
            assert self._take(")")
            return self.status(word)
        found: Any = self.names
        for part in word.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found


def filled(text: str, names: Mapping[str, Any], status: Callable[[str], bool]) -> str:
    """`text` with its expressions replaced by their values."""

    def value(found: re.Match[str]) -> str:
        seen = Expression(found[1], names, status).value()
        return "" if seen is None else str(seen).lower() if isinstance(seen, bool) else str(seen)

    return re.sub(r"\$\{\{(.*?)\}\}", value, text, flags=re.DOTALL)


def holds(condition: str, names: Mapping[str, Any], status: Callable[[str], bool]) -> bool:
    """Whether an `if:` holds. Without a status function success() is meant as well, as the runner has it."""
    source = re.sub(r"^\s*\$\{\{(.*)\}\}\s*$", r"\1", condition, flags=re.DOTALL)
    told = any(f"{name}(" in source for name in STATUS)
    return bool(Expression(source, names, status).value()) and (told or status("success"))
