"""Where models and jobs stand, for people and as documents."""

from __future__ import annotations

import json
from dataclasses import replace

from reconciler.job import Pause, Phase, Sent
from reconciler.model import Lifecycle
from reconciler.ports import Owner
from reconciler.reports.document import json_text
from reconciler.reports.expected import expected_end, seconds_per_step
from reconciler.reports.holder import lock_text
from reconciler.reports.jobs import job_text, jobs_document, jobs_text
from reconciler.reports.layout import display_width
from reconciler.reports.phases import PHASES, count_phases, standings
from reconciler.reports.status import status_document, status_text
from reconciler.reports.style import Style

from .catalog import model
from .ledger import NOW, WEIGHTS, attempt, job, state

FAILED_SPEC = model("held-one", "a.yaml", 1).spec.digest


def everything():
    jobs = (
        job(1, "queued-one", Phase.QUEUED),
        job(2, "running-one", Phase.RUNNING),
        job(3, "good-one", Phase.SUCCEEDED, artifacts=(WEIGHTS,), settled_at="2026-11-22T07:40:00Z"),
        job(4, "bad-one", Phase.FAILED, error="captions missing", settled_at="2026-11-20T07:40:00Z"),
        job(5, "lost-one", Phase.LOST, settled_at="2026-11-20T07:40:00Z"),
        job(6, "gone-one", Phase.SUCCEEDED, settled_at="2026-11-20T07:40:00Z"),
        job(7, "held-one", Phase.FAILED, spec_digest=FAILED_SPEC, error="odd zip"),
    )
    doubts = (attempt("doubt-one"), attempt("sent-one", status=Sent.SENDING, evidence=""))
    models = {name: model(name, "a.yaml", 1, steps=900) for name in ("queued-one", "running-one", "good-one", "bad-one", "lost-one", "doubt-one", "new-one")}
    models["held-one"] = model("held-one", "a.yaml", 1)
    models["lazy-one"] = replace(model("lazy-one", "a.yaml", 1, steps=800), lifecycle=Lifecycle(suspend=True))
    return state(*jobs, attempts=doubts, unbound=("j-07",)), models


def test_every_phase_of_the_contract_is_found():
    known, models = everything()
    found = {row.name: row.phase for row in standings(known, environment="prod", models=models)}
    assert found == {
        "bad-one": "failed",
        "doubt-one": "in_doubt",
        "gone-one": "undeclared",
        "good-one": "succeeded",
        "held-one": "held",
        "lazy-one": "suspended",
        "lost-one": "lost",
        "new-one": "new",
        "queued-one": "queued",
        "running-one": "running",
        "sent-one": "submitting",
    }
    assert set(found.values()) == set(PHASES)
    assert sum(count_phases(standings(known, environment="prod", models=models)).values()) == len(found)


def test_the_status_document_has_the_contracts_keys_and_no_secret():
    known, models = everything()
    text = json_text(status_document(known, environment="prod", models=models, now=NOW))
    document = json.loads(text)
    assert {"format_version", "models", "in_doubt", "unbound_jobs"} <= document.keys()
    good = next(m for m in document["models"] if m["name"] == "good-one")
    assert {"name", "phase", "request_id", "job", "spec_digest", "price", "submitted_at", "artifacts", "error"} <= good.keys()
    assert good["price"] == "8.00"
    assert good["artifacts"][0]["url"] == "https://files.example.com/lora.safetensors?<redacted>"
    assert {"name", "attempt", "sent_at", "amount", "evidence"} <= document["in_doubt"][0].keys()
    assert document["unbound_jobs"] == 1
    assert [m["name"] for m in document["models"]] == sorted(m["name"] for m in document["models"])
    assert "s3cret" not in text


def test_without_manifests_a_bound_name_shows_its_jobs_phase():
    known, _ = everything()
    found = {row.name: row.phase for row in standings(known, environment="prod", models=None)}
    assert found["gone-one"] == "succeeded"
    assert "new-one" not in found


