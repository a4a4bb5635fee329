"""Messages that mention nobody, in threads of ours and in channels that let us listen."""

from __future__ import annotations

import sqlite3
from typing import Any, Literal

import pytest

from bot.app.bot import Bot
from bot.slack.incoming.early import HOLD_S, EarlyDeliveries
from bot.slack.incoming.intake import read
from bot.store.channels import ChannelConfig
from bot.store.database import Database
from bot.store.inbox import Inbox
from retrieval.records import Answer, AnswerRequest
from tests.bot.conftest import House, settled
from tests.fakes import GatedAnswerer, SentenceAnswerer
from tests.slack_asking import message
from tests.slack_server import BOT_USER, SlackServer, event, mention
from tests.slack_streams import Json

LEAVE = "How many days of paid leave are there?"
PRINTER = "What is the printer on floor 2 called?"


async def asked(house: House, **config: object) -> Bot:
    """A bot that has answered one question of U1 in the thread 1.0 of C1."""
    bot = await house.start()
    bot.channels.set("C1", ChannelConfig(**config), by="UADMIN")  # type: ignore[arg-type]
    await house.slack.deliver(event(mention(LEAVE, ts="1.0"), "Ev1"))
    await settled(bot)
    return bot


async def say(slack: SlackServer, text: str, ts: str, *, user: str = "U1", **more: str) -> Json:
    said = message(text, ts=ts, user=user, **({"thread_ts": "1.0"} | more))
    await slack.deliver(event(said, f"Ev{ts}"))
    return said


async def test_the_asker_may_go_on_in_the_thread_without_a_mention(each_transport: House) -> None:
    bot = await asked(each_transport)
    await say(each_transport.slack, "And paid?", "2.0")
    await settled(bot, done=3)
    answers = each_transport.slack.posted("C1")
    assert len(answers) == 2
    assert "30 days" in str(answers[1]["blocks"])
    assert answers[1]["thread_ts"] == "1.0"


async def test_a_follow_up_that_comes_before_its_question_waits_for_it(
    each_transport: House,
) -> None:
    slack = each_transport.slack
    bot = await each_transport.start()
    await say(slack, "And paid?", "2.0")
    assert bot.inbox.counts() == {}
    await slack.deliver(event(mention(LEAVE, ts="1.0"), "Ev1"))
    await settled(bot, done=3)
    assert [answer["thread_ts"] for answer in slack.posted("C1")] == ["1.0", "1.0"]


async def test_a_follow_up_waits_for_a_question_that_another_process_is_sent(house: House) -> None:
    slack = house.slack
    first = await house.start()
    await say(slack, "And paid?", "2.0")
    second = house.bot()
    async with second:
        # Each socket gets its share; the next one is the other process's.
        await slack.deliver(event(mention(LEAVE, ts="1.0"), "Ev1"))
        await slack.deliver(event(mention(LEAVE, ts="3.0"), "Ev3"))
        await settled(first, done=4)
    assert [answer["thread_ts"] for answer in slack.posted("C1")].count("1.0") == 2


async def test_what_follows_no_question_of_ours_is_forgotten_in_the_end(database: Database) -> None:
    clock = iter((0.0, HOLD_S - 1, HOLD_S)).__next__
    inbox = Inbox(database)
    early = EarlyDeliveries(inbox, clock=clock)
    body = event(message("And paid?", ts="2.0", thread_ts="1.0"), "Ev2")
    reply = read(body, bot_user=BOT_USER)
    asked = read(event(mention(LEAVE, ts="1.0"), "Ev1"), bot_user=BOT_USER)
    assert reply is not None
    assert asked is not None
    assert not early.accept(reply)
    assert early.admit() == 0
    assert early.accept(asked)
    assert inbox.counts() == {"todo": 1}


async def test_a_follow_up_that_is_a_mention_too_is_answered_once(house: House) -> None:
    bot = await asked(house)
    said = await say(house.slack, "And the printer?", "2.0")
    await house.slack.deliver(event(said | {"type": "app_mention"}, "Ev9"))
    await settled(bot, done=3)
    assert len(house.slack.posted("C1")) == 2


