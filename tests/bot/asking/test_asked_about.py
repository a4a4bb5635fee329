"""Asking a message by the shortcut or with a reaction."""

from __future__ import annotations

from typing import Any

import pytest

from bot.store.channels import ChannelConfig
from retrieval.errors import IndexNotFoundError
from retrieval.records import Answer, AnswerRequest
from tests.bot.conftest import House, settled
from tests.fakes import SentenceAnswerer
from tests.slack_asking import message, shortcut
from tests.slack_server import BOT_ID, BOT_USER, Fault, event, mention, reaction
from tests.slack_streams import Json

LEAVE = "How many days of paid leave are there?"
SAID = message(LEAVE, ts="1.0", user="U2")


def bird(said: Json, *, user: str = "U1", name: str = "bird") -> Json:
    return reaction(name, said, channel=said["channel"], user=user)


def put(house: House, said: Json) -> None:
    house.slack.messages[said["channel"]].append(said)


async def test_the_shortcut_asks_a_message_in_its_thread(each_transport: House) -> None:
    slack = each_transport.slack
    bot = await each_transport.start()
    chosen = shortcut(SAID, trigger_id="1", url=slack.response_url("r"))
    assert (await slack.deliver(chosen)).is_acked
    await settled(bot, done=2)
    (answer,) = slack.posted("C1")
    assert answer["thread_ts"] == "1.0"
    assert "30 days" in answer["blocks"][0]["text"]


async def test_where_we_cannot_post_the_shortcut_is_answered_in_private(
    each_transport: House,
) -> None:
    slack = each_transport.slack
    slack.channels["C1"]["is_member"] = False
    bot = await each_transport.start()
    await slack.deliver(shortcut(SAID, trigger_id="1", url=slack.response_url("r")))
    await settled(bot, done=2)
    (answer,) = slack.responses["r"]
    assert answer["response_type"] == "ephemeral"
    assert "30 days" in answer["blocks"][0]["text"]


async def test_a_message_that_was_asked_before_is_answered_to_who_asks_it_again(
    house: House,
) -> None:
    slack = house.slack
    bot = await house.start()
    await slack.deliver(event(mention(LEAVE, ts="1.0"), "Ev1"))
    await settled(bot)
    await slack.deliver(shortcut(SAID, trigger_id="1", url=slack.response_url("r")))
    await settled(bot, done=3)
    assert len(slack.posted("C1")) == 1
    assert "30 days" in slack.responses["r"][0]["blocks"][0]["text"]


async def test_the_shortcut_used_on_an_answer_leaves_it_as_it_is(each_transport: House) -> None:
    slack = each_transport.slack
    bot = await each_transport.start()
    await slack.deliver(event(mention(LEAVE, ts="1.0"), "Ev1"))
    await settled(bot)
    (answer,) = slack.posted("C1")
    before = dict(answer)
    await slack.deliver(shortcut(answer, trigger_id="1", url=slack.response_url("r")))
    await settled(bot, done=2)
    assert "That message is mine" in slack.responses["r"][0]["text"]
    assert slack.posted("C1") == [before]


async def test_in_a_muted_channel_the_shortcut_is_answered_in_private(house: House) -> None:
    slack = house.slack
    bot = await house.start()
    bot.channels.mute("C1", seconds=60, by="UADMIN")
    await slack.deliver(shortcut(SAID, trigger_id="1", url=slack.response_url("r")))
    await settled(bot, done=2)
    assert slack.posted("C1") == []
    assert "30 days" in slack.responses["r"][0]["blocks"][0]["text"]


async def test_our_own_messages_cannot_be_asked(house: House) -> None:
    slack = house.slack
    bot = await house.start()
    ours = SAID | {"user": BOT_USER, "bot_id": BOT_ID}
    await slack.deliver(shortcut(ours, trigger_id="1", url=slack.response_url("r")))
    await settled(bot)
    assert "mine" in slack.responses["r"][0]["text"]


