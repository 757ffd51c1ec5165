"""What answers to polls mean: every word, shape and contradiction of the two protocol generations."""

from __future__ import annotations

import json

import pytest

from reconciler.job import Artifact, Phase
from reconciler.pixazo.exchange import Exchange, Stage, Trouble
from reconciler.pixazo.observe import observation_of, read_answer
from reconciler.pixazo.words import Meaning, meaning_of

ID = "a1b2c3d4-e5f6-7890-g1h2-i3j4k5l6m7n8"
WEIGHTS = "https://pub-1.r2.dev/v1/x/lora.safetensors"
CONFIG = "https://pub-1.r2.dev/v1/x/config.json"

QUEUED = "in_queue queued queue pending submitted accepted created starting waiting scheduled unassigned preparing not_started"
RUNNING = "in_progress processing running training started training_started working generating cancellation_requested"
SUCCEEDED = "completed complete succeeded success successful done ready finished ok training_completed"
FAILED = "failed failure rejected request_moderated content_moderated nsfw canceled cancelled aborted training_cancelled"
LOST = "expired not_found task_not_found unknown deleted"


def read(answer):
    return read_answer(answer, ID)


def spellings(words):
    return [s for w in words.split() for s in (w, w.upper(), f" {w.title()} ", w.replace("_", "-"), w.replace("_", " "))]


@pytest.mark.parametrize(
    ("words", "meaning"), [(QUEUED, Meaning.QUEUED), (RUNNING, Meaning.RUNNING), (SUCCEEDED, Meaning.SUCCEEDED), (FAILED, Meaning.FAILED), (LOST, Meaning.LOST)]
)
def test_every_word_has_its_meaning_in_any_spelling(words, meaning):
    assert {meaning_of(s) for s in spellings(words)} == {meaning}
    assert meaning_of("Errored") is Meaning.SYSTEM_ERROR
    assert meaning_of("frobnicating") is None


@pytest.mark.parametrize("field", ["task_status", "status", "state"])
@pytest.mark.parametrize("place", [None, "output", "data"])
def test_words_are_read_in_every_place(field, place):
    def put(word, **more):
        return read({field: word} | more if place is None else {place: {field: word}} | more)

    assert put("IN_QUEUE").phase is Phase.QUEUED
    assert put("Processing").phase is Phase.RUNNING
    assert put("failed").phase is Phase.FAILED
    assert put("COMPLETED", diffusers_lora_file={"url": WEIGHTS}).phase is Phase.SUCCEEDED
    assert put("COMPLETED").empty
    assert put("not-found").missing


def test_a_finished_g2_answer():
    seen = read(
        {
            "request_id": ID,
            "status": "COMPLETED",
            "model_id": "flux-2",
            "error": None,
            "output": {"media_url": [WEIGHTS, CONFIG], "media_type": "application/octet-stream"},
            "created_at": "2026-11-01T00:00:00Z",
            "polling_url": "https://gateway.pixazo.ai/v2/requests/status/x",
        }
    )
    assert seen.phase is Phase.SUCCEEDED
    assert seen.artifacts == (Artifact("weights", WEIGHTS, "output.media_url[0]"), Artifact("config", CONFIG, "output.media_url[1]"))
    assert (seen.error, seen.charged, seen.empty, seen.missing, seen.warnings) == ("", True, False, False, ())


def test_a_finished_g1_answer_has_no_status_at_all():
    seen = read(
        {
            "diffusers_lora_file": {
                "url": "https://v3.fal.media/files/x/abc",
                "file_name": "pytorch_lora_weights.safetensors",
                "file_size": 317000000,
                "content_type": "application/octet-stream",
            },
            "config_file": {"url": "https://v3.fal.media/files/x/cfg", "file_size": -1},
        }
    )
    assert seen.phase is Phase.SUCCEEDED
    assert seen.artifacts == (
        Artifact("weights", "https://v3.fal.media/files/x/abc", "diffusers_lora_file.url", "pytorch_lora_weights.safetensors", 317000000),
        Artifact("config", "https://v3.fal.media/files/x/cfg", "config_file.url"),
    )


