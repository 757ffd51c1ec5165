"""Events as newline-delimited JSON in Terraform's envelope. Which keys each type carries stands in `lines.py`."""

from __future__ import annotations

from typing import Any

from reconciler.event import Event
from reconciler.reports.document import json_line, plain

MODULE = "reconciler"


def event_json(event: Event) -> str:
    """One event as one line of JSON, without a newline at its end."""
    return json_line(event_document(event))


def event_document(event: Event) -> dict[str, Any]:
    """The envelope (`@level @message @module @timestamp type`), the model's name where there is one, then the event's own keys."""
    document: dict[str, Any] = {
        "@level": event.level,
        "@message": event.message,
        "@module": MODULE,
        "@timestamp": event.at,
        "type": event.type,
    }
    if event.name is not None:
        document["name"] = event.name
    for key in sorted(event.data):
        document.setdefault(key, event.data[key])
    return dict(plain(document))