@pytest.mark.parametrize(
    ("followups", "user", "is_answered"),
    [
        ("off", "U1", False),
        ("asker", "U1", True),
        ("asker", "U2", False),
        ("everyone", "U2", True),
    ],
)
async def test_the_channel_says_whose_follow_ups_count(
    house: House, followups: str, user: str, is_answered: bool
) -> None:
    bot = await asked(house, followups=followups)
    await say(house.slack, PRINTER, "2.0", user=user)
    await settled(bot, done=3 if is_answered else 2)
    assert len(house.slack.posted("C1")) == 1 + is_answered


@pytest.mark.parametrize(
    "text",
    [
        "thanks!",
        "谢谢，明白了",
        "great, that helps :tada:",
        "I will ask HR then",
        "<@U2> is it?",
        "thanks, will ask HR then",
    ],
)
async def test_not_every_word_of_the_asker_is_a_question(house: House, text: str) -> None:
    bot = await asked(house)
    await say(house.slack, text, "2.0")
    await settled(bot, done=2)
    assert len(house.slack.posted("C1")) == 1


async def test_once_a_person_answers_we_are_quiet_until_we_are_mentioned(house: House) -> None:
    bot = await asked(house)
    await say(house.slack, "It is 30, plus your birthday", "2.0", user="U2")
    await say(house.slack, PRINTER, "3.0")
    await settled(bot, done=3)
    assert len(house.slack.posted("C1")) == 1
    await house.slack.deliver(event(mention(PRINTER, ts="4.0", thread_ts="1.0"), "Ev4"))
    await settled(bot, done=4)
    await say(house.slack, "And what is the printer called?", "5.0")
    await settled(bot, done=6)
    assert len(house.slack.posted("C1")) == 3


@pytest.mark.parametrize("user", ["U1", "U2"])
@pytest.mark.parametrize(
    "text",
    [
        "thx!",
        "谢谢",
        "got it",
        "👍",
        "Thanks <@U1>!",
        "Thanks Ana, good to know",
        "谢谢大家，学到了",
    ],
)
async def test_thanks_from_anybody_do_not_end_a_thread(house: House, user: str, text: str) -> None:
    bot = await asked(house)
    await say(house.slack, text, "2.0", user=user)
    await say(house.slack, PRINTER, "3.0")
    await settled(bot, done=4)
    assert len(house.slack.posted("C1")) == 2


@pytest.mark.parametrize(
    "text",
    ["thx! What is the printer called", "👍 and for the printer", "got it. how about paid leave",
     "谢谢！那打印机叫什么", "收到，怎么打印"],
)  # fmt: skip
async def test_a_question_behind_thanks_is_a_follow_up(house: House, text: str) -> None:
    bot = await asked(house)
    await say(house.slack, text, "2.0")
    await settled(bot, done=3)
    assert len(house.slack.posted("C1")) == 2


async def test_a_persons_reply_is_noted_as_a_signal_and_is_not_kept(house: House) -> None:
    bot = await asked(house)
    await say(house.slack, "It is 30, plus your birthday", "2.0", user="U2")
    await settled(bot, done=2)
    kept = b"".join(path.read_bytes() for path in house.folder.glob("whimbrel.db*"))
    with sqlite3.connect(bot.inbox.database.path) as database:
        signals = database.execute("SELECT kind, person FROM signals").fetchall()
    database.close()
    assert signals == [("human_reply", "U2")]
    assert b"birthday" not in kept


async def test_an_experts_question_is_the_beginning_of_an_answer(house: House) -> None:
    bot = await asked(house, followups="everyone", experts=("U2",))
    await say(house.slack, "Which contract do you have?", "2.0", user="U2")
    await say(house.slack, "The one about the printer, what is it called?", "3.0")
    await settled(bot, done=3)
    assert len(house.slack.posted("C1")) == 1


async def test_a_thread_that_rests_is_left_alone(house: House) -> None:
    bot = await asked(house)
    with bot.inbox.database.transaction() as db:
        db.execute("UPDATE turns SET created = '2026-01-01T00:00:00+00:00'")
    await say(house.slack, PRINTER, "2.0")
    await settled(bot, done=2)
    assert len(house.slack.posted("C1")) == 1


