"""Every kind of fault does what its description says, and the fault plan is read strictly."""

from __future__ import annotations

import gzip
import http.client
import json
import time

import pytest

from reconciler.emulator.faultfile import parse_faults
from reconciler.emulator.faults import KINDS, ROUTES, Call, FaultPlan
from reconciler.errors import Invalid

from .api import BODY, END, RESULT, SUBMIT, Api, Clock, emulator, raw

BODY_BYTES = json.dumps(BODY).encode()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def it(tmp_path, clock):
    with emulator(tmp_path, protocol="both", clock=clock) as it:
        yield it


@pytest.fixture
def api(it):
    return Api(it.url)


def submit_raw(it) -> tuple[bytes, bool]:
    return raw(it.url, "POST", SUBMIT, BODY_BYTES)


def created(api) -> int:
    return api.ledger()["created"]


@pytest.mark.parametrize(
    ("do", "jobs", "outcome"), [("close_before_reading", 0, "unread"), ("close_before_accepting", 0, "dropped"), ("accept_then_close", 1, "accepted")]
)
def test_closing_leaves_no_byte_and_the_books_know_what_happened(it, api, do, jobs, outcome):
    api.faults({"do": do})
    assert submit_raw(it)[0] == b""
    assert created(api) == jobs
    assert [(e["outcome"], e["fault"]) for e in api.ledger()["entries"]] == [(outcome, do)]


def test_accept_then_reset_ends_with_rst(it, api):
    api.faults({"do": "accept_then_reset"})
    assert submit_raw(it) == (b"", True)
    assert created(api) == 1


def test_cut_headers_ends_inside_the_head(it, api):
    api.faults({"do": "cut_headers", "when": {"call": 1}}, {"do": "cut_headers", "bytes": 5})
    first, _ = submit_raw(it)
    assert first.startswith(b"HTTP/1.1 202")
    assert b"\r\n\r\n" not in first
    assert submit_raw(it)[0] == b"HTTP/"
    assert created(api) == 2


def test_cut_body_announces_more_than_it_sends(it, api):
    api.faults({"do": "cut_body", "when": {"call": 1}}, {"do": "cut_body", "bytes": 3})
    head, _, body = submit_raw(it)[0].partition(b"\r\n\r\n")
    announced = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert len(body) == announced // 2
    assert submit_raw(it)[0].partition(b"\r\n\r\n")[2] == b'{"r'
    assert created(api) == 2


def test_delay_creates_first_and_answers_late(it, api):
    api.faults({"do": "delay", "seconds": 60})
    with pytest.raises(TimeoutError):
        api.call("POST", SUBMIT, BODY, timeout=0.2)
    assert created(api) == 1


def test_delay_before_accepting_creates_although_nobody_waits(it, api):
    api.faults({"do": "delay_before_accepting", "seconds": 0.4, "when": {"call": 1}})
    with pytest.raises(TimeoutError):
        api.call("POST", SUBMIT, BODY, timeout=0.1)
    assert created(api) == 0
    deadline = time.monotonic() + 10
    while created(api) == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert created(api) == 1


@pytest.mark.parametrize("do", ["drip", "drip_headers"])
def test_drips_come_byte_by_byte_and_whole_in_the_end(it, api, do):
    api.faults({"do": do, "seconds": 0.001})
    before = time.monotonic()
    got = api.submit()
    assert got.json["status"] == "QUEUED"
    assert time.monotonic() - before > len(got.raw) * 0.001


@pytest.mark.parametrize(("do", "jobs"), [("error_before_accept", 0), ("error_after_accept", 1)])
def test_errors_before_and_after_acceptance(api, do, jobs):
    api.faults({"do": do, "when": {"call": 1}}, {"do": do, "status": 503})
    assert api.submit().json == {"error": "An unexpected error occurred, please try again later"}
    assert (api.submit().status, created(api)) == (503, jobs * 2)


def test_rate_limit_holds_so_many_times(api):
    api.faults({"do": "rate_limit", "retry_after": 7, "times": 2})
    refused = api.submit()
    assert (refused.status, refused.headers["retry-after"]) == (429, "7")
    assert "Try again in 7 seconds." in refused.json["message"]
    assert [api.submit().status for _ in range(3)] == [429, 202, 202]
    assert created(api) == 2


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_refuse_has_the_shape_of_the_gateway_or_of_the_backend(api, status):
    api.faults({"do": "refuse", "status": status, "when": {"call": 1}}, {"do": "refuse", "status": status, "shape": "backend", "retry_after": 60})
    gateway, backend = api.submit(), api.submit()
    assert gateway.status == gateway.json["statusCode"] == backend.status == status
    assert "error" in backend.json
    assert backend.headers["retry-after"] == "60"
    assert created(api) == 0


