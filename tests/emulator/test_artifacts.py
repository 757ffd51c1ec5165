"""The files of a finished job: valid, marked as emulated, served with ranges."""

from __future__ import annotations

import json
import math
import struct

import pytest

from .api import END, SUBMIT, Api, Clock, emulator


@pytest.fixture
def finished(tmp_path):
    clock = Clock()
    with emulator(tmp_path, clock=clock) as it:
        api = Api(it.url)
        request_id = api.job()
        assert api.file(request_id).status == 404, "there are no weights before the end"
        clock.now += END
        yield api, request_id


def test_weights_are_a_valid_safetensors_file_that_says_it_is_emulated(finished):
    api, request_id = finished
    got = api.file(request_id)
    assert (got.status, got.headers["content-type"]) == (200, "application/octet-stream")
    (length,) = struct.unpack("<Q", got.raw[:8])
    assert length % 8 == 0
    header = json.loads(got.raw[8 : 8 + length])
    data = got.raw[8 + length :]
    metadata = header.pop("__metadata__")
    assert metadata["emulated"] == "true"
    assert metadata["request_id"] == request_id
    assert metadata["parameter.steps"] == "1000"
    assert all(isinstance(v, str) for v in metadata.values())
    at = 0
    for tensor in header.values():
        begin, end = tensor["data_offsets"]
        assert begin == at
        assert end - begin == math.prod(tensor["shape"]) * 4
        assert all(math.isfinite(x) for x in struct.unpack(f"<{(end - begin) // 4}f", data[begin:end]))
        at = end
    assert at == len(data)


def test_config_is_json_and_other_names_are_404(finished):
    api, request_id = finished
    config = api.file(request_id, "config.json")
    assert config.headers["content-type"] == "application/json"
    assert config.json == {"emulated": True, "request_id": request_id, "trainer": "pixazo-flux2-pro", "rank": 4, "steps": 1000, "learning_rate": 3e-05}
    assert api.file(request_id, "other").status == 404
    assert api.file("nobody").status == 404


def test_two_jobs_have_different_weights_and_one_job_always_the_same(finished):
    api, request_id = finished
    other = api.job()
    api.call("GET", "/__admin/faults", send={})
    assert api.file(request_id).raw == api.file(request_id).raw
    assert other != request_id


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [("bytes=0-99", 0, 100), ("bytes=100-", 100, None), ("bytes=-10", -10, None), ("bytes=4000-999999", 4000, None), ("bytes=5-5", 5, 6)],
)
def test_a_range_is_that_part(finished, asked, begin, end):
    api, request_id = finished
    whole = api.file(request_id).raw
    part = api.file(request_id, Range=asked)
    assert part.status == 206
    assert part.raw == whole[begin:end]
    first = begin % len(whole)
    assert part.headers["content-range"] == f"bytes {first}-{first + len(part.raw) - 1}/{len(whole)}"


def test_ranges_beyond_the_end_are_416_and_odd_ones_are_ignored(finished):
    api, request_id = finished
    size = len(api.file(request_id).raw)
    beyond = api.file(request_id, Range=f"bytes={size}-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert api.file(request_id, Range="bytes=-0").status == 416
    for odd in ("bytes=-", "lines=1-2", "bytes=1-2,5-6", "bytes=x-y"):
        assert api.file(request_id, Range=odd).status == 200


def test_if_range_with_another_tag_gives_the_whole(finished):
    api, request_id = finished
    tag = api.file(request_id).headers["etag"]
    assert api.file(request_id, **{"Range": "bytes=0-9", "If-Range": tag}).status == 206
    assert api.file(request_id, **{"Range": "bytes=0-9", "If-Range": '"other"'}).status == 200


def test_head_tells_the_length_and_sends_no_body(finished):
    api, request_id = finished
    head = api.file(request_id, method="HEAD")
    assert (head.status, head.raw) == (200, b"")
    assert int(head.headers["content-length"]) == len(api.file(request_id).raw)
    assert head.headers["accept-ranges"] == "bytes"


def test_an_api_key_sent_to_the_files_is_refused(finished):
    api, request_id = finished
    refused = api.file(request_id, **{"Ocp-Apim-Subscription-Key": "k"})
    assert refused.status == 400
    assert "must not be sent" in refused.json["error"]
    assert api.call("POST", SUBMIT, b"{}", send={}).status == 401
