"""Buttons of a card, clicked over both transports."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from bot.app.bot import Bot
from bot.slack.incoming.interactions import WHY
from bot.store.channels import ChannelConfig
from bot.store.log import Turn
from retrieval.records import Answer, AnswerRequest
from tests.bot.conftest import House, settled
from tests.fakes import SentenceAnswerer, answer_to
from tests.slack_forms import press
from tests.slack_server import TEAM, Fault, SlackServer, event, mention, reaction, slash
from tests.slack_streams import Json

LEAVE = "How many days of paid leave are there?"
CUP = "Who won the cup?"
TS = "1600000000.000001"

_triggers = (f"trigger{n}" for n in count())


class UnluckyAnswerer(SentenceAnswerer):
    """Fails until its luck turns."""

    is_lucky = False

    def answer(self, request: AnswerRequest, **rest: Any) -> Answer:
        if not self.is_lucky:
            raise RuntimeError("boom")
        return super().answer(request, **rest)


class OwnedAnswerer(SentenceAnswerer):
    """Knows of a document near the cup, and whose it is."""

    def answer(self, request: AnswerRequest, **rest: Any) -> Answer:
        answer = super().answer(request, **rest)
        nearest = answer.hits[0].passage
        source = replace(nearest.source, owner="U7")
        return replace(answer, nearest=(replace(nearest, source=source),))


def buttons(message: Json) -> dict[str, Json]:
    """A message's buttons by action id."""
    rows = [block["elements"] for block in message["blocks"] if block["type"] == "actions"]
    return {button["action_id"]: button for row in rows for button in row}


class Thread:
    """A question in a channel, or asked in private, and clicks on its answer."""

    def __init__(self, house: House, bot: Bot) -> None:
        self.house = house
        self.slack: SlackServer = house.slack
        self.bot = bot
        self.done = 0
        self.dead = 0

    async def ask(self, text: str = LEAVE) -> Json:
        await self.slack.deliver(event(mention(text, ts=TS), "Ev1"))
        await self.settle()
        return self.slack.posted("C1")[-1]

    async def ask_in_vain(self) -> Json:
        self.done -= 1
        return await self.ask()

    async def ask_in_private(self, text: str = LEAVE, *, channel: str = "C1") -> Json:
        body = slash(
            "/ask", text, trigger_id="0", url=self.slack.response_url("ask"), channel=channel
        )
        await self.slack.deliver(body)
        await self.settle()
        return self.slack.responses["ask"][-1]

    async def click(
        self, message: Json, action_id: str, *, user: str = "U1", channel: str = "C1", n: int = 1
    ) -> list[Json]:
        """Click a button so many times; what the person is then told in private."""
        button = buttons(message)[action_id]
        for _ in range(n):
            body = {
                "type": "block_actions",
                "team": {"id": TEAM},
                "user": {"id": user},
                "channel": {"id": channel},
                "trigger_id": next(_triggers),
                "response_url": self.slack.response_url(action_id),
                "container": {"message_ts": message.get("ts"), "is_ephemeral": "ts" not in message},
                "message": message if "ts" in message else None,
                "actions": [{"type": "button", "action_id": action_id, "value": button["value"]}],
            }
            assert (await self.slack.deliver(body)).is_acked
        await self.settle(n)
        return self.slack.responses[action_id]

    async def settle(self, n: int = 1) -> None:
        self.done += n
        await settled(self.bot, done=self.done, dead=self.dead)


async def thread(house: House, answerer: SentenceAnswerer | None = None, **values: Any) -> Thread:
    return Thread(house, await house.start(answerer, settings=house.settings(**values)))


def signals(bot: Bot) -> list[str]:
    rows = bot.inbox.database.connection.execute("SELECT kind FROM signals ORDER BY kind")
    return [row[0] for row in rows]


