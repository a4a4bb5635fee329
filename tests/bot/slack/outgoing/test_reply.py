"""Answers as they are written, through the whole bot."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import pytest

from retrieval.records import Answer, AnswerRequest
from tests.bot.conftest import House, settled
from tests.fakes import SentenceAnswerer
from tests.slack_server import Fault, direct_message, event, mention, slash

LEAVE = "How many days of paid leave are there?"
TS = "1600000000.000001"
WORDS = ("Every employee has ", "30 days of paid leave ", "a year. [1]")


class WritingAnswerer(SentenceAnswerer):
    """Writes its answer piece by piece, each as soon as the gate lets it through."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Semaphore(0)

    def answer(
        self,
        request: AnswerRequest,
        *,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Answer:
        answer = super().answer(request)
        written = ""
        for piece in WORDS:
            while not self.gate.acquire(timeout=0.01):
                if should_stop is not None and should_stop():
                    return replace(answer, text=written.strip(), stopped=True)
            written += piece
            if on_text is not None:
                on_text(piece)
        return answer


async def test_a_direct_message_is_answered_as_the_words_are_written(each_transport: House) -> None:
    slack, answerer = each_transport.slack, WritingAnswerer()
    bot = await each_transport.start(answerer)
    await slack.deliver(event(direct_message(LEAVE, ts=TS), "Ev1"))
    answerer.gate.release()
    await slack.until(lambda: bool(slack.called("chat.startStream")))
    assert slack.posted("D1")[0]["blocks"][0]["text"] == "Every employee has"
    answerer.gate.release(2)
    await settled(bot)
    (message,) = slack.posted("D1")
    assert message["blocks"][0]["text"] == "".join(WORDS)
    assert message["blocks"][-1]["type"] == "context_actions"
    assert bot.log.turn_shown_in("D1", message["ts"]) is not None
    assert slack.called("chat.postMessage") == slack.called("chat.update") == []


@pytest.mark.slow
async def test_in_a_channel_the_stream_takes_the_placeholders_place(house: House) -> None:
    slack, answerer = house.slack, WritingAnswerer()
    bot = await house.start(answerer)
    await slack.deliver(event(mention(LEAVE, ts=TS), "Ev1"))
    await slack.until(lambda: "Looking" in str(slack.posted("C1")))
    answerer.gate.release()
    await slack.until(lambda: bool(slack.called("chat.delete")))
    answerer.gate.release(2)
    await settled(bot)
    (message,) = slack.posted("C1")
    assert message["blocks"][0]["text"] == "".join(WORDS)


async def test_the_stop_button_keeps_what_was_written(each_transport: House) -> None:
    slack, answerer = each_transport.slack, WritingAnswerer()
    bot = await each_transport.start(answerer)
    await slack.deliver(event(direct_message(LEAVE, ts=TS), "Ev1"))
    answerer.gate.release()
    await slack.until(lambda: bool(slack.posted("D1")))
    (message,) = slack.posted("D1")
    slack.streams.press_stop("D1", message["ts"])
    stopped = {"type": "agent_session_stopped", "channel": "D1", "thread_ts": TS, "user": "U1"}
    await slack.deliver(event(stopped, "Ev2"))
    await settled(bot, done=2)
    (message,) = slack.posted("D1")
    assert message["blocks"][0]["text"] == "Every employee has"
    assert "Stopped before the end" in str(message["blocks"])


async def test_a_process_that_ends_while_it_writes_leaves_no_half_answer(house: House) -> None:
    slack, answerer = house.slack, WritingAnswerer()
    async with house.bot(answerer, grace_s=0):
        await slack.deliver(event(direct_message(LEAVE, ts=TS), "Ev1"))
        answerer.gate.release()
        await slack.until(lambda: bool(slack.posted("D1")))
    answerer.gate.release(3)
    await settled(await house.start(answerer))
    (message,) = slack.posted("D1")
    assert message["blocks"][0]["text"] == "".join(WORDS)


async def test_what_only_the_asker_sees_is_not_streamed(house: House) -> None:
    slack, answerer = house.slack, WritingAnswerer()
    bot = await house.start(answerer)
    answerer.gate.release(3)
    url = slack.response_url("r")
    await slack.deliver(slash("/ask", LEAVE, trigger_id="1", url=url))
    await settled(bot)
    assert slack.called("chat.startStream") == []
    assert "30 days" in str(slack.responses["r"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["broken", "dropped_after"])
async def test_a_refusal_that_is_tried_again_leaves_the_answer_alone_that_is_being_written(
    house: House, kind: Literal["broken", "dropped_after"]
) -> None:
    slack, answerer = house.slack, WritingAnswerer()
    settings = house.settings(workers=1, max_waiting=1)
    bot = await house.start(answerer, settings=settings)
    for number, ts in enumerate((TS, "1600000000.000002", "1600000000.000003")):
        slack.add_message("C1", ts, LEAVE, "U1", thread_ts=TS)
        if number == 1:
            answerer.gate.release()
            await slack.until(lambda: bool(slack.called("chat.delete")))  # the placeholder
            (written,) = slack.posted("C1")
            slack.fail("chat.postMessage", Fault(kind))
        await slack.deliver(event(mention(LEAVE, ts=ts, thread_ts=TS), f"Ev{number}"))
        if number == 0:
            await slack.until(lambda: "Looking" in str(slack.posted("C1")))
    await slack.until(lambda: "Too many questions" in str(slack.posted("C1")))
    answerer.gate.release(5)
    await settled(bot, done=3)
    assert written in slack.posted("C1")
    assert "days of paid leave" in written["blocks"][0]["text"]
    shown = sorted(message["blocks"][0].get("type") for message in slack.posted("C1"))
    assert shown == ["markdown", "markdown", "section"]