async def test_a_reaction_asks_a_message_once_whoever_reacts(each_transport: House) -> None:
    slack = each_transport.slack
    put(each_transport, SAID)
    bot = await each_transport.start()
    for n, user in enumerate(("U1", "U3")):
        await slack.deliver(event(bird(SAID, user=user), f"Ev{n}"))
    await settled(bot, done=3)
    (answer,) = slack.posted("C1")
    assert answer["thread_ts"] == "1.0"
    assert "30 days" in answer["blocks"][0]["text"]


async def test_a_reply_in_a_thread_can_be_asked_by_a_reaction(house: House) -> None:
    said = SAID | {"ts": "2.0", "thread_ts": "1.0"}
    put(house, said)
    bot = await house.start()
    await house.slack.deliver(event(bird(said), "Ev1"))
    await settled(bot, done=2)
    assert house.slack.posted("C1")[0]["thread_ts"] == "1.0"


async def test_the_emoji_that_asks_can_be_chosen(house: House) -> None:
    put(house, SAID)
    bot = await house.start(settings=house.settings(ask_emoji=":owl:"))
    await house.slack.deliver(event(bird(SAID), "Ev1"))
    await house.slack.deliver(event(bird(SAID, name="owl"), "Ev2"))
    await settled(bot, done=2)
    assert len(house.slack.posted("C1")) == 1


@pytest.mark.parametrize("more", [{"bot_id": "BOTHER"}, {"user": None}])
async def test_messages_of_bots_are_not_asked(house: House, more: Json) -> None:
    put(house, SAID | more)
    bot = await house.start()
    await house.slack.deliver(event(bird(SAID), "Ev1"))
    await settled(bot)
    assert house.slack.posted("C1") == []


async def test_a_message_without_words_is_not_asked(house: House) -> None:
    put(house, SAID | {"text": ":tada:"})
    bot = await house.start()
    await house.slack.deliver(event(bird(SAID), "Ev1"))
    chosen = shortcut(SAID | {"text": ""}, trigger_id="1", url=house.slack.response_url("r"))
    await house.slack.deliver(chosen)
    await settled(bot, done=2)
    assert house.slack.posted("C1") == []
    assert "Ask me a question" in house.slack.responses["r"][0]["text"]


async def test_an_error_is_told_in_private_where_we_cannot_post(house: House) -> None:
    class Broken(SentenceAnswerer):
        def answer(self, request: AnswerRequest, **_: Any) -> Answer:
            raise IndexNotFoundError(request.text)

    slack = house.slack
    slack.channels["C1"]["is_member"] = False
    bot = await house.start(Broken())
    await slack.deliver(shortcut(SAID, trigger_id="1", url=slack.response_url("r")))
    await settled(bot, done=1, dead=1)
    assert "no documents" in slack.responses["r"][0]["text"]


async def test_a_reacted_message_that_is_gone_is_let_go(house: House) -> None:
    bot = await house.start()
    await house.slack.deliver(event(bird(SAID), "Ev1"))
    await settled(bot)
    assert house.slack.posted("C1") == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["throttled", "broken", "dropped"])
async def test_a_bad_moment_while_the_message_is_read_costs_nothing(
    house: House, kind: str
) -> None:
    put(house, SAID)
    house.slack.fail("conversations.history", Fault(kind))  # type: ignore[arg-type]
    bot = await house.start()
    await house.slack.deliver(event(bird(SAID), "Ev1"))
    await settled(bot, done=2)
    assert len(house.slack.posted("C1")) == 1


async def test_where_answers_are_for_the_asker_the_shortcut_is_private_too(house: House) -> None:
    slack = house.slack
    bot = await house.start()
    bot.channels.set("C1", ChannelConfig(visibility="asker"), by="UADMIN")
    await slack.deliver(shortcut(SAID, trigger_id="1", url=slack.response_url("r")))
    await settled(bot, done=2)
    assert "30 days" in slack.responses["r"][0]["blocks"][0]["text"]
