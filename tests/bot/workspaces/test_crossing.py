"""Tries to bring what is one workspace's into another one whose ids are all the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from typing import Any

import aiohttp
import pytest

from bot.store.keys import ApiKeys
from tests.bot.conftest import settled
from tests.bot.workspaces.conftest import HOST, Company, idle, secret_of
from tests.slack_asking import message
from tests.slack_forms import press, press_at_home
from tests.slack_server import (
    BOT_USER,
    click,
    direct_message,
    event,
    mention,
    reaction,
    slash,
)

Json = dict[str, Any]

ASKED = "What is the launch code word?"
TOLD_T1 = "Our quokka wants the launch code word."
"""What was said in the first workspace alone."""


async def asked(company: Company, team: str, text: str = ASKED) -> Json:
    """The answer to a question, the first one in its workspace."""
    await company.deliver(team, event(mention(text, ts="1.0"), "Ev1"))
    await settled(company.bots[team].bot)
    return company.slacks[team].posted("C1")[-1]


def buttons(block: object) -> Iterator[Json]:
    """Everything in a message that can be clicked, as `action_id` and `value`."""
    if isinstance(block, list):
        for part in block:
            yield from buttons(part)
    elif isinstance(block, dict):
        if block.get("type") == "feedback_buttons":
            sides = (block["positive_button"], block["negative_button"])
            yield from ({**block, "value": side["value"]} for side in sides)
        elif "action_id" in block:
            yield {"value": "", **block}
        for part in block.values():
            yield from buttons(part)


def database_of(company: Company, team: str) -> list[str]:
    """All that the bot of a workspace keeps in its database."""
    with closing(sqlite3.connect(company.installed().place(team).folder / "whimbrel.db")) as opened:
        return list(opened.iterdump())


def check_apart(company: Company) -> None:
    """Neither of them was shown or holds a word of the other."""
    for team, other in (("T1", "T2"), ("T2", "T1")):
        assert secret_of(team) in company.shown(team)
        assert secret_of(other) not in company.shown(team)
        assert secret_of(other).encode() not in company.kept(team)
    assert "quokka" not in company.shown("T2")
    assert b"quokka" not in company.kept("T2")


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["http", "socket"])
async def test_the_same_question_is_answered_from_the_documents_of_its_workspace(
    company: Company, transport: str
) -> None:
    await company.open(company.over_socket() if transport == "socket" else None)
    for team in company.slacks:
        await company.install(team)
        assert secret_of(team) in str(await asked(company, team))
    check_apart(company)


@pytest.mark.slow
async def test_no_event_command_click_or_page_of_one_brings_anything_of_the_other(
    two: Company,
) -> None:
    theirs = await asked(two, "T1", TOLD_T1)
    turn = two.bots["T1"].bot.log.turn_shown_in("C1", theirs["ts"])
    assert turn is not None
    await asked(two, "T2")
    before = database_of(two, "T1")
    ids = count(2)

    def trigger() -> str:
        return f"t{next(ids)}"

    def answer_url() -> str:
        return two.slacks["T2"].response_url(trigger())

    clicks = list(buttons(theirs["blocks"]))
    assert turn in str(clicks)
    bodies: list[Json] = [
        *(
            press(button["action_id"], button["value"], trigger_id=trigger(), url=answer_url())
            for button in clicks
        ),
        *(press_at_home(b["action_id"], b["value"], trigger_id=trigger()) for b in clicks),
        *(click(button, trigger_id=trigger()) for button in clicks),
        *(
            slash(command, words, trigger_id=trigger(), url=answer_url())
            for command, words in [
                ("/ask", "Which animal wants it?"),
                *(("/whimbrel", words) for words in ("status", "report", "access <@U1>", "help")),
            ]
        ),
        *(
            event(happened, f"Ev{next(ids)}")
            for happened in [
                mention("And which animal wants it?", ts="2.0", thread_ts="1.0"),
                direct_message("Which animal wants it?", ts="3.0"),
                message("Which animal is it?", ts="4.0", thread_ts="1.0"),
                reaction("+1", {"ts": theirs["ts"], "user": BOT_USER}, channel="C1"),
                reaction("bird", {"ts": "1.0", "user": "U1"}, channel="C1"),
                reaction("jigsaw", {"ts": theirs["ts"], "user": BOT_USER}, channel="C1"),
                {"type": "app_home_opened", "user": "U1", "channel": "D1", "tab": "home"},
                {"type": "app_home_opened", "user": "U1", "channel": "D1", "tab": "messages"},
                {
                    "type": "message",
                    "subtype": "message_deleted",
                    "channel": "C1",
                    "deleted_ts": "1.0",
                    "previous_message": {"user": "U1", "ts": "1.0", "text": TOLD_T1},
                },
            ]
        ),
    ]
    two.slacks["T2"].users["U1"]["is_admin"] = True
    for body in bodies:
        assert (await two.deliver("T2", body)).is_acked
    await idle(two.bots["T2"].bot)
    assert database_of(two, "T1") == before
    assert theirs in two.slacks["T1"].posted("C1")
    check_apart(two)


async def test_a_key_of_one_opens_nothing_of_the_other(two: Company) -> None:
    await asked(two, "T1", TOLD_T1)
    keys = {}
    for team, inside in two.bots.items():
        database = inside.bot.inbox.database
        with database.transaction():
            keys[team] = ApiKeys(database).create("all")[1]
    await asked(two, "T2")
    found: dict[tuple[str, str], tuple[int, str]] = {}
    async with aiohttp.ClientSession() as session:
        for team, inside in two.bots.items():
            for owner, key in keys.items():
                url = f"http://{HOST}:{inside.bot.api_port}/v1/answers"
                headers = {"authorization": f"Bearer {key}"}
                async with session.post(url, json={"question": ASKED}, headers=headers) as answer:
                    found[owner, team] = answer.status, await answer.text()
    assert {pair: status for pair, (status, _) in found.items()} == {
        (owner, team): 200 if owner == team else 401 for owner in keys for team in keys
    }
    assert all(secret_of(team) in found[team, team][1] for team in keys)
    assert not any(
        secret_of(team) in found[owner, team][1] for owner, team in found if owner != team
    )
    check_apart(two)


async def test_a_bot_takes_nothing_but_what_was_handed_to_it(two: Company) -> None:
    """Whoever is on the same machine can call it, and has the app's or another bot's secret."""
    slack, port = two.slacks["T2"], await two.bots["T2"].port()
    slack.app_url = f"http://{HOST}:{port}/slack/events"
    body = event(mention(ASKED, ts="1.0"), "Ev1")
    for key in ("shh", two.bots["T1"].secret, "T2"):
        assert (await slack.deliver(body, secret=key)).status == 401
    assert (await slack.deliver(body, secret=two.bots["T2"].secret)).is_acked
