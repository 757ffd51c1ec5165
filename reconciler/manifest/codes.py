"""The codes of everything that can be wrong with a project's files: stable, documented, one line each. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CODES: Mapping[str, str] = MappingProxyType(
    {
        # bytes and files
        "E000": "The file cannot be parsed; the YAML library gave up on it.",
        "E001": "The file cannot be opened or read.",
        "E002": "The path leads out of the project folder.",
        "E003": "The path is not a regular file (a folder, pipe, socket or device).",
        "E004": "The file, or the number of files, is above its limit.",
        "E005": "The file is not UTF-8 text.",
        "E006": "The file holds a character that is not allowed (control, bidi, line separator, surrogate, zero-width).",
        "E007": "The file is empty.",
        "E008": "A value looks like an API key or another secret. Keys never belong in a manifest.",
        "E009": "The file's name cannot be used, or the file changed while it was read.",
        # YAML
        "E010": "Not valid YAML.",
        "E011": "A quote is opened and never closed.",
        "E012": "A tab is used for indentation.",
        "E013": "A merge conflict is left in the file.",
        "E014": "Template braces; manifests have no templates.",
        "E015": "`${…}` inside a flow map or list needs quotes.",
        "E016": "Nested deeper than 64 levels.",
        "E017": "Aliases expand to more than 2,000,000 nodes.",
        "E018": "A key is written twice in one mapping.",
        "E019": "YAML tags are not allowed.",
        "E020": "YAML directives are not allowed.",
        "E021": "More than one YAML document in a file.",
        "E022": "An alias without its anchor, or an anchor that holds itself.",
        "E023": "`<<` needs a mapping or a list of mappings.",
        "E024": "A key is empty, too long, or not plain text.",
        "E025": "A key that YAML reads as something else than text needs quotes.",
        "E026": "A single value is longer than 64 KiB.",
        "E027": "The file's top level is not a mapping.",
        # what keys and values may be
        "E100": "Unknown key.",
        "E101": "A required key is missing.",
        "E102": "The value has the wrong type.",
        "E103": "A number that cannot be taken exactly as written.",
        "E104": "A value is outside its bounds.",
        "E105": "A value is not one of those allowed.",
        "E106": "A name is not allowed.",
        "E107": "The format version is missing or unknown.",
        "E110": "The dataset's URL cannot be used.",
        "E111": "The dataset is not described by exactly what identifies it.",
        "E112": "The dataset's local path cannot be used.",
        "E113": "The dataset's `data:` URL is broken.",
        "E114": "Unknown trainer.",
        "E120": "Unknown environment.",
        # across files
        "E200": "A name is declared twice.",
        "E201": "An act contradicts the models or another act.",
        "E210": "An unknown variable.",
        "E211": "A variable is declared and never used.",
        "E212": "A variable has no value.",
        "E213": "Variables refer to each other in a circle.",
        "E214": "A variable's value does not fit its declaration.",
        "E215": "`${` begins something that is not `${var.NAME}`.",
        "E216": "A variable is declared twice.",
        "E220": "A matrix is not well formed.",
        "E221": "A matrix has more combinations than allowed.",
        "E222": "`winner` names no combination of the matrix.",
        "E223": "`exclude` names no combination of the matrix, or leaves none.",
        # the project file
        "E300": "There is no project file.",
        "E301": "The project needs another version of this program.",
        "E302": "A path in the project file leads out of the project.",
        "E303": "Prices are not usable.",
        # warnings
        "W001": "A pattern under `manifests` matches no file.",
        "W002": "A link to a folder is not followed.",
        "W010": "A training parameter is far outside its usual range.",
        "W011": "An act names a model that is not declared.",
        "W012": "Two settings of one model do nothing together.",
        "W020": "A RECONCILER_VAR_ variable that no manifest declares.",
        "W999": "More problems than can be listed for one file.",
    }
)
"""Code → what it means."""