def test_edge_html_on_status_leaves_submits_alone(api):
    api.faults({"do": "edge_html", "on": "status"})
    request_id = api.job()
    blocked = api.status(request_id)
    assert (blocked.status, blocked.headers["content-type"], blocked.headers["cf-mitigated"]) == (403, "text/html; charset=UTF-8", "challenge")
    assert b"Just a moment" in blocked.raw
    assert api.result(request_id).status == 200


def test_edge_html_after_accept(api):
    api.faults({"do": "edge_html_after_accept"})
    got = api.submit()
    assert (got.status, got.raw[:9], created(api)) == (502, b"<!DOCTYPE", 1)


def test_without_id_has_none_and_no_polling_url(api):
    api.faults({"do": "without_id"})
    got = api.submit()
    assert (got.status, got.json, created(api)) == (202, {"status": "QUEUED"}, 1)


def test_empty_answers_and_answers_that_are_not_json(api):
    api.faults({"do": "empty_answer", "when": {"call": 1}}, {"do": "not_json", "when": {"call": 2}}, {"do": "not_json", "text": "<x>"})
    assert [api.submit().raw for _ in range(3)] == [b"", b"Training job queued for execution.", b"<x>"]
    assert created(api) == 3


def test_gzip_comes_although_nobody_asked(api):
    api.faults({"do": "gzip"})
    got = api.submit()
    assert got.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(got.raw))["status"] == "QUEUED"


def test_huge_is_valid_json(api):
    api.faults({"do": "huge", "when": {"call": 1}}, {"do": "huge", "bytes": 1000})
    assert len(api.submit().raw) > 4 * 1024 * 1024
    got = api.submit()
    assert 1000 < len(got.raw) < 2000
    assert got.json["status"] == "QUEUED"


def test_duplicate_keys_hold_two_values(api):
    api.faults({"do": "duplicate_keys"})
    pairs = json.loads(api.submit().raw, object_pairs_hook=list)
    assert [key for key, _ in pairs].count("request_id") == 2
    assert len({value for key, value in pairs if key == "request_id"}) == 2


def test_duplicate_id_names_the_oldest_job(api):
    first = api.job()
    api.faults({"do": "duplicate_id"}, {"do": "duplicate_id", "on": "status"})
    assert api.job() == first
    assert created(api) == 2
    assert api.status(api.ledger()["entries"][1]["request_id"]).json["request_id"] == first


def test_id_gives_the_job_that_id(api):
    api.faults({"do": "id", "id": "a b/../€"})
    assert [api.job(), api.job()] == ["a b/../€", "a b/../€-2"]
    assert api.status("a b/../€").json["request_id"] == "a b/../€"
    assert api.submit().json["polling_url"].endswith("/a%20b%2F..%2F%E2%82%AC-3")


def test_id_field_moves_the_id(api):
    api.faults({"do": "id_field", "when": {"call": 1}}, {"do": "id_field", "field": "requestId"})
    moved = api.submit().json
    assert "request_id" not in moved
    assert isinstance(moved["data"]["task_id"], str)
    assert "requestId" in api.submit().json


def test_redirects_before_and_after_acceptance(it, api):
    api.faults(
        {"do": "redirect", "when": {"call": 1}},
        {"do": "redirect_after_accept", "when": {"call": 2}},
        {"do": "redirect", "status": 308, "location": "https://elsewhere.example/"},
    )
    first = api.submit()
    assert (first.status, first.headers["location"], created(api)) == (302, it.url + SUBMIT, 0)
    assert (api.submit().status, created(api)) == (303, 1)
    third = api.submit()
    assert (third.status, third.headers["location"], created(api)) == (308, "https://elsewhere.example/", 1)


def test_not_found_for_the_first_polls_of_each_job_or_for_ever(api):
    one, two = api.job(), api.job()
    api.faults({"do": "not_found", "on": "status", "times": 2}, {"do": "not_found", "on": "result"})
    assert [api.status(one).status for _ in range(3)] == [404, 404, 200]
    assert [api.status(two).status for _ in range(3)] == [404, 404, 200]
    assert {api.result(one).status for _ in range(5)} == {404}


