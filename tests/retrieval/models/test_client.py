from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import FrameType
from typing import Any

import pytest

from retrieval.errors import EndpointError
from retrieval.models.client import (
    CALLS,
    Breaker,
    Client,
    RefusedError,
    Stopped,
    resting,
    retry_after,
)
from retrieval.models.endpoint import Endpoint
from retrieval.tracing import trace_of, traced
from tests.endpoint_server import EndpointServer, Fault, Kind

BODY: dict[str, Any] = {"model": "tiny", "messages": [], "stream": True}


@pytest.fixture
def server() -> Iterator[EndpointServer]:
    with EndpointServer() as server:
        yield server


def client_of(server: EndpointServer, *, breaker: Breaker | None = None, **more: Any) -> Client:
    endpoint = Endpoint(f"{server.url}/v1", **more)
    return Client(endpoint, breaker=breaker, pause_s=0.01)


def streamed(client: Client, body: dict[str, Any] = BODY) -> str:
    said: list[str] = []

    def take(event: dict[str, Any]) -> bool:
        said.extend(choice["delta"].get("content", "") for choice in event.get("choices", ()))
        return bool("".join(said))

    client.stream(client.endpoint.at("/chat/completions"), body, on_event=take)
    return "".join(said)


def test_a_stream_is_given_piece_by_piece(server: EndpointServer) -> None:
    assert streamed(client_of(server)) == "There are 27 days [1]."


@pytest.mark.parametrize("kind", ["garbage", "disconnect"])
def test_what_fails_before_the_first_word_is_asked_again(
    server: EndpointServer, kind: Kind
) -> None:
    server.faults.extend([Fault(kind), Fault(kind)])
    assert streamed(client_of(server)) == "There are 27 days [1]."
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_status_that_passes_is_asked_again(server: EndpointServer, status: int) -> None:
    server.faults.append(Fault("status", status, headers={"Retry-After": "0.02"}))
    assert streamed(client_of(server)) == "There are 27 days [1]."


def test_what_goes_on_failing_is_given_up(server: EndpointServer) -> None:
    server.faults.extend([Fault("status", 503)] * 5)
    with pytest.raises(EndpointError, match=r"503 .out of order"):
        streamed(client_of(server))
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [301, 400, 401, 404, 413])
def test_a_refusal_is_not_asked_again(server: EndpointServer, status: int) -> None:
    server.faults.append(Fault("status", status))
    with pytest.raises(RefusedError, match=str(status)):
        streamed(client_of(server))
    assert len(server.asked) == 1


@pytest.mark.parametrize("asked", ["Is the canary yellow today?", "金丝雀今天是黄色的吗？"])
@pytest.mark.parametrize("status", [400, 503])
def test_what_an_error_repeats_of_what_was_asked_is_not_told(
    server: EndpointServer, asked: str, status: int
) -> None:
    body = {**BODY, "model": "a-model-of-that-name", "messages": [{"content": f"A:\n{asked}"}]}
    for said in (f"cannot take {asked[3:]}", json.dumps({"input": asked})):
        server.faults.extend([Fault("status", status, message=said)] * 3)
        with pytest.raises(EndpointError, match=r"cannot take|input") as caught:
            streamed(client_of(server), body)
        assert asked[-5:] not in str(caught.value)
        server.faults.clear()
    server.faults.append(Fault("status", 404, message="there is no a-model-of-that-name here"))
    with pytest.raises(RefusedError, match="no a-model-of-that-name"):
        streamed(client_of(server), body)


def test_nobody_waits_for_an_endpoint_that_asks_for_minutes(server: EndpointServer) -> None:
    server.faults.append(Fault("status", 429, headers={"Retry-After": "600"}))
    with pytest.raises(EndpointError, match="429"):
        streamed(client_of(server))
    assert len(server.asked) == 1


def test_a_web_page_is_told_as_such(server: EndpointServer) -> None:
    server.faults.append(Fault("html"))
    with pytest.raises(RefusedError, match="web page"):
        streamed(client_of(server))


def test_what_breaks_off_in_the_middle_is_not_asked_again(server: EndpointServer) -> None:
    server.faults.append(Fault("drop", after=2))
    with pytest.raises(EndpointError):
        streamed(client_of(server))
    assert len(server.asked) == 1


def test_silence_is_given_up_and_the_connection_closed(server: EndpointServer) -> None:
    server.faults.append(Fault("hang"))
    with pytest.raises(EndpointError, match="WHIMBREL_ENDPOINT_SECONDS"):
        streamed(client_of(server, silence_s=0.2))
    assert server.left.wait(10)
    assert len(server.asked) == 1


@pytest.mark.parametrize("after", [0, 2])
def test_a_stopped_request_closes_its_connection_at_once(
    server: EndpointServer, after: int
) -> None:
    server.faults.append(Fault("hang", after=after))
    client = client_of(server)
    with pytest.raises(Stopped):
        client.stream(
            client.endpoint.at("/chat/completions"),
            BODY,
            on_event=lambda _: True,
            should_stop=lambda: bool(server.asked),
        )
    assert server.left.wait(10)


