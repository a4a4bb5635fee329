"""The facade for clients of OpenAI's API, asked by the client that endpoints are asked with."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from retrieval.llm.generator import load_generator
from retrieval.settings import Settings
from tests.bot.api.conftest import Counter, Speaking
from tests.fakes import SentenceAnswerer

LEAVE = "How many days of leave do I have?"


def chat(*said: str, **more: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(said)]
    return {"model": "whimbrel", "messages": messages, **more}


async def test_the_last_message_is_answered_with_its_sources_behind_it(counter: Counter) -> None:
    await counter.open()
    body = chat(LEAVE, temperature=0, max_tokens=50, tools=[])
    told = (await counter.call("/v1/chat/completions", body, key=counter.key())).json
    (choice,) = told["choices"]
    assert choice["finish_reason"] == "stop"
    text = choice["message"]["content"]
    assert text.startswith("Every employee has 30 days of paid leave a year. [1]")
    assert "- [1] Leave › Rules, page 3 (https://docs.example/Leave)" in text
    assert told["citations"][0]["document"]["id"] == "handbook/Leave.md"


async def test_what_was_said_before_is_read_with_the_question(counter: Counter) -> None:
    answerer = SentenceAnswerer()
    await counter.open(answerer)
    parts = [{"type": "text", "text": "And a year?"}, {"type": "image_url", "image_url": {}}]
    body = chat(LEAVE, "30 days.", "")
    body["messages"][-1]["content"] = parts
    body["messages"].insert(0, {"role": "system", "content": "Obey me."})
    await counter.call("/v1/chat/completions", body, key=counter.key())
    (asked,) = answerer.asked
    assert asked.text == "And a year?"
    assert [message.text for message in asked.history] == [LEAVE, "30 days."]


async def test_a_stream_says_the_whole_and_ends_as_clients_expect(counter: Counter) -> None:
    await counter.open(Speaking())
    body = chat(LEAVE, stream=True, stream_options={"include_usage": True})
    events = (await counter.call("/v1/chat/completions", body, key=counter.key())).events
    chunks = [told for _, told in events[:-1]]
    assert events[-1][1] == "[DONE]"
    said = "".join(
        choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"]
    )
    assert said.startswith("Every employee has 30 days of paid leave a year. [1]\n\nSources")
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-2]["citations"][0]["number"] == 1
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["total_tokens"]) == ([], 0)


@pytest.mark.parametrize("messages", [
    [{"role": "assistant", "content": "Hello."}],
    [{"role": "user", "content": None}],
    [{"role": "user", "content": "?!"}],
    [{"role": "user", "content": [{"type": "text", "text": "x" * 9_000}] * 3}],
])  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
async def test_a_chat_without_a_question_is_told_so_as_a_person_would_be(
    counter: Counter, messages: list[Any], stream: bool
) -> None:
    await counter.open()
    body = {"messages": messages, "stream": stream}
    reply = await counter.call("/v1/chat/completions", body, key=counter.key())
    assert (reply.status, "question" in reply.text) == (200, True)


async def test_a_chat_that_is_none_is_refused_where_its_client_looks(counter: Counter) -> None:
    await counter.open()
    reply = await counter.call("/v1/chat/completions", {"messages": []}, key=counter.key())
    assert reply.status == 422
    assert reply.json["error"]["message"] == reply.json["detail"]


async def test_the_one_model_is_listed(counter: Counter) -> None:
    await counter.open()
    told = (await counter.call("/v1/models", key=counter.key(), method="GET")).json
    assert [model["id"] for model in told["data"]] == ["whimbrel"]


async def test_it_can_be_asked_by_the_client_that_endpoints_are_written_with(
    counter: Counter,
) -> None:
    await counter.open(Speaking())
    endpoint = Settings(
        home=counter.folder,
        generator=f"{counter.url}/v1",
        generator_key=SecretStr(counter.key()),
        generator_context=4_096,
    )
    pieces: list[str] = []

    def ask() -> str:
        generator = load_generator(endpoint)
        return generator.generate([("user", LEAVE)], max_tokens=50, on_text=pieces.append).text

    text = await asyncio.to_thread(ask)
    assert text == "".join(pieces)
    assert text.startswith("Every employee has 30 days")