def test_another_environment_has_its_own_names():
    known, _ = everything()
    assert standings(known, environment="dev", models=None) == []
    assert "Status: no models" in status_text(state(), Style.plain(), environment="dev", models=None, now=NOW)


def test_the_status_says_age_expected_end_ids_urls_doubts_and_what_to_do():
    known, models = everything()
    text = status_text(known, Style.plain(100), environment="prod", models=models, now=NOW)
    assert "since 10 min, about 11 min more" in text
    assert "a1b2c3d4-e5f6-7890-g1h2-000000000002" in text
    assert "\n      https://files.example.com/lora.safetensors?<redacted>\n" in text
    assert "captions missing" in text
    assert "reconciler resolve doubt-one -request-id ID -reason TEXT" in text
    assert "$8.00 may have been charged" in text
    assert "1 job that no name points to." in text


def test_an_overdue_job_says_so():
    late = job(1, "late", Phase.RUNNING, submitted_at="2026-11-22T04:45:00Z")
    text = status_text(state(late), Style.plain(), environment="prod", models=None, now=NOW)
    assert "since 3 h 00 min, expected 2 h 38 min ago" in text


def test_a_pause_and_notes_are_said():
    text = status_text(
        state(pause=Pause("vendor maintenance", "ann", NOW), notes=("folded from the journal",)), Style.plain(), environment="prod", models=None, now=NOW
    )
    assert "vendor maintenance" in text
    assert "folded from the journal" in text


def test_names_narrow_the_status():
    known, models = everything()
    document = status_document(known, environment="prod", models=models, now=NOW, names={"good-one"})
    assert [m["name"] for m in document["models"]] == ["good-one"]


def test_the_expected_end_is_learned_from_three_finished_jobs():
    done = [
        job(n, f"n{n}", Phase.SUCCEEDED, submitted_at="2026-11-20T00:00:00Z", settled_at=f"2026-11-20T00:{minutes}:00Z")
        for n, minutes in ((1, 10), (2, 20), (3, 50))
    ]
    running = job(9, "now", Phase.RUNNING)
    assert expected_end(running, seconds_per_step(state(*done, running))) == "2026-11-22T07:55:00Z"
    assert expected_end(running, seconds_per_step(state(*done[:2], running))) == "2026-11-22T07:56:10Z"
    assert expected_end(done[0], {}) is None
    assert expected_end(replace(running, submitted_at="junk"), {}) is None


def test_jobs_are_listed_oldest_first_with_who_points_to_them():
    known, _ = everything()
    rows = jobs_document(known)["jobs"]
    assert {"job", "attempt", "name", "request_id", "phase", "spec_digest", "price", "submitted_at", "settled_at", "bound_to"} <= rows[0].keys()
    assert next(r for r in rows if r["job"] == "j-03")["bound_to"] == ["prod/good-one"]
    assert next(r for r in rows if r["job"] == "j-07")["bound_to"] == []
    text = jobs_text(known, Style.plain(120))
    assert "no name; bought for prod/held-one" in " ".join(text.split())
    assert text.endswith("7 jobs, $56.00.\n")
    assert jobs_text(state(), Style.plain()) == "No job was ever bought.\n"


def test_one_job_is_told_whole():
    known, _ = everything()
    text = job_text(known.jobs["j-03"], ["prod/good-one"], Style.plain(80))
    assert "request         a1b2c3d4-e5f6-7890-g1h2-000000000003" in text
    assert "317 MB" in text
    assert "s3cret" not in text
    assert all(display_width(line) < 80 for line in text.splitlines())


def test_the_lock_names_its_holder():
    owner = Owner(4711, "build-7", "ann", "apply plan.json", "2026-11-22T07:40:00Z")
    assert lock_text(owner, Style.plain(), now=NOW) == "Held by ann on build-7 (process 4711) since 07:40 UTC, 5 min: apply plan.json\n"
    assert lock_text(None, Style.plain(), now=NOW) == "Nobody holds the lock.\n"
