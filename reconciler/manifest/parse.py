"""Text into a tree, with one verdict: the C parser first; when it refuses, the pure parser decides; its messages in our words.

Any exception that is not a YAML error becomes E000: it is the fault of the input. Which nodes are allowed to mean what is
not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from reconciler.diagnostics import Place
from reconciler.manifest.node import Map, Node
from reconciler.manifest.source import Problems, Source, shown
from reconciler.manifest.tree import MAX_DEPTH, TEMPLATES, Builder, Halt

MAX_PURE_CHARACTERS = 256 * 1024
"""The pure parser takes about 3 s for a megabyte; above this the C parser's refusal is final."""

_CONFLICT = re.compile(r"^(?:<{7}|>{7}|\|{7})(?: .*)?\r?$|^={7}\r?$", re.MULTILINE)
_COLON = re.compile(r"(?<=[A-Za-z0-9]):(?=[A-Za-z0-9/])")
_STAND_IN = "\uf8ff"
_DIRECTIVE = re.compile(r"(?:[ \t]*+(?:#[^\n]*+)?\r?\n)*+%")
_BRACKETS = re.compile(r"[\[\]{}]")


def parse(source: Source, problems: Problems) -> Node | None:
    """The tree of `source`, or None: after problems, or when the file holds nothing."""
    if _refused_unparsed(source, problems):
        return None
    found = Problems()
    builder, error = _attempt(_c_events, source.text, Builder(source, found))
    if error is not None and _STAND_IN not in source.text:
        # The C parser refuses `{url: https://x}`, which YAML 1.2 allows. A stand-in of the same width for colons inside
        # words means the same and lets it pass; it is ten times cheaper than the pure parser.
        again = Problems()
        text = _COLON.sub(_STAND_IN, source.text)
        second, still = _attempt(_c_events, text, Builder(source, again, restore=(_STAND_IN, ":")))
        if still is None:
            builder, error, found = second, None, again
        else:
            error = still  # what stopped it once the harmless colons were out of the way
    if error is not None and len(source.text) <= MAX_PURE_CHARACTERS and not _too_deep(source.text):
        again = Problems()
        builder, error = _attempt(_pure_events, source.text, Builder(source, again))
        found = again
    problems.extend(found.found)
    if error is not None:
        _explain(error, source, problems)
        return None
    return builder.root


def parse_map(source: Source, problems: Problems) -> Map | None:
    """As `parse`, for files whose top level must be a mapping; an empty file is a problem."""
    before = len(problems.found)
    root = parse(source, problems)
    if type(root) is Map:
        return root
    if len(problems.found) == before:
        if root is None or getattr(root, "value", "") is None:
            problems.add("E007", "the file is empty", "Begin with `version: 1`, or remove the file.", place=Place(source.path))
        else:
            problems.add("E027", "the top level must be a mapping", "Begin with `version: 1`.", place=root.place, source=source)
    return None


def _attempt(events: Callable[[str], Iterator[Any]], text: str, builder: Builder) -> tuple[Builder, Exception | None]:
    try:
        builder.feed(events(text))
    except Halt:
        builder.root = None
    except Exception as error:
        return builder, error
    return builder, None


def _c_events(text: str) -> Iterator[Any]:
    from _ruamel_yaml import CParser

    return iter(CParser(text.encode("utf-8")).get_event, None)


def _pure_events(text: str) -> Iterator[Any]:
    from ruamel.yaml import YAML

    return iter(YAML(typ="safe", pure=True).parse(text))


def _refused_unparsed(source: Source, problems: Problems) -> bool:
    """What would cost the scanner more than it is worth, or only confuse it."""
    text = source.text
    if found := _DIRECTIVE.match(text):
        problems.add("E020", "YAML directives are not allowed", "Remove the line that begins with %.", place=source.position(found.end() - 1), source=source)
        return True
    if text.count("\n%") > MAX_DEPTH:
        problems.add(
            "E020", "YAML directives are not allowed", "Remove the lines that begin with %.", place=source.position(text.index("\n%") + 1), source=source
        )
        return True
    return False


def _too_deep(text: str) -> bool:
    """Whether brackets nest deeper than the limit, as far as that can be seen without parsing: the pure scanner's time grows with the square."""
    depth = 0
    for match in _BRACKETS.finditer(text):
        depth = depth + 1 if match.group() in "[{" else max(depth - 1, 0)
        if depth > MAX_DEPTH:
            return True
    return False


