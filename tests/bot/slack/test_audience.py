from __future__ import annotations

from bot.app.bot import Bot
from tests.bot.conftest import House, settled
from tests.fakes import SentenceAnswerer
from tests.slack_server import direct_message, event, mention, slash

QUESTION = "What is the salary band of engineers?"
PUBLIC, HR = frozenset({"public"}), frozenset({"public", "hr"})


async def start(house: House) -> tuple[Bot, SentenceAnswerer]:
    answerer = SentenceAnswerer()
    settings = house.settings(channel_audiences={"C1": ("hr",)}, user_audiences={"U1": ("hr",)})
    return await house.start(answerer, settings=settings), answerer


async def audience_of(house: House, payload: dict[str, object]) -> frozenset[str]:
    bot, answerer = await start(house)
    await house.slack.deliver(payload)
    await settled(bot)
    return answerer.asked[0].audience


async def test_a_private_channel_reads_what_it_is_granted(house: House) -> None:
    house.slack.channels["C1"]["is_private"] = True
    assert await audience_of(house, event(mention(QUESTION, ts="1.0"), "Ev1")) == HR


async def test_a_public_channel_reads_public_documents_whatever_it_is_granted(
    house: House,
) -> None:
    assert await audience_of(house, event(mention(QUESTION, ts="1.0"), "Ev1")) == PUBLIC
    assert "E4" not in str(house.slack.posted("C1"))


async def test_a_channel_shared_with_others_reads_public_documents(house: House) -> None:
    house.slack.channels["C1"] |= {"is_private": True, "is_ext_shared": True}
    assert await audience_of(house, event(mention(QUESTION, ts="1.0"), "Ev1")) == PUBLIC


async def test_an_event_from_a_shared_channel_is_enough(house: House) -> None:
    house.slack.channels["C1"]["is_private"] = True
    shared = event(mention(QUESTION, ts="1.0"), "Ev1") | {"is_ext_shared_channel": True}
    assert await audience_of(house, shared) == PUBLIC


async def test_a_channel_nobody_can_look_up_counts_as_public(house: House) -> None:
    house.slack.channels["C1"]["is_private"] = True
    house.slack.scopes = {"chat:write"}
    assert await audience_of(house, event(mention(QUESTION, ts="1.0"), "Ev1")) == PUBLIC


async def is_private(house: House, payload: dict[str, object]) -> bool:
    bot, _ = await start(house)
    await house.slack.deliver(payload)
    await settled(bot)
    (row,) = bot.inbox.database.connection.query("SELECT is_private FROM turns")
    return bool(row["is_private"])


async def test_the_log_says_that_a_channel_is_public(house: House) -> None:
    assert not await is_private(house, event(mention(QUESTION, ts="1.0"), "Ev1"))


async def test_the_log_says_that_a_channel_is_private(house: House) -> None:
    house.slack.channels["C1"]["is_private"] = True
    assert await is_private(house, event(mention(QUESTION, ts="1.0"), "Ev1"))


async def test_what_is_said_to_the_bot_alone_is_private(house: House) -> None:
    assert await is_private(house, event(direct_message(QUESTION, ts="1.0"), "Ev1"))
    assert house.slack.called("conversations.info") == []


async def test_an_event_that_tells_the_kind_of_channel_is_enough(house: House) -> None:
    said = {**mention(QUESTION, ts="1.0", channel="C2"), "type": "message"}
    assert not await is_private(house, event(said | {"channel_type": "channel"}, "Ev1"))
    assert house.slack.called("conversations.info") == []


async def test_the_log_takes_a_channel_nobody_can_look_up_for_private(house: House) -> None:
    house.slack.scopes = {"chat:write"}
    assert await is_private(house, event(mention(QUESTION, ts="1.0"), "Ev1"))


async def test_a_channel_is_looked_up_once(house: House) -> None:
    house.slack.channels["C1"]["is_private"] = True
    bot, _ = await start(house)
    for n in range(3):
        await house.slack.deliver(event(mention(QUESTION, ts=f"{n}.0"), f"Ev{n}"))
        await settled(bot, done=n + 1)
    assert len(house.slack.called("conversations.info")) == 1


async def test_in_private_a_person_reads_what_they_are_granted(house: House) -> None:
    assert await audience_of(house, event(direct_message(QUESTION, ts="1.0"), "Ev1")) == HR


async def test_an_ephemeral_answer_goes_by_the_asker_not_by_the_channel(house: House) -> None:
    url = house.slack.response_url("r")
    by_other = slash("/ask", QUESTION, trigger_id="1", url=url, user="U2")
    assert await audience_of(house, by_other) == PUBLIC
