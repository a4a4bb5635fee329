from __future__ import annotations

import pytest

from bot.app.bot import Bot
from bot.strings import strings_for
from tests.bot.conftest import House, settled
from tests.slack_forms import press
from tests.slack_server import WAIT_S, Fault, slash

ENGLISH, CHINESE = strings_for("en"), strings_for("zh")


async def command(
    house: House, bot: Bot, text: str, *, done: int = 1, dead: int = 0, within_s: float = WAIT_S
) -> str:
    """What the person who sent `/whimbrel TEXT` is told."""
    key = text.replace("/", " ") or "empty"
    sent = slash("/whimbrel", text, trigger_id=text, url=house.slack.response_url(key))
    assert (await house.slack.deliver(sent)).is_acked
    await settled(bot, done=done, dead=dead, within_s=within_s)
    return str(house.slack.responses[key][-1])


@pytest.mark.parametrize(
    ("text", "locale", "words"),
    [
        ("", "en-US", "/whimbrel status"),
        ("help", "zh-CN", "显示我的忙碌程度"),
        ("status", "en-US", "0 waiting, 0 in progress"),
        ("status", "en-US", "0 questions answered"),
        ("status", "en-US", "of 2026-02-02 08:00 UTC: 4 documents"),
        ("status", "en-US", "52 read, 1 read in part, 3 could not be read, 5 left out"),
        ("Status", "zh-CN", "已回答 0 个问题"),
    ],
)
async def test_help_and_status_speak_the_language_of_the_person(
    house: House, text: str, locale: str, words: str
) -> None:
    house.slack.users["U1"]["locale"] = locale
    bot = await house.start()
    assert words in await command(house, bot, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("reportt", "Did you mean `/whimbrel report`?"),
        ("modles now", "Did you mean `/whimbrel models`?"),
        ("xyzzy", "I do not know `xyzzy`"),
        ("`<!channel>`", "I do not know `&lt;!"),
    ],
)
async def test_an_unknown_command_is_answered_with_help_and_the_nearest(
    each_transport: House, text: str, words: str
) -> None:
    each_transport.slack.users["U1"]["is_admin"] = True
    bot = await each_transport.start()
    said = await command(each_transport, bot, text)
    assert words in said
    assert "/whimbrel reindex [full]" in said


async def test_people_are_helped_with_what_they_may_do(house: House) -> None:
    bot = await house.start()
    said = await command(house, bot, "")
    assert "/whimbrel status" in said
    assert "rollback" not in said
    assert "button" not in said


@pytest.mark.parametrize("text", ["reindex", "config", "models", "rollback", "mute", "report"])
async def test_a_person_who_is_no_admin_is_refused_kindly(house: House, text: str) -> None:
    bot = await house.start()
    assert "Only admins can do that" in await command(house, bot, text)
    assert house.slack.called("chat.postMessage") == house.slack.called("views.open") == []


async def test_slack_is_asked_once_who_somebody_is(house: House) -> None:
    bot = await house.start()
    await command(house, bot, "status")
    house.slack.fail("users.info", Fault("broken"))
    await command(house, bot, "help", done=2)
    assert len(house.slack.called("users.info")) == 1


async def test_buttons_do_what_the_typed_commands_do(each_transport: House) -> None:
    slack = each_transport.slack
    slack.users["U1"]["is_admin"] = True
    bot = await each_transport.start()
    assert "run_status" in await command(each_transport, bot, "")
    pressed = press("run_status", "status", url=slack.response_url("r"))
    assert (await slack.deliver(pressed)).is_acked
    await settled(bot, done=2)
    assert "0 questions answered" in str(slack.responses["r"])


async def test_every_command_has_a_line_of_help_in_every_language(house: House) -> None:
    house.slack.users["U1"]["is_admin"] = True
    bot = await house.start()
    said = await command(house, bot, "")
    assert [line for line in ENGLISH.commands.summaries.values() if line not in said] == []
    assert ENGLISH.commands.summaries.keys() == CHINESE.commands.summaries.keys()
    assert ENGLISH.channel_form.options.keys() == CHINESE.channel_form.options.keys()
