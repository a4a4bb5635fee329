"""The agent view: suggestions, the status while working, and the stop button."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from retrieval.records import Answer, AnswerRequest
from tests.bot.conftest import House, settled
from tests.fakes import GatedAnswerer
from tests.slack_server import Fault, direct_message, event, mention
from tests.slack_streams import Json

LEAVE = "How many days of paid leave are there?"


def opened(tab: str = "messages") -> Json:
    return {"type": "app_home_opened", "user": "U1", "channel": "D1", "tab": tab}


def pressed(channel: str = "D1", thread_ts: str = "1.0") -> Json:
    where = {"channel": channel, "thread_ts": thread_ts, "user": "U1"}
    return {"type": "agent_session_stopped", "streaming_message_ts": [], **where}


async def test_who_opens_the_messages_is_shown_what_to_ask(each_transport: House) -> None:
    bot = await each_transport.start()
    await each_transport.slack.deliver(event(opened(), "Ev1"))
    await settled(bot)
    assert each_transport.slack.prompts["D1"][1] == {
        "title": "How many days of leave do I have?",
        "message": "How many days of leave do I have?",
    }


async def test_suggestions_come_in_the_persons_language(house: House) -> None:
    house.slack.users["U1"]["locale"] = "zh-CN"
    bot = await house.start()
    await house.slack.deliver(event(opened(), "Ev1"))
    await settled(bot)
    assert house.slack.prompts["D1"][1]["message"] == "我有多少天年假？"


async def test_suggestions_can_be_configured_and_are_kept_to_four(house: House) -> None:
    prompts = ("x" * 99, "two?", "three?", "four?", "five?")
    bot = await house.start(settings=house.settings(prompts=prompts))
    await house.slack.deliver(event(opened(), "Ev1"))
    await settled(bot)
    shown = house.slack.prompts["D1"]
    assert [prompt["message"] for prompt in shown] == list(prompts[:4])
    assert len(shown[0]["title"]) == 60


@pytest.mark.parametrize("kind", ["broken", "dropped"])
async def test_suggestions_that_slack_does_not_take_are_let_go(house: House, kind: str) -> None:
    house.slack.fail("assistant.threads.setSuggestedPrompts", Fault(kind))  # type: ignore[arg-type]
    bot = await house.start()
    await house.slack.deliver(event(opened(), "Ev1"))
    await settled(bot)
    assert house.slack.prompts == {}


async def test_without_sessions_the_older_status_is_shown(house: House) -> None:
    house.slack.has_sessions = False
    bot = await house.start()
    await house.slack.deliver(event(direct_message(LEAVE, ts="1.0"), "Ev1"))
    await settled(bot)
    assert house.slack.statuses["D1", "1.0"] == ["is looking through the documents…", ""]


@pytest.mark.parametrize("kind", ["throttled", "broken", "dropped"])
async def test_a_status_that_fails_costs_no_answer(house: House, kind: str) -> None:
    fault = Fault(kind, retry_after_s=60)  # type: ignore[arg-type]
    for method in ("agents.sessions.setStatus", "assistant.threads.setStatus"):
        house.slack.fail(method, fault, fault)
    bot = await house.start()
    await house.slack.deliver(event(direct_message(LEAVE, ts="1.0"), "Ev1"))
    await settled(bot)
    (answer,) = house.slack.posted("D1")
    assert "30 days" in answer["blocks"][0]["text"]
    assert house.slack.called("chat.postMessage")[0]["text"] == "Looking through the documents…"


async def test_the_stop_button_ends_the_answer(each_transport: House) -> None:
    slack, answerer = each_transport.slack, GatedAnswerer()
    bot = await each_transport.start(answerer)
    await slack.deliver(event(mention(LEAVE, ts="1.0"), "Ev1"))
    await slack.until(lambda: len(slack.posted("C1")) == 1)
    assert (await slack.deliver(event(pressed("C1"), "Ev2"))).is_acked
    await settled(bot, done=2)
    assert not answerer.gate.is_set()
    assert slack.statuses["C1", "1.0"][-1] == "active"
    assert "30 days" in slack.posted("C1")[0]["blocks"][0]["text"]  # what was written stays


async def test_who_presses_stop_at_once_is_heard(house: House) -> None:
    slack, answerer = house.slack, GatedAnswerer()
    bot = await house.start(answerer)
    await slack.deliver(event(direct_message(LEAVE, ts="1.0"), "Ev1"))
    await slack.until(lambda: slack.statuses["D1", "1.0"] == ["processing"])
    await slack.deliver(event(pressed(), "Ev2"))
    await settled(bot, done=2)
    assert not answerer.gate.is_set()


async def test_a_stop_that_comes_too_late_does_not_stop_the_next_answer(house: House) -> None:
    bot = await house.start()
    await house.slack.deliver(event(direct_message(LEAVE, ts="1.0"), "Ev1"))
    await settled(bot)
    await house.slack.deliver(event(pressed(), "Ev2"))
    await settled(bot, done=2)
    await house.slack.deliver(event(direct_message("And paid?", ts="2.0", thread_ts="1.0"), "Ev3"))
    await settled(bot, done=3)
    assert "30 days" in house.slack.posted("D1")[1]["blocks"][0]["text"]


class WritingAnswerer(GatedAnswerer):
    """Writes one sentence, and the next one when the gate opens."""

    def answer(
        self,
        request: AnswerRequest,
        *,
        on_text: Callable[[str], None] | None = None,
        **rest: Any,
    ) -> Answer:
        assert on_text is not None
        on_text("Every employee has 30 days. ")
        answer = super().answer(request, on_text=on_text, **rest)
        return replace(answer, text="Every employee has 30 days.") if answer.stopped else answer


async def test_what_was_written_when_somebody_pressed_stop_is_kept(each_transport: House) -> None:
    slack, answerer = each_transport.slack, WritingAnswerer()
    bot = await each_transport.start(answerer)
    await slack.deliver(event(direct_message(LEAVE, ts="1.0"), "Ev1"))
    await slack.until(lambda: "30 days" in str(slack.messages["D1"]))
    slack.streams.press_stop("D1", slack.messages["D1"][0]["ts"])
    await slack.deliver(event(pressed(), "Ev2"))
    await settled(bot, done=2)
    (answer,) = slack.posted("D1")
    assert answer["blocks"][0]["text"].startswith("Every employee has 30 days.")
    assert slack.statuses["D1", "1.0"] == ["processing", "active", "active"]
