"""Keys, limits and odd input at the door of the API."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from bot.api.openapi import document
from bot.store.keys import ApiKeys
from tests.bot.api.conftest import Counter

LEAVE = "How many days of leave do I have?"
POSTS = [path for path, methods in document()["paths"].items() if "post" in methods]


@pytest.mark.parametrize("key", ["", "nonsense", "whimbrel_0123456789ab_" + "x" * 43])
async def test_nothing_is_answered_without_a_key_that_holds(counter: Counter, key: str) -> None:
    await counter.open()
    counter.key()
    replies = [await counter.call(path, b"no JSON", key=key) for path in POSTS]
    replies.append(await counter.call("/v1/models", key=key, method="GET"))
    for reply in replies:
        assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert reply.headers["Content-Type"] == "application/problem+json"


async def test_a_key_of_another_secret_opens_nothing(counter: Counter) -> None:
    await counter.open()
    key = counter.key()
    other = key[:-1] + ("a" if key[-1] != "a" else "b")
    assert (await counter.ask(LEAVE, key=other)).status == 401


async def test_calls_beyond_a_limit_are_told_when_to_come_again(counter: Counter) -> None:
    await counter.open()
    key = counter.key(per_month=2)
    told = [await counter.ask(LEAVE, key=key) for _ in range(3)]
    assert [reply.status for reply in told] == [200, 200, 429]
    assert int(told[-1].headers["Retry-After"]) > 0
    assert "2 times a month" in told[-1].json["detail"]


async def test_the_usage_is_counted_by_kind(counter: Counter) -> None:
    await counter.open()
    key = counter.key()
    answer = (await counter.ask(LEAVE, key=key)).json
    await counter.call("/v1/search", {"query": "leave"}, key=key)
    await counter.call("/v1/feedback", {"answer_id": answer["id"], "rating": "good"}, key=key)
    (used,) = ApiKeys(counter.database()).usage()
    assert (used.name, used.questions, used.searches, used.feedback) == ("web", 1, 1, 1)


async def test_search_finds_what_the_key_may_see(counter: Counter) -> None:
    await counter.open()
    for key, found in ((counter.key(), []), (counter.key("hr-desk", "hr"), ["Salaries"])):
        reply = await counter.call("/v1/search", {"query": "salary band"}, key=key)
        assert [hit["document"]["title"] for hit in reply.json["hits"]] == found


async def test_what_is_found_does_nothing_to_who_renders_it(counter: Counter) -> None:
    from tests.fakes import passage

    text = "The lift code: ![x](https://evil.example/?q=1) <img src=x> ask @channel"
    counter.held.passages = [passage("Lift", text)]
    await counter.open()
    reply = await counter.call("/v1/search", {"query": "lift code"}, key=counter.key())
    assert "evil.example" not in reply.text
    assert "<img" not in reply.json["hits"][0]["text"]


@pytest.mark.parametrize(("body", "status", "told"), [
    (b"", 400, "no JSON"),
    (b"{", 400, "no JSON"),
    (b"[" * 100_000, 400, "no JSON"),
    (b"\xff\xfe", 400, "no JSON"),
    (b'{"question": "\\ud800"}', 400, "no JSON"),
    (b"[]", 422, "the body"),
    (b'{"question": 7}', 422, "question"),
    (b'{"question": "?!"}', 422, "question"),
    (b'{"question": ""}', 422, "question"),
    (b'{"question": "leave?", "canaryfield": 1}', 422, "the body"),
    (b'{"question": "leave?", "conversation": "a b"}', 422, "conversation"),
    (b'{"question": "leave?", "language": "xx"}', 422, "language"),
    (b'{"question": "leave?", "history": [{"role": "system", "text": ""}]}', 422, "history"),
    (b"x" * 2_100_000, 413, "too large"),
])  # fmt: skip
async def test_odd_bodies_are_refused_in_one_line_that_repeats_none_of_them(
    counter: Counter, body: bytes, status: int, told: str
) -> None:
    await counter.open()
    reply = await counter.call("/v1/answers", body, key=counter.key())
    assert (reply.status, reply.json["status"]) == (status, status)
    assert told in reply.json["detail"]
    assert "canary" not in reply.text
    assert "\n" not in reply.json["detail"]


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/v1/answers", 405),
    ("DELETE", "/v1/openapi.json", 405),
    ("GET", "/v1/nothing", 404),
    ("POST", "/v1/", 404),
])  # fmt: skip
async def test_other_paths_and_methods_are_problems_too(
    counter: Counter, method: str, path: str, status: int
) -> None:
    await counter.open()
    reply = await counter.call(path, method=method)
    assert (reply.status, reply.json["status"]) == (status, status)


async def test_a_body_of_another_type_is_refused(counter: Counter) -> None:
    await counter.open()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = await counter.call("/v1/answers", b"question=leave", key=counter.key(), headers=form)
    assert reply.status == 415


async def test_a_body_that_cannot_be_unpacked_is_refused(
    counter: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    await counter.open()
    packed = {"Content-Encoding": "gzip"}
    reply = await counter.call("/v1/answers", b"canary", key=counter.key(), headers=packed)
    assert (reply.status, reply.json["detail"]) == (400, "the body cannot be decoded")
    assert "Traceback" not in caplog.text


async def test_a_zero_byte_is_asked_as_a_space(counter: Counter) -> None:
    await counter.open()
    reply = await counter.ask("leave\0days a year?", key=counter.key(), user="a\0b")
    assert (reply.status, "30 days" in reply.text) == (200, True)


async def test_the_openapi_document_tells_every_path_and_needs_no_key(counter: Counter) -> None:
    await counter.open()
    told = (await counter.call("/v1/openapi.json", method="GET")).json
    assert set(told["paths"]) == {
        "/v1/answers", "/v1/search", "/v1/feedback", "/v1/chat/completions", "/v1/models",
        "/v1/openapi.json",
    }  # fmt: skip
    assert told["info"]["title"] == "Whimbrel"


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
_FIELDS = sorted(
    {
        name
        for schema in document()["components"]["schemas"].values()
        for name in schema["properties"]
    }
)
_BODIES = st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=6)


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(POSTS), body=_BODIES | st.binary(max_size=200))
async def test_no_body_is_answered_by_a_fault_of_ours_or_a_status_that_is_not_told(
    everything: Any, path: str, body: Any
) -> None:
    counter, key = everything
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = await counter.call(path, raw, key=key)
    told = document()["paths"][path]["post"]["responses"]
    assert str(reply.status) in told
    assert reply.status < 500


@pytest.fixture
async def everything(counter: Counter) -> tuple[Counter, str]:
    await counter.open()
    return counter, counter.key()