async def test_a_follow_up_waits_for_the_answer_it_follows(house: House) -> None:
    answerer = GatedAnswerer()
    bot = await house.start(answerer)
    await house.slack.deliver(event(mention(LEAVE, ts="1.0"), "Ev1"))
    await house.slack.until(lambda: len(house.slack.posted("C1")) == 1)
    await say(house.slack, "And paid?", "2.0")
    answerer.gate.set()
    await settled(bot, done=3)
    assert [m.text for m in answerer.asked[1].history if m.role == "user"] == [LEAVE]


async def test_what_does_not_concern_us_is_not_even_stored(each_transport: House) -> None:
    bot = await asked(each_transport)
    await say(each_transport.slack, LEAVE, "2.0", thread_ts="1.5")
    await say(each_transport.slack, LEAVE, "3.0", thread_ts="3.0")
    assert bot.inbox.counts() == {"done": 1}


async def test_a_question_to_everybody_is_answered_where_the_channel_wants_it(
    each_transport: House,
) -> None:
    bot = await asked(each_transport, mode="questions")
    await say(each_transport.slack, "Does anyone know how many days of leave we get?", "2.0",
              thread_ts="2.0")  # fmt: skip
    await settled(bot, done=3)
    answer = each_transport.slack.posted("C1")[1]
    assert "30 days" in str(answer["blocks"])
    assert answer["thread_ts"] == "2.0"


@pytest.mark.parametrize(
    "text",
    ["Where do I find the moon base policy?", "请问登月要办什么手续？"],
)
async def test_where_the_documents_have_no_answer_nobody_hears_of_it(
    house: House, text: str
) -> None:
    bot = await asked(house, mode="questions")
    await say(house.slack, text, "2.0", thread_ts="2.0")
    await settled(bot, done=3)
    assert len(house.slack.called("chat.postMessage")) == 1
    assert bot.log.count() == 1


async def test_an_error_about_what_nobody_put_to_us_is_for_the_log_alone(house: House) -> None:
    class Broken(SentenceAnswerer):
        def answer(self, request: AnswerRequest, **_: Any) -> Answer:
            raise RuntimeError(request.text)

    bot = await house.start(Broken())
    bot.channels.set("C1", ChannelConfig(mode="questions"), by="UADMIN")
    await say(house.slack, LEAVE, "2.0", thread_ts="2.0")
    await settled(bot, done=1, dead=1)
    assert house.slack.called("chat.postMessage") == []


@pytest.mark.parametrize("text", ["Good morning!", "Is the server down again?", "谁要一起拼单奶茶"])
async def test_talk_in_a_channel_that_we_listen_to_is_left_alone(house: House, text: str) -> None:
    bot = await asked(house, mode="questions")
    await say(house.slack, text, "2.0", thread_ts="2.0")
    await settled(bot, done=2)
    assert len(house.slack.posted("C1")) == 1


@pytest.mark.parametrize("mode", ["questions", "mentions"])
async def test_a_muted_channel_is_quiet_and_says_so_once(
    house: House, mode: Literal["questions", "mentions"]
) -> None:
    bot = await asked(house, mode=mode)
    bot.channels.mute("C1", seconds=3_600, by="UADMIN")
    for n in (2, 3):
        await house.slack.deliver(event(mention(LEAVE, ts=f"{n}.0"), f"Ev{n}"))
    await say(house.slack, PRINTER, "4.0")
    await settled(bot, done=4)
    assert len(house.slack.posted("C1")) == 1
    (told,) = house.slack.called("chat.postEphemeral")
    assert told["user"] == "U1"
    assert "muted" in told["text"]


async def test_a_question_asked_again_in_other_words_is_noted(house: House) -> None:
    bot = await asked(house)
    again = "How many days of paid leave are there a year?"
    await house.slack.deliver(event(mention(again, ts="2.0"), "Ev2"))
    await settled(bot, done=2)
    with sqlite3.connect(bot.inbox.database.path) as database:
        noted = database.execute("SELECT kind, person FROM signals").fetchall()
    database.close()
    assert noted == [("rephrased", "U1")]