@pytest.mark.parametrize(
    ("answer", "path", "role"),
    [
        ({"lora_file": {"url": "https://h/x"}}, "lora_file.url", "weights"),
        ({"lora_url": "https://h/x"}, "lora_url", "weights"),
        ({"weights": "https://h/x"}, "weights", "weights"),
        ({"output": "https://h/x"}, "output", "other"),
        ({"output": ["https://h/x"]}, "output[0]", "other"),
        ({"output": [{"url": "https://h/x"}]}, "output[0].url", "other"),
        ({"output": {"media_url": "https://h/x"}}, "output.media_url", "other"),
        ({"output": {"url": "https://h/x"}}, "output.url", "other"),
        ({"output": {"output_url": "https://h/x"}}, "output.output_url", "other"),
        ({"output": {"weights": "https://h/x"}}, "output.weights", "weights"),
        ({"output": {"diffusers_lora_file": {"url": "https://h/x"}}}, "output.diffusers_lora_file.url", "weights"),
        ({"result": {"lora_file": {"url": "https://h/x"}}}, "result.lora_file.url", "weights"),
        ({"payload": {"diffusers_lora_file": {"url": "https://h/x"}}}, "payload.diffusers_lora_file.url", "weights"),
        ({"data": {"output": {"media_url": ["https://h/x"]}}}, "data.output.media_url[0]", "other"),
        ({"result": "https://h/x"}, "result", "other"),
        ({"images": [{"url": "https://h/x"}]}, "images[0].url", "other"),
        ({"somewhere": {"deep": ["https://h/x/L.SafeTensors?sig=1"]}}, "somewhere.deep[0]", "weights"),
        ({"output": {"media_url": "https://h/x/lora.safetensors?X-Amz-Signature=abc"}}, "output.media_url", "weights"),
        ({"output": {"media_url": "https://h/x/a.json#f"}}, "output.media_url", "config"),
        ({"output": {"media_url": "http://127.0.0.1:8000/r2/v1/x/output.safetensors"}}, "output.media_url", "weights"),
    ],
)
def test_a_file_is_found_and_named_by_where_it_stood(answer, path, role):
    seen = read(answer)
    assert seen.phase is Phase.SUCCEEDED
    assert [(a.path, a.role) for a in seen.artifacts] == [(path, role)]


def test_every_other_address_is_kept_once_beside_the_files():
    seen = read({"status": "done", "lora_file": {"url": WEIGHTS}, "preview": "https://h/p.png", "again": WEIGHTS})
    assert [(a.role, a.url) for a in seen.artifacts] == [("weights", WEIGHTS), ("other", "https://h/p.png")]


@pytest.mark.parametrize(
    "answer",
    [
        {"polling_url": WEIGHTS, "response_url": WEIGHTS, "status_url": WEIGHTS, "cancel_url": WEIGHTS, "webhook_url": WEIGHTS},
        {"input": {"image_data_url": "https://h/dataset.zip", "base": WEIGHTS}},
        {"image_data_url": "https://h/dataset.zip"},
        {"output": {"media_url": ""}},
        {"output": {"media_url": []}},
        {"output": None},
        {"output": {"media_url": "ftp://h/x.safetensors"}},
        {"output": {"media_url": "http://h/x.safetensors"}},
        {"output": {"media_url": "http://127.0.0.1.evil.example/x.safetensors"}},
        {"output": {"media_url": "javascript:alert(1)"}},
        {"output": {"media_url": "https://h/x\n.safetensors"}},
        {"output": {"media_url": "https://h/\u202ex.safetensors"}},
        {"output": {"media_url": "https:///x.safetensors"}},
        {"output": {"media_url": "https://[h/x.safetensors"}},
        {"output": {"media_url": 5}},
        {"docs": "https://docs.example/"},
        {"message": "see https://h/x.safetensors for more"},
    ],
)
def test_what_is_no_file_of_ours_does_not_finish_a_job(answer):
    assert read(answer).phase is None
    seen = read({"status": "COMPLETED"} | answer)
    assert (seen.phase, seen.empty, seen.artifacts) == (None, True, ())


def test_a_file_without_https_is_named_in_a_warning():
    assert "http.example" in read({"status": "COMPLETED", "output": {"media_url": "http://http.example/x.safetensors"}}).warnings[0]


@pytest.mark.parametrize(
    ("answer", "error", "charged"),
    [
        ({"status": "FAILED", "error": "no captions"}, "no captions", True),
        ({"status": "ERROR", "error": "node lost", "output": None}, "node lost", False),
        ({"status": "COMPLETED", "error": "out of memory"}, "out of memory", True),
        ({"status": "COMPLETED", "error_type": "runner_scheduling_failure"}, "runner_scheduling_failure", True),
        ({"status": "COMPLETED", "error": {"message": "bad zip", "code": 4}}, "bad zip", True),
        ({"error": [{"loc": ["body"], "msg": "bad zip"}]}, "bad zip", True),
        ({"data": {"error": "bad zip"}}, "bad zip", True),
        ({"success": False, "message": "x"}, "the API reports no success", True),
        ({"success": False, "lora_url": WEIGHTS}, "the API reports no success", True),
        ({"status": "cancelled"}, "cancelled", True),
        ({"status": "nsfw", "lora_url": WEIGHTS}, "nsfw", True),
        ({"status": "processing", "error": "boom"}, "boom", True),
        ({"status": "COMPLETED", "output": {"status": "failed"}}, "COMPLETED, failed", True),
    ],
)
def test_a_failure_wins(answer, error, charged):
    seen = read(answer)
    assert (seen.phase, seen.error, seen.charged, seen.artifacts) == (Phase.FAILED, error, charged, ())


