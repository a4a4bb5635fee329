"""The whole bot against a Slack on localhost."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from bot.slack.incoming.app import ACK_S
from bot.slack.incoming.events import question_delivery
from bot.slack.incoming.payloads import Question
from bot.store.database import Database
from bot.store.inbox import Inbox
from bot.store.sqlite import BUSY_S
from retrieval.errors import EndpointUnreachableError, IndexNotFoundError, SettingsError
from retrieval.records import Answer, AnswerRequest, Message
from tests.bot.conftest import House, settled
from tests.fakes import GatedAnswerer, SentenceAnswerer
from tests.slack_server import Fault, click, direct_message, event, mention, slash

LEAVE = "How many days of paid leave are there?"
TS = "1600000000.000001"


class BrokenAnswerer(SentenceAnswerer):
    """Fails so many times, then answers."""

    def __init__(self, error: Exception, *, times: int = 99) -> None:
        super().__init__()
        self.error = error
        self.times = times

    def answer(self, request: AnswerRequest, **rest: Any) -> Answer:
        if self.times:
            self.times -= 1
            raise self.error
        return super().answer(request, **rest)


class LongAnswerer(SentenceAnswerer):
    """Has one very long passage."""

    def __init__(self) -> None:
        super().__init__()
        text = "Leave is **good** <!channel>. " * 700
        self.passages = [replace(self.passages[0], text=text)]


async def test_a_mention_is_answered_in_its_thread_with_citations(each_transport: House) -> None:
    slack = each_transport.slack
    bot = await each_transport.start()
    delivered = await slack.deliver(event(mention(LEAVE, ts=TS), "Ev1"))
    assert delivered.is_acked
    await settled(bot)
    (answer,) = slack.posted("C1")
    assert answer["thread_ts"] == TS
    assert "30 days" in answer["blocks"][0]["text"]
    assert "<https://docs.example/Leave|Leave &gt; Rules>, p. 3" in str(answer["blocks"])
    assert (answer["unfurl_links"], answer["unfurl_media"]) == (False, False)
    assert bot.log.count() == 1


async def test_redelivered_events_are_answered_once(each_transport: House) -> None:
    slack = each_transport.slack
    bot = await each_transport.start()
    body = event(mention(LEAVE, ts=TS), "Ev1")
    for retry_num in range(4):
        assert (await slack.deliver(body, retry_num=retry_num)).is_acked
    await settled(bot)
    assert len(slack.called("chat.postMessage")) == 1
    assert (await slack.deliver(body, retry_num=4)).is_acked
    await settled(bot)


async def test_one_message_in_two_events_is_answered_once(each_transport: House) -> None:
    slack = each_transport.slack
    bot = await each_transport.start()
    asked = mention(LEAVE, ts=TS)
    await slack.deliver(event(asked, "Ev1"))
    await slack.deliver(event(asked | {"type": "message", "channel_type": "channel"}, "Ev2"))
    await slack.deliver(event(asked | {"edited": {"user": "U1", "ts": "2.0"}}, "Ev3"))
    await settled(bot)
    assert len(slack.posted("C1")) == 1


async def test_a_direct_message_in_chinese_is_answered_in_chinese(house: House) -> None:
    bot = await house.start()
    await house.slack.deliver(event(direct_message("每年有多少天带薪年假？", ts=TS), "Ev1"))
    await settled(bot)
    assert house.slack.statuses["D1", TS] == ["processing", "active"]
    assert "三十天" in house.slack.posted("D1")[0]["blocks"][0]["text"]


async def test_ask_is_answered_to_the_asker_alone_where_the_bot_is_no_member(
    each_transport: House,
) -> None:
    slack = each_transport.slack
    slack.channels["C9"]["is_member"] = False
    bot = await each_transport.start()
    url = slack.response_url("r1")
    acked = await slack.deliver(slash("/ask", LEAVE, trigger_id="1", url=url, channel="C9"))
    # What an ack shows stays for ever, because nothing can take its place.
    assert acked.payload["text"] == f"You asked: *{LEAVE}*"
    await settled(bot)
    (answer,) = slack.responses["r1"]
    assert answer["response_type"] == "ephemeral"
    assert answer["replace_original"] is False
    assert "30 days" in answer["blocks"][0]["text"]
    assert slack.called("chat.postMessage") == []


async def test_the_ack_of_a_command_repeats_it_without_what_acts(http: House) -> None:
    url = http.slack.response_url("r1")
    await http.start()
    text = "<!channel> *who* is &lt;this&gt;? <https://evil.example|click>"
    acked = await http.slack.deliver(slash("/ask", text, trigger_id="1", url=url))
    assert acked.payload["text"] == "You asked: *channel ∗who∗ is &lt;this&gt;? click*"


async def test_a_command_that_comes_twice_is_answered_once(each_transport: House) -> None:
    slack = each_transport.slack
    bot = await each_transport.start()
    asked = slash("/ask", LEAVE, trigger_id="1", url=slack.response_url("r1"))
    assert (await slack.deliver(asked)).payload["text"]
    assert (await slack.deliver(asked)).payload == {}
    await settled(bot)
    assert len(slack.responses["r1"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("command", ["/ask", "/whimbrel"])
async def test_a_command_that_cannot_be_stored_in_time_is_refused_and_never_done(
    each_transport: House, command: str
) -> None:
    slack = each_transport.slack
    bot = await each_transport.start()
    lock = sqlite3.connect(bot.inbox.database.path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    url = slack.response_url("r1")
    began = time.monotonic()
    refused = await slack.deliver(slash(command, "help", trigger_id="1", url=url))
    assert time.monotonic() - began < 10 * ACK_S < BUSY_S
    assert refused.payload["text"].startswith("I cannot take anything in just now")
    lock.execute("ROLLBACK")
    lock.close()
    await slack.deliver(event(mention(LEAVE, ts=TS), "Ev1"))
    await settled(bot)
    assert slack.responses["r1"] == []


@pytest.mark.slow
async def test_an_event_that_cannot_be_stored_in_time_is_left_to_slack_to_send_again(
    http: House,
) -> None:
    slack, bot = http.slack, await http.start()
    lock = sqlite3.connect(bot.inbox.database.path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    body = event(mention(LEAVE, ts=TS), "Ev1")
    refused = await asyncio.gather(*(slack.deliver(body, retry_num=n) for n in range(9)))
    assert [delivered.status for delivered in refused] == 9 * [503]
    lock.execute("ROLLBACK")
    lock.close()
    assert (await slack.deliver(body, retry_num=9)).is_acked
    await settled(bot)


async def test_ask_is_answered_in_direct_messages_once_its_url_has_expired(house: House) -> None:
    slack = house.slack
    slack.dead_urls.add("r1")
    bot = await house.start()
    await slack.deliver(slash("/ask", LEAVE, trigger_id="1", url=slack.response_url("r1")))
    await settled(bot)
    assert "30 days" in slack.posted("D1")[0]["blocks"][0]["text"]


async def test_a_question_about_a_payload_reaches_us(each_transport: House) -> None:
    slack = each_transport.slack
    bot = await each_transport.start()
    question = "what is the payload of paid leave?"
    url = slack.response_url("r1")
    assert (await slack.deliver(slash("/ask", question, trigger_id="1", url=url))).is_acked
    await settled(bot)
    assert "30 days" in slack.responses["r1"][0]["blocks"][0]["text"]


async def test_a_follow_up_is_asked_with_its_thread(house: House) -> None:
    answerer = SentenceAnswerer()
    bot = await house.start(answerer)
    await house.slack.deliver(event(mention(LEAVE, ts="1.0"), "Ev1"))
    await settled(bot)
    await house.slack.deliver(event(mention("And paid?", ts="2.0", thread_ts="1.0"), "Ev2"))
    await settled(bot, done=2)
    assert answerer.asked[1].history[0] == Message("user", LEAVE)
    assert house.slack.posted("C1")[1]["thread_ts"] == "1.0"


@pytest.mark.parametrize("text", ["", ":wave: :+1:", "😀"])
async def test_a_message_without_words_gets_a_hint(house: House, text: str) -> None:
    bot = await house.start()
    await house.slack.deliver(event(mention(text, ts=TS), "Ev1"))
    await settled(bot)
    assert house.slack.posted("C1")[0]["text"].startswith("Ask me a question")


@pytest.mark.parametrize(("text", "reply"), [("thank you!", "Glad to help"), ("谢谢", "不客气")])
async def test_thanks_are_no_question(house: House, text: str, reply: str) -> None:
    bot = await house.start()
    await house.slack.deliver(event(direct_message(text, ts=TS), "Ev1"))
    await settled(bot)
    assert house.slack.posted("D1")[0]["text"].startswith(reply)
    assert bot.log.count() == 0


async def test_a_question_of_40000_characters_gets_a_clear_message(house: House) -> None:
    bot = await house.start()
    await house.slack.deliver(event(mention("long " * 8_000, ts=TS), "Ev1"))
    await settled(bot)
    assert "4000 are allowed" in house.slack.posted("C1")[0]["text"]


async def test_a_long_answer_is_split_and_mentions_nobody(house: House) -> None:
    bot = await house.start(LongAnswerer())
    await house.slack.deliver(event(mention("Is leave good?", ts=TS), "Ev1"))
    await settled(bot)
    messages = house.slack.posted("C1")
    assert len(messages) > 1
    assert "<!" not in str(messages)
    assert {message["thread_ts"] for message in messages} == {TS}
    shown = {bot.log.turn_shown_in("C1", message["ts"]) for message in messages}
    assert len(shown) == 1


async def test_an_error_ends_in_a_card_whose_id_is_in_the_log(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    answerer = BrokenAnswerer(RuntimeError("boom"))
    bot = await house.start(answerer)
    await house.slack.deliver(event(mention(LEAVE, ts=TS), "Ev1"))
    await settled(bot, done=0, dead=1)
    (message,) = house.slack.posted("C1")
    error_id = message["text"].partition("`")[2].rstrip("`.")
    failures = [r for r in caplog.records if f"id={error_id}" in r.getMessage()]
    assert failures[0].exc_info is not None
    assert answerer.times == 99 - 3


async def test_a_passing_error_is_tried_again(house: House) -> None:
    bot = await house.start(BrokenAnswerer(RuntimeError("boom"), times=2))
    await house.slack.deliver(event(mention(LEAVE, ts=TS), "Ev1"))
    await settled(bot)
    (answer,) = house.slack.posted("C1")
    assert "30 days" in answer["blocks"][0]["text"]


async def test_without_an_index_people_are_told_so(house: House) -> None:
    bot = await house.start(BrokenAnswerer(IndexNotFoundError("no index")))
    await house.slack.deliver(event(direct_message(LEAVE, ts=TS), "Ev1"))
    await settled(bot, done=0, dead=1)
    assert "no documents to look in yet" in house.slack.posted("D1")[0]["text"]


async def test_a_question_that_waits_for_an_endpoint_says_so_and_is_answered_later(
    house: House,
) -> None:
    answerer = BrokenAnswerer(EndpointUnreachableError("http://model: no connection"), times=20)
    bot = await house.start(answerer)
    await house.slack.deliver(event(mention(LEAVE, ts=TS), "Ev1"))
    await settled(bot)
    (answer,) = house.slack.posted("C1")
    assert "30 days" in answer["blocks"][0]["text"]
    edits = [args["text"] for args in house.slack.called("chat.update")]
    assert [text for text in edits if text.startswith("I cannot reach the model")] == edits[:1]


@pytest.mark.slow
async def test_a_question_is_answered_after_hours_without_slack(house: House) -> None:
    database = Database(house.folder / "whimbrel.db")
    Inbox(database, clock=lambda: time.time() - 3 * 3_600).accept(
        question_delivery(
            Question(LEAVE, ts=TS, thread_ts=TS), event_id="Ev1", team="T1", channel="C1", user="U1"
        )
    )
    database.close()
    house.slack.fail("chat.postMessage", *3 * [Fault("broken")])
    bot = await house.start()
    await settled(bot)
    (answer,) = house.slack.posted("C1")
    assert "30 days" in answer["blocks"][0]["text"]


async def test_too_many_questions_are_turned_away_with_words(house: House) -> None:
    answerer = GatedAnswerer()
    settings = house.settings(workers=1, max_waiting=1)
    bot = await house.start(answerer, settings=settings)
    await house.slack.deliver(event(mention(LEAVE, ts="1.0"), "Ev1"))
    await house.slack.until(lambda: len(house.slack.posted("C1")) == 1)
    await house.slack.deliver(event(mention(LEAVE, ts="2.0"), "Ev2"))
    await house.slack.deliver(event(mention(LEAVE, ts="3.0"), "Ev3"))
    await house.slack.until(lambda: len(house.slack.posted("C1")) == 2)
    answerer.gate.set()
    await settled(bot, done=3)
    texts = {m["thread_ts"]: m["text"] for m in house.slack.posted("C1")}
    assert texts["3.0"].startswith("Too many questions")
    assert "30 days" in texts["1.0"]
    assert "30 days" in texts["2.0"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["throttled", "broken", "dropped", "dropped_after"])
@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_a_bad_moment_of_slack_costs_nothing(house: House, method: str, kind: str) -> None:
    bot = await house.start()
    house.slack.fail(method, Fault(kind))  # type: ignore[arg-type]
    house.slack.add_message("C1", TS, LEAVE, "U1")
    await house.slack.deliver(event(mention(LEAVE, ts=TS), "Ev1"))
    await settled(bot)
    (answer,) = house.slack.posted("C1")
    assert "30 days" in answer["blocks"][0]["text"]


@pytest.mark.slow
async def test_what_cannot_be_stored_is_not_acked_and_comes_again(
    each_transport: House, caplog: pytest.LogCaptureFixture
) -> None:
    slack = each_transport.slack
    bot = await each_transport.start()
    body = event(mention(LEAVE, ts=TS), "Ev1")
    connection = sqlite3.connect(bot.inbox.database.path, isolation_level=None)
    connection.execute("ALTER TABLE inbox RENAME TO elsewhere")
    slack.ack_s = 3.0
    refused = await slack.deliver(body)
    assert not refused.is_acked
    assert refused.status in (0, 503)
    connection.execute("ALTER TABLE elsewhere RENAME TO inbox")
    connection.close()
    assert (await slack.deliver(body, retry_num=1)).is_acked
    await settled(bot)
    assert "Slack will send it again" in caplog.text


async def test_a_restart_goes_on_with_the_message_it_had_begun(house: House) -> None:
    slack = house.slack
    gated = GatedAnswerer()
    async with house.bot(gated, grace_s=0):
        await slack.deliver(event(mention(LEAVE, ts=TS), "Ev1"))
        await slack.until(lambda: len(slack.posted("C1")) == 1)
    assert "Looking" in slack.posted("C1")[0]["text"]
    bot = await house.start()
    await settled(bot)
    (answer,) = slack.posted("C1")
    assert "30 days" in answer["blocks"][0]["text"]


async def test_a_placeholder_nobody_wrote_down_is_found_again(house: House) -> None:
    slack = house.slack
    slack.add_message("C1", TS, LEAVE, "U1")
    async with house.bot(GatedAnswerer(), grace_s=0) as first:
        await slack.deliver(event(mention(LEAVE, ts=TS), "Ev1"))
        await slack.until(lambda: len(slack.posted("C1")) == 1)
        database = first.inbox.database
    with sqlite3.connect(database.path) as connection:
        connection.execute("UPDATE inbox SET reply_ts = NULL, reply_channel = NULL")
    connection.close()
    bot = await house.start()
    await settled(bot)
    assert len(slack.posted("C1")) == 1


async def test_answers_in_progress_may_end_before_the_bot_does(house: House) -> None:
    slack = house.slack
    gated = GatedAnswerer()
    async with house.bot(gated) as bot:
        await slack.deliver(event(mention(LEAVE, ts=TS), "Ev1"))
        await slack.until(lambda: len(slack.posted("C1")) == 1)
        gated.gate.set()
        inbox_path = bot.inbox.database.path
    assert "30 days" in slack.posted("C1")[0]["blocks"][0]["text"]
    with sqlite3.connect(inbox_path) as connection:
        assert connection.execute("SELECT state FROM inbox").fetchall() == [("done",)]
    connection.close()


async def test_a_message_deleted_meanwhile_is_posted_anew(house: House) -> None:
    slack = house.slack
    gated = GatedAnswerer()
    bot = await house.start(gated)
    await slack.deliver(event(mention(LEAVE, ts=TS), "Ev1"))
    await slack.until(lambda: len(slack.posted("C1")) == 1)
    slack.messages["C1"].clear()
    gated.gate.set()
    await settled(bot)
    assert "30 days" in slack.posted("C1")[0]["blocks"][0]["text"]


async def test_slack_may_close_the_socket_at_any_time(house: House) -> None:
    bot = await house.start()
    await house.slack.disconnect()
    await house.slack.until(lambda: house.slack.connections == 3)
    await house.slack.deliver(event(mention(LEAVE, ts=TS), "Ev1"))
    await settled(bot)
    assert len(house.slack.posted("C1")) == 1


@pytest.mark.slow
async def test_a_hundred_questions_are_acked_at_once_and_all_answered(house: House) -> None:
    bot = await house.start()
    for n in range(100):
        asked = mention(LEAVE, ts=f"{n}.0", channel=f"C{n % 9}")
        assert (await house.slack.deliver(event(asked, f"Ev{n}"))).is_acked
    await settled(bot, done=100)
    assert len(house.slack.called("chat.postMessage")) == 100


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"bot_token": SecretStr("xoxb-wrong")}, "SLACK_BOT_TOKEN: Slack says invalid_auth"),
        ({"app_token": SecretStr("xapp-wrong")}, "SLACK_APP_TOKEN: Slack says invalid_auth"),
    ],
)
async def test_a_token_that_slack_refuses_is_named(
    house: House, values: dict[str, SecretStr], name: str
) -> None:
    with pytest.raises(SettingsError, match=name):
        await house.start(settings=house.settings(**values))


async def test_tokens_and_questions_stay_out_of_the_log(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bot = await house.start()
    await house.slack.deliver(event(mention(LEAVE, ts=TS), "Ev1"))
    await settled(bot)
    assert "answered turn=" in caplog.text
    assert "xoxb-test" not in caplog.text
    assert "paid leave" not in caplog.text


async def test_other_clicks_are_acked_and_change_nothing(each_transport: House) -> None:
    slack = each_transport.slack
    bot = await each_transport.start()
    other = {"action_id": "something_else", "value": "x"}
    assert (await slack.deliver(click(other, trigger_id="1"))).is_acked
    assert bot.inbox.counts() == {}
