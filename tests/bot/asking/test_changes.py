"""Questions that are edited or deleted after they were asked."""

from __future__ import annotations

import sqlite3

import pytest

from bot.app.bot import Bot
from tests.bot.asking.test_card_actions import UnluckyAnswerer
from tests.bot.conftest import House, settled
from tests.slack_asking import deleted, edited, message
from tests.slack_server import BOT_USER, Fault, event, mention

LEAVE = "How many days of paid leave are there?"
SAID = message(f"<@{BOT_USER}> {LEAVE}", ts="1.0")


async def answered(house: House) -> Bot:
    bot = await house.start()
    house.slack.messages["C1"].append(SAID)
    await house.slack.deliver(event(mention(LEAVE, ts="1.0"), "Ev1"))
    await settled(bot)
    return bot


def kept(bot: Bot) -> str:
    with sqlite3.connect(bot.inbox.database.path) as database:
        text = "\n".join(database.iterdump())
    database.close()
    return text


async def test_a_deleted_question_takes_its_answer_along(each_transport: House) -> None:
    slack = each_transport.slack
    bot = await answered(each_transport)
    assert LEAVE in kept(bot)
    await slack.deliver(event(deleted(SAID), "Ev2"))
    await settled(bot, done=2)
    assert slack.posted("C1") == []
    assert LEAVE not in kept(bot)


def stored(bot: Bot) -> bytes:
    """Every byte of the database, its log and whatever lies beside it."""
    path = bot.inbox.database.path
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


async def test_no_file_holds_the_words_of_a_deleted_question(house: House) -> None:
    bot = await answered(house)
    followed = mention("And for part-timers?", ts="3.0", thread_ts="1.0")
    await house.slack.deliver(event(followed, "Ev2"))
    await settled(bot, done=2)
    assert LEAVE.encode() in stored(bot)
    await house.slack.deliver(event(deleted(SAID), "Ev3"))
    await settled(bot, done=3)
    assert LEAVE.encode() not in stored(bot)
    assert b"part-timers" in stored(bot)


async def test_no_file_holds_a_deleted_question_that_was_given_up(house: House) -> None:
    bot = await house.start(UnluckyAnswerer())
    house.slack.messages["C1"].append(SAID)
    await house.slack.deliver(event(mention(LEAVE, ts="1.0"), "Ev1"))
    await settled(bot, done=0, dead=1)
    assert LEAVE.encode() in stored(bot)
    await house.slack.deliver(event(deleted(SAID), "Ev2"))
    await settled(bot, done=1, dead=1)
    assert LEAVE.encode() not in stored(bot)


async def test_in_the_thread_of_a_deleted_question_nobody_is_answered_unasked(house: House) -> None:
    bot = await answered(house)
    await house.slack.deliver(event(deleted(SAID), "Ev2"))
    await settled(bot, done=2)
    said = message("And sick leave?", ts="1800000000.6", thread_ts="1.0")
    await house.slack.deliver(event(said, "Ev3"))
    assert bot.inbox.counts() == {"done": 2}


async def test_the_tombstone_of_a_thread_is_a_deletion_too(house: House) -> None:
    bot = await answered(house)
    tombstone = SAID | {"subtype": "tombstone", "user": "USLACKBOT", "text": "deleted"}
    await house.slack.deliver(event(edited(tombstone, SAID), "Ev2"))
    await settled(bot, done=2)
    assert house.slack.posted("C1") == []


async def test_an_answer_that_others_talk_about_stays(house: House) -> None:
    bot = await answered(house)
    reply = message("Good to know", ts="1800000000.5", user="U2", thread_ts="1.0")
    house.slack.messages["C1"].append(reply)
    await house.slack.deliver(event(deleted(SAID), "Ev2"))
    await settled(bot, done=2)
    assert len(house.slack.posted("C1")) == 1
    assert LEAVE not in kept(bot)


async def test_a_deletion_while_the_answer_is_written_waits_for_it(house: House) -> None:
    bot = await house.start()
    house.slack.messages["C1"].append(SAID)
    await house.slack.deliver(event(mention(LEAVE, ts="1.0"), "Ev1"))
    await house.slack.deliver(event(deleted(SAID), "Ev2"))
    await settled(bot, done=2)
    assert house.slack.posted("C1") == []


async def test_other_deletions_are_not_even_stored(house: House) -> None:
    bot = await answered(house)
    await house.slack.deliver(event(deleted(message("Hello", ts="9.0")), "Ev2"))
    assert bot.inbox.counts() == {"done": 1}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["throttled", "broken", "dropped_after"])
async def test_a_bad_moment_of_slack_does_not_keep_an_answer(house: House, kind: str) -> None:
    bot = await answered(house)
    house.slack.fail("chat.delete", Fault(kind))  # type: ignore[arg-type]
    await house.slack.deliver(event(deleted(SAID), "Ev2"))
    await settled(bot, done=2)
    assert house.slack.posted("C1") == []


async def test_an_edit_that_adds_our_mention_is_answered_once(each_transport: House) -> None:
    slack = each_transport.slack
    bot = await each_transport.start()
    before = message(LEAVE, ts="1.0")
    after = before | {"text": f"<@{BOT_USER}> {LEAVE}", "edited": {"user": "U1", "ts": "2.0"}}
    await slack.deliver(event(before, "Ev1"))
    await slack.deliver(event(edited(after, before), "Ev2"))
    await slack.deliver(event(after | {"type": "app_mention"}, "Ev3"))
    await settled(bot)
    assert len(slack.posted("C1")) == 1


async def test_an_edit_of_an_answered_question_is_left_alone(house: House) -> None:
    bot = await answered(house)
    after = SAID | {"text": f"{SAID['text']} And sick leave?"}
    await house.slack.deliver(event(edited(after, SAID), "Ev2"))
    await house.slack.deliver(event(after | {"type": "app_mention"}, "Ev3"))
    assert bot.inbox.counts() == {"done": 1}