def test_requests_that_belong_together_are_made_by_twos(server: EndpointServer) -> None:
    server.hold = threading.Barrier(2)  # two at least come together, or this never ends
    client, done = client_of(server), list[int]()
    url = client.endpoint.at("/chat/completions")
    client.post(url, [{"model": "tiny"}] * 8, on_done=done.append)
    assert (server.most_at_once, done) == (2, [*range(1, 9)])


def test_no_more_requests_are_made_at_once_than_allowed(server: EndpointServer) -> None:
    server.hold = threading.Barrier(2)
    client = client_of(server, requests=2)
    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(lambda _: streamed(client), range(6)))) == 1
    assert server.most_at_once == 2


def test_an_endpoint_that_fails_is_left_alone_for_a_while(server: EndpointServer) -> None:
    now = [0.0]
    client = client_of(server, breaker=Breaker(clock=lambda: now[0]))
    server.faults.extend([Fault("status", 500)] * 9)
    for _ in range(3):
        with pytest.raises(EndpointError, match="500"):
            streamed(client)
    with pytest.raises(EndpointError, match="left alone for 30 s"):
        streamed(client)
    assert len(server.asked) == 9
    now[0] = 31.0
    assert streamed(client)
    assert streamed(client)


def test_one_call_alone_tries_an_endpoint_that_was_left_alone() -> None:
    breaker = Breaker(failures=1, clock=lambda: 0.0, rest_s=0.0)
    breaker.report(failed=True)
    breaker.rest_s = 5.0
    breaker.check()
    with pytest.raises(EndpointError):
        breaker.check()


def test_an_address_outside_of_the_own_network_is_not_reached() -> None:
    client = Client(Endpoint("http://192.0.2.1/v1", is_private_only=True))
    with pytest.raises(EndpointError, match="WHIMBREL_ENDPOINTS=private"):
        client.get(client.endpoint.at("/models"))


def test_the_own_network_is_reached(server: EndpointServer) -> None:
    assert streamed(client_of(server, is_private_only=True))


def test_a_proxy_is_not_asked_for_what_is_here(
    server: EndpointServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    assert streamed(client_of(server))
    with pytest.raises(EndpointError, match="no connection"):
        streamed(Client(Endpoint("http://models.example/v1"), pause_s=0.01))


def test_nothing_listening_is_told() -> None:
    with EndpointServer() as server:
        url = server.url
    with pytest.raises(EndpointError, match="no connection"):
        streamed(Client(Endpoint(url), pause_s=0.01))


def test_the_key_is_sent() -> None:
    with EndpointServer(key="k") as server:
        assert streamed(client_of(server, key="k"))
        with pytest.raises(RefusedError, match="WHIMBREL_GENERATOR_KEY"):
            streamed(client_of(server, key="other"))


def test_what_to_wait_is_given_in_seconds_or_as_a_date() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert retry_after({"Retry-After": "2.5"}) == 2.5
    assert 80 < (retry_after({"Retry-After": at}) or 0) <= 90
    assert retry_after({"Retry-After": "soon"}) is None
    assert retry_after({}) is None


def test_who_rests_can_be_told_while_others_begin_to_ask(server: EndpointServer) -> None:
    kept = [client_of(server, setting="WHIMBREL_FIRST")]
    beginning: list[threading.Thread] = []

    def begin_another(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_name == "__iter__" and event == "line" and len(beginning) < 5:
            beginning.append(threading.Thread(target=lambda: kept.append(client_of(server))))
            beginning[-1].start()
            beginning[-1].join(0.1)  # it may have to wait for us
        return begin_another

    before = sys.gettrace()
    sys.settrace(begin_another)
    try:
        told = resting()
    finally:
        sys.settrace(before)
    for thread in beginning:
        thread.join()
    assert (len(kept), told["first"]) == (6, False)


def test_calls_are_counted_by_how_they_ended_and_carry_the_trace(server: EndpointServer) -> None:
    role = {"setting": "WHIMBREL_COUNTED"}
    before, breaker = Counter(CALLS.counts()), Breaker(failures=1)
    client = client_of(server, breaker=breaker, **role)
    with traced(trace_of("Ev1")):
        streamed(client)
    server.faults.append(Fault("status", 401))
    with pytest.raises(RefusedError):
        streamed(client)
    assert not resting()["counted"]
    server.faults.extend([Fault("status", 503)] * 3)
    with pytest.raises(EndpointError):
        streamed(client)
    assert Counter(CALLS.counts()) - before == {
        ("counted", outcome): 1 for outcome in ("ok", "refused", "failed")
    }
    assert resting()["counted"]
    assert server.requests[0][2]["traceparent"].split("-")[1] == trace_of("Ev1")
    assert "traceparent" not in server.requests[1][2]
