from __future__ import annotations

import pytest

from bot.store.channels import ChannelConfig
from tests.bot.conftest import House, settled
from tests.slack_server import Fault, event, mention

LEAVE = "How many days of paid leave are there?"
TS = "1600000000.000001"


@pytest.mark.parametrize("fault", [None, "throttled", "broken"])
async def test_in_a_channel_for_the_askers_eyes_nobody_else_sees_the_answer(
    house: House, fault: str | None
) -> None:
    bot = await house.start()
    bot.channels.set("C1", ChannelConfig(visibility="asker"), by="U9")
    if fault is not None:
        house.slack.fail("chat.postEphemeral", Fault(fault))  # type: ignore[arg-type]
    await house.slack.deliver(event(mention(LEAVE, ts=TS), "Ev1"))
    await settled(bot)
    whispered = house.slack.called("chat.postEphemeral")[-1]
    assert (whispered["channel"], whispered["user"]) == ("C1", "U1")
    assert "30 days" in whispered["blocks"][0]["text"]
    assert house.slack.posted("C1") == []
    assert bot.log.count() == 1


async def test_a_whisper_stays_in_the_thread_that_was_asked_in(house: House) -> None:
    bot = await house.start()
    bot.channels.set("C1", ChannelConfig(visibility="asker"), by="U9")
    await house.slack.deliver(event(mention(LEAVE, ts="2.0", thread_ts="1.0"), "Ev1"))
    await settled(bot)
    assert house.slack.called("chat.postEphemeral")[0]["thread_ts"] == "1.0"


async def test_a_channel_is_answered_as_its_admins_have_set(house: House) -> None:
    bot = await house.start()
    bot.channels.set("C1", ChannelConfig(sources=("handbook/Printer",)), by="U9")
    bot.channels.set("C2", ChannelConfig(threshold=0.99), by="U9")
    bot.channels.set("C3", ChannelConfig(language="zh"), by="U9")
    for n, channel in enumerate(("C1", "C2", "C3")):
        await house.slack.deliver(event(mention(LEAVE, ts=f"{n}.0", channel=channel), f"Ev{n}"))
    await settled(bot, done=3)
    said = {channel: str(house.slack.posted(channel)) for channel in ("C1", "C2", "C3")}
    assert "did not find" in said["C1"]
    assert "did not find" in said["C2"]
    assert "来源" in said["C3"]
