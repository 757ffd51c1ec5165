"""What the emulated API answers: acceptances, states, refusals, for both protocol generations."""

from __future__ import annotations

import dataclasses
import re
from decimal import Decimal
from uuid import UUID

import pytest

from reconciler.trainer import BUILT_IN, PIXAZO_FLUX2_PRO

from .api import API, END, RESULT, START, SUBMIT, Api, Clock, emulator, headers


def test_g1_answers_as_the_trainers_page_shows(tmp_path):
    clock = Clock()
    with emulator(tmp_path, protocol="g1", clock=clock) as it:
        api = Api(it.url)
        accepted = api.submit()
        assert accepted.status == 200
        assert list(accepted.json) == ["status", "request_id", "message"]
        assert accepted.json["status"] == "IN_QUEUE"
        request_id = accepted.json["request_id"]
        assert UUID(request_id).version == 4
        assert api.result(request_id).json == {"status": "IN_QUEUE", "request_id": request_id}
        clock.now = START + 30
        assert api.result(request_id).json == {"status": "IN_PROGRESS", "request_id": request_id}
        clock.now = START + END
        done = api.result(request_id)
        assert done.status == 200
        assert set(done.json) == {"diffusers_lora_file", "config_file"}, "the bare result has no status"
        assert done.json["diffusers_lora_file"]["url"] == f"{it.url}/r2/v1/{request_id}/output.safetensors"
        assert api.status(request_id).status == 404, "the common queue is the other generation"


def test_g2_answers_as_the_common_queue_does(tmp_path):
    clock = Clock()
    with emulator(tmp_path, clock=clock) as it:
        api = Api(it.url)
        accepted = api.submit()
        assert accepted.status == 202
        request_id = accepted.json["request_id"]
        assert accepted.json == {"request_id": request_id, "status": "QUEUED", "polling_url": f"{it.url}/v2/requests/status/{request_id}"}
        assert re.fullmatch(API + r"_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{13}", request_id)
        pending = api.status(request_id).json
        assert (pending["status"], pending["output"], pending["error"], pending["completed_at"]) == ("QUEUED", None, None, None)
        clock.now = START + 31
        assert api.status(request_id).json["status"] == "PROCESSING"
        clock.now = START + END + 1
        done = api.status(request_id).json
        assert set(done) == {"request_id", "status", "model_id", "error", "output", "created_at", "updated_at", "completed_at"}
        assert (done["status"], done["model_id"], done["error"]) == ("COMPLETED", API, None)
        base = f"{it.url}/r2/v1/{request_id}"
        assert done["output"] == {"media_url": [f"{base}/output.safetensors", f"{base}/config.json"], "media_type": "application/octet-stream"}
        assert done["created_at"] < done["completed_at"] == done["updated_at"]
        assert api.result(request_id).status == 404, "the result path is the other generation"


def test_both_accepts_as_g2_and_is_polled_either_way(tmp_path):
    clock = Clock()
    with emulator(tmp_path, protocol="both", clock=clock) as it:
        api = Api(it.url)
        request_id = api.job()
        clock.now += END
        assert api.status(request_id).json["status"] == "COMPLETED"
        assert "diffusers_lora_file" in api.result(request_id).json


def test_every_trainer_record_has_its_own_paths(tmp_path):
    other = dataclasses.replace(PIXAZO_FLUX2_PRO, id="edit", api="edit-831", submit_path="/generate", result_path="/generate-result", dataset_field="zip_url")
    with emulator(tmp_path, protocol="both", trainers={**BUILT_IN, "edit": other}) as it:
        api = Api(it.url)
        accepted = api.call("POST", "/edit-831/generate", {"zip_url": "https://data.example.com/pairs.zip"})
        assert accepted.status == 202
        request_id = accepted.json["request_id"]
        assert api.call("POST", "/edit-831/generate-result", {"request_id": request_id}).status == 200
        assert api.result(request_id).status == 404, "a job belongs to one trainer"
        assert (
            api.call("POST", "/edit-831/generate", {"image_data_url": "https://data.example.com/pairs.zip"}).json["error"] == "Missing required field: zip_url"
        )