def test_status_words_are_anything(api):
    api.faults({"do": "status_word", "word": "In-Queue"}, {"do": "status_word", "on": "status"}, {"do": "status_word", "on": "result", "word": "nsfw"})
    accepted = api.submit().json
    assert accepted["status"] == "In-Queue"
    assert api.status(accepted["request_id"]).json["status"] == "Reticulating"
    assert api.result(accepted["request_id"]).json["status"] == "nsfw"


@pytest.mark.parametrize("route", ["status", "result"])
def test_contradicting_words_and_fields(api, clock, route):
    request_id = api.job()
    api.faults({"do": "contradict", "on": route})
    poll = getattr(api, route)
    pending = poll(request_id).json
    assert (pending["status"], pending["output"]) == ("completed", {"media_url": [""]})
    clock.now += END
    done = poll(request_id).json
    assert done["status"] == "In progress"
    assert "output.safetensors" in json.dumps(done)


@pytest.mark.parametrize("route", ["status", "result"])
def test_without_artifact_waits_for_the_end_of_the_job(api, clock, route):
    request_id = api.job()
    api.faults({"do": "without_artifact", "on": route, "times": 1})
    poll = getattr(api, route)
    assert poll(request_id).json["status"] != "COMPLETED"
    clock.now += END
    bare = poll(request_id).json
    assert bare["status"] == "COMPLETED"
    assert "safetensors" not in json.dumps(bare)
    assert "safetensors" in json.dumps(poll(request_id).json)


def test_errors_in_200(api):
    request_id = api.job()
    api.faults({"do": "error_in_200", "error": "no"}, {"do": "error_in_200", "on": "status"})
    refused = api.submit()
    assert (refused.status, refused.json, created(api)) == (200, {"error": "no"}, 1)
    told = api.status(request_id).json
    assert (told["status"], told["output"]) == ("COMPLETED", None)
    assert told["error"]


def test_accept_failed_is_an_acceptance_that_failed(api):
    api.faults({"do": "accept_failed"})
    told = api.submit().json
    assert (told["status"], told["error"], created(api)) == ("FAILED", "request moderated", 1)
    assert told["request_id"]


def test_polling_urls_of_other_hosts_or_none(api):
    api.faults(
        {"do": "foreign_polling_url", "when": {"call": 1}},
        {"do": "without_polling_url", "when": {"call": 2}},
        {"do": "foreign_polling_url", "url": "http://127.0.0.1:1/{id}"},
    )
    told = api.submit().json
    assert told["polling_url"] == f"https://queue.elsewhere.example/v2/requests/status/{told['request_id']}"
    assert set(api.submit().json) == {"request_id", "status"}
    told = api.submit().json
    assert told["polling_url"] == f"http://127.0.0.1:1/{told['request_id']}"


