"""A restricted document's words never come out for a key without its label, in any way in."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from typing import Any

import pytest

from bot.api.openapi import document
from bot.store.database import Database
from bot.store.log import utc
from tests.bot.api.conftest import Counter, Reply, Speaking
from tests.fakes import passage

CANARY = "quetzal"
TITLE = "Canarytitle"
QUESTION = "What is the code word of the vault?"
SECRET = passage(TITLE, f"The code word of the vault is {CANARY}.", audience="hr")
CHAT = {"messages": [{"role": "user", "content": QUESTION}]}


async def every_way(counter: Counter, key: str, answer_id: str, talk: str) -> list[Reply]:
    """What each way in answers to somebody who knows what to ask."""
    again = {"Idempotency-Key": "request-1"}
    follow = f"{QUESTION} And that of the other one?"
    return [
        await counter.ask(QUESTION, key=key),
        await counter.ask(QUESTION, key=key, stream=True),
        await counter.ask(QUESTION, key=key, headers=again),
        await counter.ask(follow, key=key, conversation=talk),
        await counter.ask(QUESTION, key=key, sources=[SECRET.source.id]),
        await counter.call("/v1/search", {"query": "code word vault", "limit": 50}, key=key),
        await counter.call("/v1/chat/completions", CHAT, key=key),
        await counter.call("/v1/chat/completions", {**CHAT, "stream": True}, key=key),
        await counter.call("/v1/feedback", feedback(answer_id, "bad"), key=key),
        await counter.call("/v1/feedback", feedback(answer_id, 7), key=key),
        await counter.call("/v1/models", key=key, method="GET"),
        await counter.call("/v1/openapi.json", method="GET"),
    ]


def feedback(answer_id: str, rating: Any) -> dict[str, Any]:
    return {"answer_id": answer_id, "rating": rating}


async def asked_by_who_may(counter: Counter, key: str) -> tuple[str, str]:
    told = (await counter.ask(QUESTION, key=key, headers={"Idempotency-Key": "request-1"})).json
    assert CANARY in told["text"]
    return told["id"], told["conversation"]


@pytest.mark.parametrize("secret_is", ["another key's", "taken away", "changed"])
async def test_no_way_in_tells_it(
    counter: Counter, secret_is: str, caplog: pytest.LogCaptureFixture
) -> None:
    answerer = Speaking()
    counter.held.passages = answerer.passages = [SECRET, *counter.held.passages]
    await counter.open(answerer)
    key = counter.key("hr-desk", "hr")
    answer_id, talk = await asked_by_who_may(counter, key)
    caplog.clear()
    if secret_is == "another key's":
        key = counter.key()
    elif secret_is == "taken away":
        closed = passage(TITLE, SECRET.text, audience="board")
        counter.held.passages = answerer.passages = [closed, *counter.held.passages[1:]]
    else:
        counter.held.passages = answerer.passages = counter.held.passages[1:]
    with caplog.at_level(logging.DEBUG):
        replies = await every_way(counter, key, answer_id, talk)
    for reply in replies:
        told = reply.text + json.dumps(reply.headers)
        assert CANARY not in told
        assert TITLE not in told
    assert CANARY not in caplog.text
    assert {reply.status for reply in replies} <= {200, 404, 410, 422}


async def test_what_an_expert_approved_for_some_is_told_to_them_alone(counter: Counter) -> None:
    await counter.open()
    approve(
        counter.database(), counter, f"The vault's word is {CANARY}.", audience=["hr", "public"]
    )
    allowed = await counter.ask(QUESTION, key=counter.key("hr-desk", "hr"))
    assert (allowed.json["method"], CANARY in allowed.text) == ("curated", True)
    for reply in await every_way(counter, counter.key(), allowed.json["id"], "talk"):
        assert CANARY not in reply.text


async def test_what_was_said_in_a_private_place_is_for_a_key_that_names_it(
    counter: Counter,
) -> None:
    await counter.open()
    approve(counter.database(), counter, f"It is {CANARY}.", audience=["public", "in:C1"])
    assert CANARY not in (await counter.ask(QUESTION, key=counter.key("web", "hr"))).text
    assert CANARY in (await counter.ask(QUESTION, key=counter.key("desk", "in:C1"))).text


def approve(database: Database, counter: Counter, answer: str, *, audience: list[str]) -> None:
    vector = counter.held.embedder.embed_queries([QUESTION])[0]
    row = {
        "question": QUESTION,
        "language": "en",
        "answer": answer,
        "audience": json.dumps(audience),
        "embedder": counter.held.embedder.id,
        "vector": vector.astype("<f4").tobytes(),
        "created": utc(0),
    }
    database.connection.table("curated").insert(row)


async def test_the_description_and_the_errors_hold_no_word_of_what_was_asked(
    counter: Counter,
) -> None:
    await counter.open()
    key = counter.key()
    bad = {"question": QUESTION, "language": CANARY, CANARY: 1}
    assert CANARY not in (await counter.call("/v1/answers", bad, key=key)).text
    assert CANARY not in (await counter.call(f"/v1/{CANARY}", key=key)).text
    assert CANARY not in json.dumps(document())


async def test_a_request_that_is_no_http_leaves_no_word_in_the_log(
    counter: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    await counter.open()
    key = counter.key()
    lines = ("POST /v1/answers HTTP/1.1", f"Authorization: Bearer {key}", "", CANARY)
    reader, writer = await asyncio.open_connection(*counter.url.removeprefix("http://").split(":"))
    with caplog.at_level(logging.DEBUG):
        writer.write("\n".join(lines).encode())  # HTTP ends lines otherwise
        assert b" 400 " in await reader.read()
    writer.close()
    assert "Error handling request from 127.0.0.1: BadStatusLine" in caplog.text
    assert CANARY not in caplog.text
    assert key not in caplog.text


async def test_who_is_forgotten_leaves_no_word(counter: Counter) -> None:
    from bot.privacy.forgetting import PERSON, Forgetting
    from bot.store.inbox import Inbox
    from bot.store.keys import person_of

    await counter.open()
    key = counter.key()
    told = (await counter.ask(f"Is {CANARY} a bird?", key=key, user="alice")).json
    bad = {"answer_id": told["id"], "rating": "bad", "correction": f"A {CANARY} is."}
    await counter.call("/v1/feedback", bad | {"user": "alice"}, key=key)
    await counter.stack.aclose()
    person = person_of("api:web", "alice")
    assert PERSON.fullmatch(person)
    database = Database(counter.folder / "whimbrel.db")
    forgotten = Forgetting(Inbox(database)).forget_person(person)
    database.purge()
    database.close()
    assert (forgotten.questions, forgotten.ratings, forgotten.proposals) == (1, 1, 1)
    held = b"".join(path.read_bytes() for path in counter.folder.glob("whimbrel.db*"))
    assert CANARY.encode() not in held
    names = sqlite3.connect(counter.folder / "whimbrel.db").execute("SELECT name FROM api_keys")
    assert names.fetchall() == [("web",)]