@pytest.mark.parametrize(("dataset", "word", "error"), [("fail-training/a.zip", "FAILED", "captions missing"), ("system-error.zip", "ERROR", "system error")])
def test_marked_datasets_fail_after_their_training(tmp_path, dataset, word, error):
    clock = Clock()
    with emulator(tmp_path, protocol="both", clock=clock) as it:
        api = Api(it.url)
        request_id = api.job(image_data_url=f"https://data.example.com/{dataset}")
        unmarked = api.job(image_data_url=f"https://data.example.com/a.zip?note={dataset}")
        assert api.status(request_id).json["status"] == "QUEUED"
        clock.now += END
        told = api.status(request_id).json
        assert told["status"] == word
        assert error in told["error"]
        assert told["output"] is None
        assert api.result(request_id).json["status"] == word
        assert api.status(unmarked).json["status"] == "COMPLETED", "the marker counts in the path only"
        assert api.file(request_id).status == 404
        assert [e["refunded"] for e in api.ledger()["entries"]] == ["8.00" if word == "ERROR" else "0.00", "0.00"]


def test_speed_divides_queue_and_training_alike(tmp_path):
    clock = Clock()
    with emulator(tmp_path, speed=100.0, clock=clock) as it:
        api = Api(it.url)
        request_id = api.job()
        clock.now = START + 0.31
        assert api.status(request_id).json["status"] == "PROCESSING"
        clock.now = START + 13.01
        assert api.status(request_id).json["status"] == "COMPLETED"


@pytest.mark.parametrize("steps", [100, 2000])
def test_training_takes_as_long_as_its_steps(tmp_path, steps):
    clock = Clock()
    with emulator(tmp_path, clock=clock) as it:
        api = Api(it.url)
        request_id = api.job(steps=steps)
        clock.now = START + 30 + steps * 1.27 - 1
        assert api.status(request_id).json["status"] == "PROCESSING"
        clock.now += 1.1
        assert api.status(request_id).json["status"] == "COMPLETED"


def test_equal_seed_clock_and_requests_give_equal_answers(tmp_path):
    def story(name: str, seed: int) -> list[str]:
        with emulator(tmp_path, books=tmp_path / name, seed=seed, clock=Clock()) as it:
            return [Api(it.url).job(steps=n) for n in (100, 100, 200)]

    first = story("a", 1)
    assert first == story("b", 1)
    assert len(set(first)) == 3, "equal bodies are two jobs"
    assert not set(first) & set(story("c", 2))


def test_missing_and_invalid_keys_get_the_gateways_two_texts(tmp_path):
    with emulator(tmp_path, keys=frozenset({"right"})) as it:
        api = Api(it.url)
        for send, words in (({}, "missing subscription key"), ({"Ocp-Apim-Subscription-Key": "wrong"}, "invalid subscription key")):
            for method, path in (("POST", SUBMIT), ("GET", "/v2/requests/status/x")):
                refused = api.call(method, path, b"{}" if method == "POST" else None, send=send)
                assert refused.status == 401
                assert refused.json["statusCode"] == 401
                assert words in refused.json["message"]
                assert "www-authenticate" in refused.headers
        assert api.call("POST", SUBMIT, b'{"image_data_url":"https://x.example/a.zip"}', send=headers(**{"Ocp-Apim-Subscription-Key": "right"})).status == 202


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        {"image_data_url": 5},
        {"image_data_url": "ftp://data.example.com/a.zip"},
        {"image_data_url": "https://x.example/a.zip", "steps": "1500"},
        {"image_data_url": "https://x.example/a.zip", "steps": 1500.5},
        {"image_data_url": "https://x.example/a.zip", "steps": True},
        {"image_data_url": "https://x.example/a.zip", "steps": 0},
        {"image_data_url": "https://x.example/a.zip", "learning_rate": "fast"},
        {"image_data_url": "https://x.example/a.zip", "learning_rate": 0},
        b'{"image_data_url": "https://x.example/a.zip", "learning_rate": NaN}',
    ],
)
def test_bad_bodies_get_the_documented_400_and_create_nothing(tmp_path, body):
    with emulator(tmp_path) as it:
        refused = Api(it.url).submit(body)
        assert (refused.status, refused.json) == (400, {"error": "Invalid request parameters"})
        assert it.books.charges() == []
        assert [(e.outcome, e.http_status, e.amount) for e in it.books.ledger()] == [("refused", 400, 0)]


def test_a_missing_dataset_is_named(tmp_path):
    with emulator(tmp_path) as it:
        assert Api(it.url).submit({"steps": 5}).json == {"error": "Missing required field: image_data_url", "status": 400}


