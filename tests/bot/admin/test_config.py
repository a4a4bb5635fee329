from __future__ import annotations

from typing import Any

import pytest

from bot.admin.channel_form import channel_form, read_form
from bot.app.bot import Bot
from bot.slack.incoming.interactions import read_inputs
from bot.store.channels import ChannelConfig
from bot.strings import strings_for
from tests.bot.conftest import House, settled
from tests.slack_forms import Json, press, submission
from tests.slack_server import Fault, event, mention, slash

ENGLISH, CHINESE = strings_for("en"), strings_for("zh")

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


SET = ChannelConfig(
    mode="questions",
    followups="everyone",
    sources=("handbook/", "wiki/it"),
    language="zh",
    visibility="asker",
    threshold=0.25,
    buttons=False,
    experts=("U7", "U8"),
    muted_until=99.0,
)


async def opened(house: House, *, user: str = "U1", channel: str = "C1") -> Json:
    """The modal that `/whimbrel config` opens."""
    slack = house.slack
    url = slack.response_url("r")
    sent = slash("/whimbrel", "config", trigger_id="T1", url=url, user=user, channel=channel)
    assert (await slack.deliver(sent)).is_acked
    await slack.until(lambda: bool(slack.views))
    (view,) = slack.views.values()
    return view


async def admins_house(house: House) -> Bot:
    house.slack.users["U1"]["is_admin"] = True
    return await house.start()


@pytest.mark.parametrize("config", [ChannelConfig(), SET])
@pytest.mark.parametrize("strings", [ENGLISH, CHINESE])
def test_a_form_sent_back_as_it_was_changes_nothing(config: ChannelConfig, strings: Any) -> None:
    body = submission(channel_form("C1", config, strings))
    inputs = read_inputs(body["view"]["state"]["values"])
    assert read_form(inputs, config) == config


async def test_what_an_admin_fills_in_holds_from_the_next_question_on(
    each_transport: House,
) -> None:
    slack, bot = each_transport.slack, await admins_house(each_transport)
    view = await opened(each_transport)
    filled = {"visibility": "asker", "sources": "handbook/Leave\nno/where", "experts": ["U7"]}
    assert (await slack.deliver(submission(view, filled))).payload == {}
    await settled(bot, done=2)
    config = bot.channels.of("C1")
    assert config.sources == ("handbook/Leave", "no/where")
    assert (config.visibility, config.experts) == ("asker", ("U7",))
    told = slack.called("chat.postEphemeral")[0]
    assert (told["channel"], told["user"]) == ("C1", "U1")
    assert "Saved" in told["text"]
    assert "No document begins with: no/where" in told["text"]
    assert "U7" not in told["text"]


async def test_a_threshold_that_is_none_goes_back_to_the_form(each_transport: House) -> None:
    slack, bot = each_transport.slack, await admins_house(each_transport)
    view = await opened(each_transport)
    answer = await slack.deliver(submission(view, {"threshold": "7"}))
    assert answer.payload == {
        "response_action": "errors",
        "errors": {"threshold": "A number between 0 and 1, please."},
    }
    assert bot.channels.of("C1") == ChannelConfig()


async def test_only_an_admin_can_save(house: House) -> None:
    bot = await admins_house(house)
    view = await opened(house)
    await house.slack.deliver(submission(view, {"language": "zh"}, user="U2"))
    await settled(bot, done=2)
    assert bot.channels.of("C1") == ChannelConfig()
    assert "Only admins" in house.slack.called("chat.postEphemeral")[0]["text"]


async def test_where_the_bot_is_no_member_the_admin_is_told_in_private(house: House) -> None:
    house.slack.channels["C1"]["is_member"] = False
    bot = await admins_house(house)
    await house.slack.deliver(submission(await opened(house), {"buttons": "off"}))
    await settled(bot, done=2)
    assert not bot.channels.of("C1").buttons
    assert "Saved" in house.slack.posted("D1")[0]["text"]


async def test_a_click_that_slack_finds_too_old_is_told_in_private(house: House) -> None:
    house.slack.triggers.life_s = -1.0
    bot = await admins_house(house)
    pressed = press("run_config", "config", trigger_id="T1", url=house.slack.response_url("r"))
    await house.slack.deliver(pressed)
    await settled(bot)
    assert "Please try once more" in house.slack.responses["r"][0]["text"]


async def test_direct_messages_have_no_settings(house: House) -> None:
    bot = await admins_house(house)
    url = house.slack.response_url("r")
    sent = slash("/whimbrel", "config", trigger_id="T1", url=url, channel="D1")
    await house.slack.deliver(sent)
    await settled(bot)
    assert "in the channel" in house.slack.responses["r"][0]["text"]