def test_truncated_and_cut_artifacts(api, clock):
    request_id = api.job()
    clock.now += END
    whole = api.file(request_id).raw
    api.faults({"do": "truncated_artifact", "on": "artifact", "when": {"call": 1}}, {"do": "cut_body", "on": "artifact"})
    assert api.file(request_id).raw == whole[: len(whole) // 2]
    with pytest.raises(http.client.IncompleteRead):
        api.file(request_id)


def test_faults_of_delivery_apply_to_every_route(it, api, clock):
    request_id = api.job()
    clock.now += END
    for route, method, path, body in (
        ("status", "GET", f"/v2/requests/status/{request_id}", b""),
        ("result", "POST", RESULT, json.dumps({"request_id": request_id}).encode()),
        ("artifact", "GET", f"/r2/v1/{request_id}/config.json", b""),
    ):
        for do in ("accept_then_close", "close_before_reading", "close_before_accepting", "accept_then_reset"):
            assert api.faults({"do": do, "on": route}).status == 200
            assert raw(it.url, method, path, body)[0] == b"", (route, do)


def test_every_kind_is_documented_and_books_agree_with_what_it_says(it, api):
    """On submit: a kind creates a job if and only if its description in the fault list says so."""
    kinds = api.call("GET", "/__admin/faults", send={}).json["kinds"]
    assert set(kinds) == set(KINDS)
    for name, kind in kinds.items():
        assert len(kind["meaning"]) > 20
        if "submit" not in kind["on"]:
            continue
        before = created(api)
        quick = {key: 0.0 for key in kind["settings"] if key == "seconds"}
        assert api.faults({"do": name, **quick}).status == 200
        submit_and_forget(it)
        assert created(api) == before + kind["creates_job"], name


def submit_and_forget(it) -> None:
    import socket

    host, port = Api(it.url).host.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        try:
            connection.sendall(
                f"POST {SUBMIT} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nOcp-Apim-Subscription-Key: k\r\n"
                f"Content-Length: {len(BODY_BYTES)}\r\n\r\n".encode()
                + BODY_BYTES
            )
            while connection.recv(65536):
                pass
        except ConnectionError:
            return


def test_faults_are_chosen_by_call_by_body_and_in_order(api):
    api.faults(
        {"do": "refuse", "status": 402, "when": {"body": "heron"}},
        {"do": "refuse", "status": 404, "when": {"call": 3}},
        {"do": "refuse", "status": 401, "when": {"call": 3}},
    )
    herons = {"image_data_url": "https://data.example.com/heron.zip"}
    assert [api.submit().status, api.submit(**herons).status, api.submit().status, api.submit().status] == [202, 402, 404, 202]
    state = api.call("GET", "/__admin/faults", send={}).json
    assert state["calls"]["submit"] == 4
    assert state["faults"][0] == {"when": {"body": "heron"}, "on": "submit", "do": "refuse", "status": 402}
    assert api.call("DELETE", "/__admin/faults", send={}).status == 200
    assert api.submit(**herons).status == 202


def test_probabilities_are_the_same_in_every_run_and_about_right():
    def hits(seed: int) -> list[int]:
        plan = FaultPlan(parse_faults(json.dumps([{"do": "accept_then_close", "when": {"probability": 0.1, "seed": seed}}])))
        return [n for n in range(2000) if plan.pick(Call("submit", n))]

    assert hits(7) == hits(7) != hits(8)
    assert 140 < len(hits(7)) < 260


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        ("nonsense", "not JSON"),
        ("{}", "a JSON list"),
        ("[1]", "fault 1: not an object"),
        ('[{"do": "acept_then_close"}]', "did you mean `accept_then_close`?"),
        ("[{}]", "`do` is not a kind of fault"),
        ('[{"do": ["x"]}]', "`do` is not a kind of fault"),
        ('[{"do": "delay", "on": "submits"}]', "`on` is not one of submit, status, result, artifact"),
        ('[{"do": "delay", "on": ["submit"]}]', "`on` is not one of"),
        ('[{"do": "truncated_artifact"}]', "truncated_artifact applies to artifact only"),
        ('[{"do": "delay", "second": 5}]', "no setting `second`; did you mean `seconds`?"),
        ('[{"do": "delay", "seconds": "5"}]', "`seconds` is not a number"),
        ('[{"do": "delay", "seconds": -1}]', "`seconds` is not a number"),
        ('[{"do": "delay", "seconds": NaN}]', "`seconds` is not a number"),
        ('[{"do": "delay", "times": 0}]', "`times` is not a whole number"),
        ('[{"do": "delay", "when": {"call": true}}]', "`when.call`"),
        ('[{"do": "delay", "when": {"cal": 1}}]', "did you mean `call`?"),
        ('[{"do": "delay", "when": {"probability": 2}}]', "`when.probability`"),
        ('[{"do": "delay", "when": {"seed": 2}}]', "`when.seed`"),
        ('[{"do": "delay", "when": 3}]', "`when` is not an object"),
        ('[{"do": "close_before_reading", "when": {"body": "x"}}]', "cannot look at the body"),
        ('[{"do": "refuse", "status": 99}]', "`status`"),
        ('[{"do": "refuse", "shape": "edge"}]', "`shape`"),
        ('[{"do": "redirect", "location": "a\\r\\nb"}]', "`location`"),
        ('[{"do": "delay", "do": "drip"}]', "twice"),
    ],
)
def test_a_fault_plan_is_read_strictly(api, plan, problem):
    with pytest.raises(Invalid) as caught:
        parse_faults(plan, file="plan.json")
    assert problem in caught.value.diagnostics[0].summary
    assert caught.value.diagnostics[0].place.file == "plan.json"
    refused = api.call("POST", "/__admin/faults", plan.encode(), send={})
    assert refused.status == 400
    assert problem in refused.json["problems"][0]


def test_all_problems_of_a_plan_are_reported_at_once():
    with pytest.raises(Invalid) as caught:
        parse_faults('[{"do": "x"}, {"do": "delay", "times": "many", "why": 1}]')
    assert len(caught.value.diagnostics) == 3


def test_every_kind_names_known_routes():
    assert all(kind.routes and set(kind.routes) <= set(ROUTES) for kind in KINDS.values())