def test_data_urls_and_unknown_fields_pass_and_left_out_steps_are_1000(tmp_path):
    clock = Clock()
    with emulator(tmp_path, clock=clock) as it:
        api = Api(it.url)
        request_id = api.submit({"image_data_url": "data:application/zip;base64,UEsFBgAA", "default_caption": "an otter"}).json["request_id"]
        clock.now += END - 1
        assert api.status(request_id).json["status"] == "PROCESSING"
        clock.now += 1
        assert api.status(request_id).json["status"] == "COMPLETED"
        assert "UEsFBgAA" not in str(api.ledger()), "inline data does not go into the ledger"


def test_a_wallet_pays_until_it_is_empty_and_refunds_fill_it(tmp_path):
    clock = Clock()
    with emulator(tmp_path, wallet=Decimal("16.00"), clock=clock) as it:
        api = Api(it.url)
        assert api.submit().status == 202
        assert api.submit(image_data_url="https://data.example.com/system-error.zip").status == 202
        refused = api.submit()
        assert refused.status == 402
        assert refused.json["error"] == "Insufficient Balance"
        clock.now += END
        assert api.submit().status == 202
        assert api.submit().status == 402
        assert it.books.balance() == Decimal("16.00")


def test_unknown_paths_ids_and_methods_are_404(tmp_path):
    with emulator(tmp_path, protocol="both") as it:
        api = Api(it.url)
        assert api.call("POST", "/other-api/v1/generate", {}).json == {"statusCode": 404, "message": "Resource not found"}
        assert api.call("POST", f"/{API}/v1/other", {}).json == {"error": "Endpoint not found"}
        assert api.call("PUT", SUBMIT, {}).status == 404
        assert api.status("nobody").status == 404
        assert api.result("nobody").json == {"error": "Endpoint not found"}
        assert api.call("POST", RESULT, {}).json["error"] == "Missing required field: request_id"
        assert [(e.http_status, e.request_id) for e in it.books.ledger()] == [(404, None), (404, None)], "stray POSTs are on record"


def test_a_connection_is_kept_for_many_requests(tmp_path):
    import http.client

    with emulator(tmp_path) as it:
        api = Api(it.url)
        request_id = api.job()
        connection = http.client.HTTPConnection(api.host, timeout=10)
        connection.connect()
        before = connection.sock
        for _ in range(20):
            connection.request("GET", f"/v2/requests/status/{request_id}", headers=headers())
            connection.getresponse().read()
            assert connection.sock is before
        connection.close()


def test_a_chunked_body_is_refused_and_an_unfinished_one_creates_nothing(tmp_path):
    import socket

    with emulator(tmp_path) as it:
        api = Api(it.url)
        refused = api.call("POST", SUBMIT, send=headers(**{"Transfer-Encoding": "chunked"}))
        assert refused.status == 411
        host, port = api.host.split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(f"POST {SUBMIT} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nOcp-Apim-Subscription-Key: k\r\n\r\n{{".encode())
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100) == b""
        assert it.books.ledger() == []


def inline_zip(**files: str) -> str:
    import base64
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("_", "."), text)
    return "data:application/zip;base64," + base64.b64encode(packed.getvalue()).decode()


@pytest.mark.parametrize(
    ("files", "caption", "word"),
    [
        ({"a_png": "x", "a_txt": "an otter"}, {}, "COMPLETED"),
        ({"a_png": "x", "a_txt": "an otter", "b_JPG": "x"}, {}, "FAILED"),
        ({"a_png": "x", "a_txt": ""}, {}, "FAILED"),
        ({"a_png": "x"}, {"default_caption": "an otter"}, "COMPLETED"),
    ],
)
def test_inspected_inline_datasets_without_captions_fail_after_they_were_charged(tmp_path, files, caption, word):
    clock = Clock()
    with emulator(tmp_path, inspect_datasets=True, clock=clock) as it:
        api = Api(it.url)
        request_id = api.job(image_data_url=inline_zip(**files), **caption)
        broken = api.job(image_data_url="data:application/zip;base64,UEsDB!!")
        clock.now += END
        assert api.status(request_id).json["status"] == word
        assert api.status(broken).json["status"] == "COMPLETED", "what cannot be read is not judged"
        assert api.ledger()["charged"] == "16.00"


def test_absurd_numbers_do_not_break_it(tmp_path):
    with emulator(tmp_path, strict=False) as it:
        api = Api(it.url)
        for steps in (b"1e400", b"-5", b"9" * 400, b'"many"', b"null"):
            assert api.submit(b'{"image_data_url": "https://x.example/a.zip", "steps": ' + steps + b"}").status == 202, steps
            assert api.status(api.ledger()["entries"][-1]["request_id"]).json["status"] == "QUEUED"