@pytest.mark.parametrize("error", [None, "", "  ", "null", "None", False, [], {}, 0])
def test_an_absent_error_is_none(error):
    assert read({"status": "COMPLETED", "error": error, "lora_url": WEIGHTS}).phase is Phase.SUCCEEDED
    assert read({"status": "QUEUED", "error": error}).phase is Phase.QUEUED


def test_an_error_beside_a_file_and_a_good_word_does_not_lose_the_file():
    assert read({"status": "COMPLETED", "error": "a warning", "lora_url": WEIGHTS}).phase is Phase.SUCCEEDED


@pytest.mark.parametrize(
    ("answer", "phase"),
    [
        ({"status": "IN_PROGRESS", "output": {"media_url": ["https://h/x"]}}, Phase.RUNNING),
        ({"status": "queued", "lora_url": WEIGHTS}, Phase.QUEUED),
        ({"status": "complete", "state": "In progress"}, Phase.RUNNING),
        ({"status": "success", "data": {"status": "processing", "output": {"url": "https://h/preview"}}}, Phase.RUNNING),
        ({"status": "complete", "state": "In progress", "lora_url": WEIGHTS}, Phase.SUCCEEDED),
        ({"status": "queued", "state": "running"}, Phase.RUNNING),
    ],
)
def test_pending_words_beside_other_signs(answer, phase):
    assert read(answer).phase is phase


def test_an_unknown_word_is_no_news_and_a_warning_with_the_word():
    for answer in ({"status": "Frob\x1bnicating"}, {"status": "frob", "lora_url": WEIGHTS}):
        seen = read(answer)
        assert seen.phase is None
        assert len(seen.warnings) == 1
        assert "rob" in seen.warnings[0]
        assert "\x1b" not in seen.warnings[0]


@pytest.mark.parametrize("answer", [{}, {"message": "ok"}, {"success": True}, {"status": ""}, {"status": None}, {"status": 200}, {"request_id": ID}])
def test_an_answer_that_says_nothing_is_no_news(answer):
    seen = read(answer)
    assert (seen.phase, seen.empty, seen.missing, seen.warnings) == (None, False, False, ())
    assert seen.trouble


@pytest.mark.parametrize("answer", [{"request_id": "other"}, {"data": {"task_id": "other"}}, {"id": "other"}])
def test_an_answer_about_another_request_is_no_news_and_a_warning(answer):
    seen = read(answer | {"status": "COMPLETED", "lora_url": WEIGHTS})
    assert (seen.phase, seen.artifacts) == (None, ())
    assert "another request" in seen.warnings[0]


def test_an_inner_id_beside_ours_does_not_disturb():
    assert read({"request_id": ID, "data": {"id": "row-7"}, "status": "running"}).phase is Phase.RUNNING


def test_thousands_of_files_are_bounded():
    assert len(read({"output": [f"https://h/{n}" for n in range(5000)]}).artifacts) == 100


def whole(status, body, headers=()):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return observation_of(Exchange(Stage.COMPLETE, status, tuple(headers), data), ID)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b'{"status": "FAILED", "status": "FAILED"}',
        b'{"status": "FAILED", "x": NaN}',
        b'{"status": "FAILED"',
        b"\xff",
        b"<html>",
        b"[" * 99_999,
    ],
)
def test_a_body_that_cannot_be_believed_is_no_news(body):
    seen = whole(200, body)
    assert (seen.phase, seen.missing, seen.empty) == (None, False, False)
    assert seen.trouble


@pytest.mark.parametrize("status", [300, 302, 400, 405, 408, 422, 429, 500, 502, 503, 504, 522])
def test_an_http_error_never_changes_a_phase(status):
    seen = whole(status, {"status": "FAILED", "error": "x"})
    assert (seen.phase, seen.missing, seen.stop) == (None, False, "")
    assert str(status) in seen.trouble


def test_202_is_an_answer():
    assert whole(202, {"status": "IN_QUEUE"}).phase is Phase.QUEUED


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refusal_of_the_key_stops_all_polling(status):
    assert "x y" in whole(status, {"error": "x y"}).stop


def test_a_challenge_is_neither_a_refusal_nor_a_failure():
    seen = whole(403, b"<html><title>Just a moment...</title>", [("content-type", "text/html")])
    assert (seen.stop, seen.phase) == ("", None)
    assert "edge" in seen.trouble
    assert "Just a moment" in seen.trouble


@pytest.mark.parametrize("status", [404, 410])
def test_an_unknown_id_is_missing(status):
    assert whole(status, {"error": "Endpoint not found"}).missing


@pytest.mark.parametrize("stage", [Stage.BEFORE, Stage.SENT, Stage.ANSWERED, Stage.TOO_LONG])
def test_an_exchange_that_broke_off_is_no_news(stage):
    seen = observation_of(Exchange(stage, 200, (), b'{"status": "FAILED"}', Trouble.RESET), ID)
    assert seen.phase is None
    assert seen.trouble