async def test_why_shows_the_sentence_behind_each_citation_and_what_it_weighs(
    each_transport: House,
) -> None:
    asked = await thread(each_transport)
    await asked.click(await asked.ask(), "why_answer")
    (view,) = asked.slack.views.values()
    said = str(view["blocks"])
    assert "> Every employee has 30 days of paid leave a year." in said
    assert "lose 100% of its support" in said
    assert "Looking at each passage" in str(asked.slack.called("views.open")[0]["view"])
    assert signals(asked.bot) == ["why"]


async def test_who_clicked_too_long_ago_is_asked_to_click_again(house: House) -> None:
    asked = await thread(house)
    message = await asked.ask()
    house.slack.triggers.life_s = -1.0
    (told,) = await asked.click(message, "why_answer")
    assert "click again" in told["text"]
    assert told["replace_original"] is False


async def test_a_private_answer_is_shared_once_and_can_be_rated_there(
    each_transport: House,
) -> None:
    asked = await thread(each_transport)
    private = await asked.ask_in_private()
    refreshed = await asked.click(private, "share_answer", n=2)
    (shared,) = asked.slack.posted("C1")
    assert LEAVE in str(shared["blocks"][0])
    assert "30 days" in shared["blocks"][1]["text"]
    assert "delete_answer" in buttons(shared)
    assert "share_answer" not in buttons(refreshed[-1])
    await asked.slack.deliver(event(reaction("+1", shared, channel="C1", user="U5"), "Ev5"))
    await asked.settle()
    turn_id = buttons(private)["why_answer"]["value"]
    assert asked.bot.log.score(turn_id) == 1
    assert signals(asked.bot) == ["shared"]


async def test_where_answers_are_for_the_askers_eyes_they_are_shared_in_their_thread(
    house: House,
) -> None:
    asked = await thread(house)
    asked.bot.channels.set("C1", ChannelConfig(visibility="asker"), by="U9")
    await asked.slack.deliver(event(mention(LEAVE, ts=TS), "Ev1"))
    await asked.settle()
    (private,) = asked.slack.called("chat.postEphemeral")
    await asked.click(private, "share_answer")
    (shared,) = asked.slack.posted("C1")
    assert shared["thread_ts"] == TS


async def test_what_the_channel_may_not_read_is_not_shared(each_transport: House) -> None:
    asked = await thread(each_transport, user_audiences={"U1": ("hr",)})
    private = await asked.ask_in_private("What is the salary band of engineers?")
    assert "E4" in str(private)
    (told,) = await asked.click(private, "share_answer")
    assert "not everybody in this channel" in told["text"]
    assert asked.slack.posted("C1") == []


async def test_where_the_bot_is_no_member_it_says_how_to_invite_it(house: House) -> None:
    house.slack.channels["C9"]["is_member"] = False
    asked = await thread(house)
    private = await asked.ask_in_private(channel="C9")
    (told,) = await asked.click(private, "share_answer", channel="C9")
    assert "/invite" in told["text"]


async def test_a_private_answer_is_kept_in_direct_messages(each_transport: House) -> None:
    asked = await thread(each_transport)
    private = await asked.ask_in_private()
    refreshed = await asked.click(private, "keep_answer")
    (kept,) = asked.slack.posted("D1")
    assert "30 days" in str(kept["blocks"])
    assert "keep_answer" not in buttons(refreshed[-1])
    assert "share_answer" in buttons(refreshed[-1])


@pytest.mark.parametrize("kind", ["throttled", "broken", "dropped", "dropped_after"])
async def test_a_bad_moment_of_slack_shares_neither_twice_nor_never(
    house: House, kind: Any
) -> None:
    asked = await thread(house)
    private = await asked.ask_in_private()
    house.slack.fail("chat.postMessage", Fault(kind))
    await asked.click(private, "share_answer")
    assert len(house.slack.posted("C1")) == 1


@pytest.mark.parametrize("user", ["U1", "UADMIN"])
async def test_the_asker_and_admins_delete_an_answer(each_transport: House, user: str) -> None:
    asked = await thread(each_transport, admins=("UADMIN",))
    await asked.click(await asked.ask(), "delete_answer", user=user)
    assert asked.slack.posted("C1") == []
    assert asked.bot.log.history("C1", TS, audience=frozenset({"public"})) == ()
    assert signals(asked.bot) == ["deleted"]