def _explain(error: Exception, source: Source, problems: Problems) -> None:
    """One problem for a file that no parser accepts, in words that say what to do."""
    if conflicts := list(_CONFLICT.finditer(source.text)):
        for found in conflicts[:1]:
            problems.add(
                "E013", "a merge conflict is left in the file", "Resolve it and remove the markers.", place=source.position(found.start()), source=source
            )
        return
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    context_mark = getattr(error, "context_mark", None)
    problem = str(getattr(error, "problem", "") or "")
    context = str(getattr(error, "context", "") or "")
    if mark is None:
        problems.add("E000", "the file cannot be parsed", f"The YAML parser gave up: {shown(type(error).__name__)}.", place=Place(source.path), source=source)
        return
    if "quoted scalar" in context and ("end of stream" in problem or "document indicator" in problem) and context_mark is not None:
        mark = context_mark
        code, summary, detail = "E011", "this quote is never closed", ""
    elif _is_left_open(problem, context, source, mark=mark, context_mark=context_mark):
        mark = context_mark
        code, summary, detail = "E010", "this bracket is never closed", ""
    elif "simple key" in context and "expected ':'" in problem and context_mark is not None and "\t" not in _line_of(source, mark)[: mark.column + 1]:
        mark = context_mark
        code, summary, detail = (
            "E010",
            "a key without a colon, or a value that goes on where a key is expected",
            "Write `key: value`, or indent or quote the text.",
        )
    else:
        code, summary, detail = _in_words(problem, context, source, mark=mark, context_mark=context_mark)
    problems.add(code, summary, detail, place=_place_of(mark, source), source=source)


def _is_left_open(problem: str, context: str, source: Source, *, mark: Any, context_mark: Any) -> bool:
    """Whether a bracket was opened, and what comes is the end, or a line that is indented no deeper."""
    if "flow" not in context or context_mark is None or mark.line <= context_mark.line:
        return False
    opened, now = _line_of(source, context_mark), _line_of(source, mark)
    goes_back = len(now) - len(now.lstrip(" ")) <= len(opened) - len(opened.lstrip(" "))
    return mark.line >= len(source.text.rstrip().split("\n")) or ("expected ',' or" in problem and goes_back)


def _place_of(mark: Any, source: Source) -> Place:
    """The mark's place; the end of the last line for a mark behind the file."""
    last = len(source.lines)
    if mark.line < last and not (mark.line == last - 1 and last > 1 and not source.lines[-1]):
        return Place(source.path, mark.line + 1, mark.column + 1)
    row = max(last - 1 if source.lines[-1] else last - 2, 0)
    return Place(source.path, row + 1, len(source.lines[row]) + 1)


def _line_of(source: Source, mark: Any) -> str:
    return source.lines[mark.line] if mark.line < len(source.lines) else ""


def _in_words(problem: str, context: str, source: Source, *, mark: Any, context_mark: Any) -> tuple[str, str, str]:
    line = _line_of(source, mark)
    near = line + ("\n" + _line_of(source, context_mark) if context_mark is not None else "")
    if "{{" in near or "{%" in near:
        return "E014", *TEMPLATES
    if "${" in near and ("flow" in context or "flow" in problem or "{" in near.split("${", 1)[0]):
        return "E015", "`${…}` inside `{ }` or `[ ]` is not YAML", 'Quote it ("${var.NAME}") or use block style: one key in a line.'
    if line[: mark.column + 1].strip(" ") == "\t" or "\\t" in problem or "'\t'" in problem or (line.startswith("\t") and not line[: mark.column].strip()):
        return "E012", "a tab cannot indent YAML", "Use spaces."
    if "mapping values are not allowed" in problem:
        return "E010", "a `: ` inside a value, or a wrong indentation before it", "Quote the value, or align the key with the others."
    text = problem or "not valid YAML"
    if "expected <document start>" in text:
        return "E010", "something follows the end of the document", "Align it with the keys above, or quote the value above."
    return "E010", f"not valid YAML: {shown(text)[1:-1]}", f"It happened {shown(context)[1:-1]}." if context else ""
