"""What a bot does with jobs that another release has left in the inbox of its real database."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from bot.app.bot import Bot
from bot.slack.incoming.interactions import RETRY
from bot.slack.incoming.payloads import Interaction, Question
from bot.store.database import Database
from bot.store.inbox import PAYLOAD_VERSION, Delivery, Inbox, JobKind
from tests.bot.conftest import House, settled
from tests.slack_forms import press
from tests.slack_server import event, mention

LEAVE = "How many days of leave?"
ASKED = Question(LEAVE, ts="1.0", thread_ts="1.0", channel_type="channel")
THREAD = "T1:C1:1.0"
OTHER: Any = {"mood": "curious"}
"""A field that this release does not know."""


def leave(house: House, kind: JobKind, payload: Any, *, version: int = PAYLOAD_VERSION) -> None:
    """Store a job as it lies in the inbox when the bot is stopped."""
    database = Database(house.folder / "whimbrel.db")
    Inbox(database).accept(Delivery("Ev1", kind, "T1", "C1", "U1", THREAD, {}, version=version))
    with database.transaction() as db:
        stored = payload if isinstance(payload, str) else json.dumps(payload)
        db.execute("UPDATE inbox SET payload = ?", (stored,))
    database.close()


async def asked_next(house: House) -> Bot:
    """A bot that is started, and asked in the same thread."""
    bot = await house.start()
    await house.slack.deliver(event(mention(LEAVE, ts="2.0", thread_ts="1.0"), "Ev2"))
    return bot


@pytest.mark.parametrize(
    ("payload", "version"),
    [
        (asdict(ASKED) | OTHER, PAYLOAD_VERSION),
        (asdict(ASKED), PAYLOAD_VERSION + 1),
        ({"ts": "1.0", "thread_ts": "1.0"}, PAYLOAD_VERSION),
        (asdict(ASKED) | {"text": None}, PAYLOAD_VERSION),
    ],
)
async def test_a_question_that_cannot_be_read_ends_in_an_apology_and_its_thread_goes_on(
    house: House, payload: Any, version: int
) -> None:
    leave(house, "question", payload, version=version)
    bot = await asked_next(house)
    await settled(bot, done=1, dead=1)
    apology, answer = house.slack.posted("C1")
    assert "something went wrong" in apology["text"]
    assert (apology["thread_ts"], answer["thread_ts"]) == ("1.0", "1.0")
    assert "30 days" in answer["blocks"][0]["text"]


@pytest.mark.parametrize("stored", ["{", "[]", '"?"'])
async def test_what_is_no_payload_at_all_ends_too(house: House, stored: str) -> None:
    leave(house, "question", stored)
    bot = await asked_next(house)
    await settled(bot, done=1, dead=1)
    assert "30 days" in house.slack.posted("C1")[-1]["blocks"][0]["text"]


async def test_a_question_of_a_release_that_told_no_version_is_answered(house: House) -> None:
    fields = ("text", "ts", "thread_ts", "channel_type", "is_shared", "response_url")
    leave(house, "question", {name: getattr(ASKED, name) for name in fields})
    await settled(await house.start())
    assert "30 days" in house.slack.posted("C1")[0]["blocks"][0]["text"]


@pytest.mark.parametrize("kind", ["pointed", "card", "command", "report", "refusal"])
async def test_who_waits_in_private_is_told_in_private(house: House, kind: JobKind) -> None:
    url = house.slack.response_url("r")
    leave(house, kind, {"name": "x", "text": "x", "response_url": url} | OTHER)
    await settled(await house.start(), done=int(kind == "refusal"), dead=int(kind != "refusal"))
    (told,) = house.slack.responses["r"]
    assert told["response_type"] == "ephemeral"
    assert house.slack.posted("C1") == []


@pytest.mark.parametrize("kind", ["overheard", "vote", "stop", "change", "home", "config"])
async def test_where_nobody_waits_in_the_channel_it_is_quiet(house: House, kind: JobKind) -> None:
    leave(house, kind, asdict(Interaction("x")) | OTHER)
    await settled(await house.start(), done=0, dead=1)
    assert house.slack.posted("C1") == []


async def test_asked_again_a_question_is_still_of_its_release(house: House) -> None:
    leave(house, "question", asdict(ASKED), version=PAYLOAD_VERSION + 1)
    bot = await house.start()
    await settled(bot, done=0, dead=1)
    await house.slack.deliver(press(RETRY, "Ev1"))
    await settled(bot, done=1, dead=2)