async def test_nobody_else_deletes_it(each_transport: House) -> None:
    asked = await thread(each_transport)
    (told,) = await asked.click(await asked.ask(), "delete_answer", user="U2")
    assert "or an admin" in told["text"]
    assert len(asked.slack.posted("C1")) == 1


async def test_what_was_deleted_has_no_buttons_that_work(house: House) -> None:
    asked = await thread(house)
    message = await asked.ask()
    await asked.click(message, "delete_answer")
    (told,) = await asked.click(message, "why_answer")
    assert "no longer kept" in told["text"]


async def test_experts_are_tagged_once_and_only_they_are(each_transport: House) -> None:
    asked = await thread(each_transport)
    asked.bot.channels.set("C1", ChannelConfig(experts=("U7", "U8")), by="U9")
    message = await asked.ask(f"{CUP} <!channel>")
    await asked.click(message, "ask_expert", n=2)
    abstention, call = asked.slack.posted("C1")
    assert call["thread_ts"] == TS
    assert call["text"].startswith("<@U7> <@U8> ")
    assert call["blocks"][0]["text"]["text"] == "<@U7> <@U8>"
    assert "<!channel>" not in str(call)
    assert ":jigsaw:" in call["text"]
    assert "ask_expert" not in buttons(abstention)
    assert signals(asked.bot) == ["escalated"]


async def test_without_experts_the_owner_of_the_nearest_document_is_asked(house: House) -> None:
    asked = await thread(house, OwnedAnswerer())
    await asked.click(await asked.ask(CUP), "ask_expert", user="U4")
    assert asked.slack.posted("C1")[1]["text"].startswith("<@U7> ")


@pytest.mark.parametrize("kind", ["throttled", "broken", "dropped", "dropped_after"])
async def test_a_bad_moment_of_slack_tags_nobody_twice(house: House, kind: Any) -> None:
    house.slack.add_message("C1", TS, CUP, "U1")
    asked = await thread(house, OwnedAnswerer())
    message = await asked.ask(CUP)
    house.slack.fail("chat.postMessage", Fault(kind))
    await asked.click(message, "ask_expert")
    assert len(house.slack.posted("C1")) == 2


async def test_a_failed_question_is_asked_anew_in_its_own_message(each_transport: House) -> None:
    answerer = UnluckyAnswerer()
    asked = await thread(each_transport, answerer)
    asked.dead = 1
    failed = dict(await asked.ask_in_vain())
    answerer.is_lucky = True
    asked.done = 1  # the question, once more
    await asked.click(failed, "retry_question", n=2)
    (answer,) = asked.slack.posted("C1")
    assert "30 days" in answer["blocks"][0]["text"]
    assert asked.bot.log.count() == 1
    assert "Looking" in str(asked.slack.called("chat.update")[-2])


async def test_a_failed_private_question_is_asked_anew_in_private(house: House) -> None:
    answerer = UnluckyAnswerer()
    asked = await thread(house, answerer)
    asked.dead, asked.done = 1, -1
    failed = await asked.ask_in_private()
    answerer.is_lucky = True
    asked.done = 1
    told = await asked.click(failed, "retry_question")
    assert "30 days" in told[-1]["blocks"][0]["text"]


@pytest.mark.slow
async def test_a_click_before_its_turn_is_in_the_log_waits_for_it(house: House) -> None:
    asked = await thread(house)
    answer = answer_to(LEAVE)
    url = house.slack.response_url("why")
    await house.slack.deliver(press(WHY, answer.id, url=url))
    attempts = "SELECT sum(attempts) FROM inbox"
    while asked.bot.inbox.database.connection.execute(attempts).fetchone() == (0,):
        await asked.bot.worker.next_change.wait()
    public = frozenset({"public"})
    asked.bot.log.add(Turn(answer, "Ev1", TEAM, "C1", TS, "U1", public, ("2.0",), "2026-01-01"))
    await asked.settle()
    assert house.slack.views
