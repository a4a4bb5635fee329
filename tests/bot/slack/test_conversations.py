"""The history of a question: from our own log first, from Slack where that knows nothing."""

from __future__ import annotations

import pytest

from retrieval.records import Message
from tests.bot.conftest import House, settled
from tests.fakes import SentenceAnswerer
from tests.slack_asking import message
from tests.slack_server import BOT_USER, Fault, event, mention


def people_talk(house: House) -> None:
    house.slack.messages["C1"] += [
        message("Our printer is broken, the one on floor 2", ts="1600000001.0", user="U2"),
        message(
            f"<@{BOT_USER}> might know", ts="1600000002.0", user="U3", thread_ts="1600000001.0"
        ),
        message("beep", ts="1600000003.0", user="UB", thread_ts="1600000001.0", bot_id="BOTHER"),
        message("later", ts="1700000005.0", user="U2", thread_ts="1600000001.0"),
    ]


async def test_a_mention_deep_in_a_thread_is_asked_with_what_people_said(
    each_transport: House,
) -> None:
    people_talk(each_transport)
    answerer = SentenceAnswerer()
    bot = await each_transport.start(answerer)
    asked = mention("What is it called?", ts="1600000004.0", thread_ts="1600000001.0")
    await each_transport.slack.deliver(event(asked, "Ev1"))
    await settled(bot)
    assert answerer.asked[0].history == (
        Message("user", "Our printer is broken, the one on floor 2"),
        Message("user", "might know"),
    )
    assert "Heron" in str(each_transport.slack.posted("C1")[0]["blocks"])


async def test_slack_is_asked_for_a_thread_once(house: House) -> None:
    people_talk(house)
    bot = await house.start()
    for n in (1, 2):
        asked = mention("What is it called?", ts=f"1600000004.{n}", thread_ts="1600000001.0")
        await house.slack.deliver(event(asked, f"Ev{n}"))
        await settled(bot, done=n)
    assert len(house.slack.called("conversations.replies")) == 1


async def test_a_question_that_begins_a_thread_asks_slack_for_nothing(house: House) -> None:
    bot = await house.start()
    await house.slack.deliver(event(mention("How much leave is there?", ts="1600000001.0"), "Ev1"))
    await settled(bot)
    assert house.slack.called("conversations.replies") == []


async def test_a_thread_that_cannot_be_read_costs_no_answer(house: House) -> None:
    house.slack.scopes = {"chat:write", "users:read", "assistant:write"}
    bot = await house.start()
    asked = mention("How much leave is there?", ts="1600000004.0", thread_ts="1600000001.0")
    await house.slack.deliver(event(asked, "Ev1"))
    await settled(bot)
    assert "30 days" in str(house.slack.posted("C1")[0]["blocks"])


@pytest.mark.parametrize("kind", ["throttled", "broken", "dropped"])
async def test_a_bad_moment_while_the_thread_is_read_costs_nothing(house: House, kind: str) -> None:
    people_talk(house)
    house.slack.fail("conversations.replies", Fault(kind))  # type: ignore[arg-type]
    bot = await house.start()
    asked = mention("What is it called?", ts="1600000004.0", thread_ts="1600000001.0")
    await house.slack.deliver(event(asked, "Ev1"))
    await settled(bot)
    assert len(house.slack.posted("C1")) == 1
