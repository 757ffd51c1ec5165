"""Names, labels, messages and paths made of markup, mentions, escape codes and commands change nothing but their own cell."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import get_args

import pytest

from reconciler.diagnostics import Diagnostic, Place
from reconciler.event import Event, EventType
from reconciler.job import Artifact, Pause, Phase
from reconciler.ports import Owner
from reconciler.reports.diagnostics_text import diagnostics_text
from reconciler.reports.document import json_text
from reconciler.reports.events import event_json
from reconciler.reports.holder import lock_text
from reconciler.reports.jobs import job_text, jobs_document, jobs_text
from reconciler.reports.lines import event_line
from reconciler.reports.live import Live
from reconciler.reports.output import output_document, output_env, output_raw, output_yaml
from reconciler.reports.status import status_document, status_text
from reconciler.reports.style import Style
from reconciler.reports.summary import summary_text
from reconciler.reports.terminal import plan_text
from reconciler.text import Target, safe

from .catalog import NOW
from .hostile import FORBIDDEN, HOSTILE, hostile_plan
from .ledger import attempt, job, state


def hostile_state(text: str):
    files = (Artifact("weights", text, text, text, 5),)
    jobs = (
        job(
            1,
            text,
            Phase.SUCCEEDED,
            artifacts=files,
            request_id=text,
            error=text,
            settled_at=text,
            submitted_at=text,
            spec={"dataset": text, "parameters": {text: text}},
        ),
        job(2, text + "2", Phase.FAILED, error=text, trainer=text),
    )
    doubt = attempt(text, evidence=text, salvaged=text, sent_at=text)
    return state(*jobs, attempts=(doubt,), unbound=("j-02",), pause=Pause(text, text, text), notes=(text,))


def every_event(text: str) -> list[Event]:
    data = dict.fromkeys(
        ("attempt", "job", "request_id", "evidence", "salvaged", "phase", "error", "trouble", "message", "limit", "lift", "severity", "code")
        + ("summary", "detail", "file", "line", "path", "sha256", "action", "reason", "price", "cost", "stopped", "http_status"),
        text,
    )
    data |= {"in_doubt": 1, "in_doubt_names": [text], "not_bought": 1, "not_bought_names": [text], "failed_names": [text]}
    return [Event(kind, at, text, text, data=data) for kind in get_args(EventType) for at in (NOW, text)]


def live_text(text: str) -> str:
    screen = io.StringIO()
    live = Live(screen, Style.plain(100))
    lines = ""
    for event in every_event(text):
        live.show(event)
        live.tick(NOW)
        lines += "".join(f"{line}\n" for line in live.block_lines(24, 100))
    live.close()
    # rich's own cursor movements are not ours to judge
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()).replace("\r", "") + lines


STYLES = (Style.plain(80), Style.plain(120), Style(width=100, unicode=False))
FOR_PEOPLE: dict[str, Callable[[str], str]] = {
    "plan": lambda text: "".join(plan_text(hostile_plan(text), style, last_refresh=text, now=NOW) for style in STYLES),
    "diagnostics": lambda text: "".join(
        diagnostics_text([Diagnostic("error", text, text, text + "\n" + text, Place(text, 3, c), source_line=text) for c in range(1, 9)], s) for s in STYLES
    ),
    "lines": lambda text: "\n".join(event_line(event, style) for style in STYLES for event in every_event(text)),
    "summary": lambda text: summary_text(every_event(text)[0].data, Style.plain()),
    "status": lambda text: status_text(hostile_state(text), Style.plain(), environment="prod", models=None, now=NOW),
    "jobs": lambda text: jobs_text(hostile_state(text), Style.plain()) + job_text(hostile_state(text).jobs["j-01"], [text], Style.plain()),
    "lock": lambda text: lock_text(Owner(1, text, text, text, text), Style.plain(), now=NOW),
    "live": live_text,
}
DOCUMENTS: dict[str, Callable[[str], str]] = {
    "events": lambda text: "\n".join(event_json(event) for event in every_event(text)),
    "status": lambda text: json_text(status_document(hostile_state(text), environment="prod", models=None, now=NOW)),
    "jobs": lambda text: json_text(jobs_document(hostile_state(text))),
    "output": lambda text: json_text(output_document(hostile_state(text), environment="prod", models=None)),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("report", FOR_PEOPLE)
def test_no_report_for_people_lets_foreign_text_act(report, kind):
    text = FOR_PEOPLE[report](HOSTILE[kind])
    for forbidden in FORBIDDEN:
        assert forbidden not in text, f"{forbidden!r} survived"
    for line in text.split("\n"):
        assert line.isprintable() or line == "", repr(line)
        assert not line.lstrip().startswith("::")
        assert not re.search(r"##[A-Za-z]*\[", line)
    text.encode("utf-8")


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("report", DOCUMENTS)
def test_no_document_shows_a_secret_or_anything_beyond_ascii(report, kind):
    text = DOCUMENTS[report](HOSTILE[kind])
    assert text.isascii()
    assert "hunter2" not in text
    assert not re.search(r"##[A-Za-z]*\[", text)
    for line in text.splitlines() if report == "events" else [text]:
        json.loads(line)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_row_leaves_the_other_lines_of_a_plan_as_they_are(kind):
    def skeleton(text: str) -> list[str]:
        lines = plan_text(hostile_plan(text), Style.plain(100), now=NOW).splitlines()
        return [line.split()[0] for line in lines if line and (line[0] != " " or re.match(r"  \S ", line))]

    assert skeleton(HOSTILE[kind]) == skeleton("harmless")


MARK = "QfmarkZ\x1b\u202e"
"""A foreign value: where it arrives with its ESC, it went around `safe`."""


@pytest.mark.parametrize("report", FOR_PEOPLE)
def test_foreign_values_reach_every_report_and_all_through_the_door(report):
    text = FOR_PEOPLE[report](MARK)
    flat = re.sub(r"\s", "", text)
    assert "QfmarkZ" in flat
    assert flat.count("QfmarkZ\\u{1B}\\u{202E}") + flat.count("QfmarkZ…") >= 1
    assert "QfmarkZ\x1b" not in text


def test_consumers_forms_hold_no_control_characters():
    for kind, text in HOSTILE.items():
        document = output_document(hostile_state(text), environment="prod", models=None)
        for form in (output_env, output_yaml, output_raw):
            shown = form(document)
            assert all(line.isprintable() for line in shown.split("\n")), kind


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("target", get_args(Target))
def test_safe_is_one_printable_line_without_secrets_in_every_target(target, kind):
    text = safe(HOSTILE[kind], target)
    assert "\n" not in text
    assert "hunter2" not in text
    text.encode("utf-8")
    if target == "json":
        assert json.loads(f'"{text}"') is not None
    else:
        assert text.replace("\u200b", "").isprintable()


def test_safe_per_target():
    assert safe("=cmd()", "csv") == "'=cmd()"
    assert safe(" \uff1dcmd()", "csv").startswith("'")
    assert safe("-5", "csv") == "'-5"
    assert safe("plain", "csv") == "plain"
    assert safe("a%b:c", "annotation") == "a%25b:c"
    assert safe("::error::x", "log") == "\\::error::x"
    assert safe("<a href='x'>&", "html") == "&lt;a href=&#x27;x&#x27;&gt;&amp;"
    assert safe("sweep@steps=1000", "markdown") == "`sweep@steps=1000`"
    assert safe("a`b``c", "markdown") == "```a`b``c```"
    assert safe("`", "markdown") == "`` ` ``"
    assert safe("", "markdown") == "` `"
    assert safe("a|b", "markdown") == "`a\\|b`"
    assert "@everyone" not in safe("hi @everyone", "markdown")
    assert safe("\u202e") == "\\u{202E}"
    assert safe("x" * 600) == "x" * 499 + "…"
    assert safe(Decimal("8.00")) == "8.00"


def test_redaction_keeps_what_is_public_and_is_done_once():
    assert safe("https://h.example.com/a/b.zip#L3") == "https://h.example.com/a/b.zip#L3"
    assert safe("https://u:p@ss@h/p?x=1#k=v") == "https://<redacted>@h/p?<redacted>#<redacted>"
    assert safe(safe("https://u:p@h/p?x=1 and data:,abc")) == safe("https://u:p@h/p?x=1 and data:,abc")
    assert safe("metadata:a,b; time 12:30, data: none") == "metadata:a,b; time 12:30, data: none"
    assert safe("data:image/png;base64," + "A" * 10_000) == "data:…(10022 bytes)"
