from __future__ import annotations

from pathlib import Path

import pytest

from bot.admin.reindex import Progress
from bot.service import Bot
from retrieval.errors import UnreadableError
from tests.bot.conftest import House, settled
from tests.fakes import SentenceAnswerer
from tests.slack_server import slash


class SlowReindexer:
    """Reports one step and waits until the bot has shown it."""

    def __init__(self, house: House) -> None:
        self._house = house

    def __call__(self, *, full: bool, on_progress: Progress) -> str:
        on_progress("embedding", 3, 9)
        while "3 of 9" not in str(self._house.slack.called("chat.update")):
            on_progress("embedding", 3, 9)
        return f"Done, full={full}."


class FailingReindexer:
    def __call__(self, *, full: bool, on_progress: Progress) -> str:
        del full, on_progress
        raise UnreadableError("the folder handbook does not exist")


async def command(house: House, bot: Bot, text: str, *, done: int = 1, dead: int = 0) -> str:
    """What the person who sent `/whimbrel TEXT` is told."""
    url = house.slack.response_url(text or "empty")
    sent = slash("/whimbrel", text, trigger_id=text, url=url)
    assert (await house.slack.deliver(sent)).is_acked
    await settled(bot, done=done, dead=dead)
    return str(house.slack.responses[text or "empty"][-1]["text"])


async def test_a_person_who_is_no_admin_is_refused_kindly(each_transport: House) -> None:
    bot = await each_transport.start()
    assert (await command(each_transport, bot, "reindex")).startswith("Only admins can reindex")
    assert each_transport.slack.called("chat.postMessage") == []


async def test_an_admin_sees_the_progress_in_one_message_and_what_changed(
    each_transport: House,
) -> None:
    slack = each_transport.slack
    slack.users["U1"]["is_admin"] = True
    bot = each_transport.bot(reindexer=SlowReindexer(each_transport))
    await each_transport.enter(bot)
    assert "direct messages" in await command(each_transport, bot, "reindex full")
    (message,) = slack.posted("D1")
    assert message["text"] == "Reindexing is done. Done, full=True."
    assert "Reindexing: embedding 3 of 9" in [c["text"] for c in slack.called("chat.update")]


async def test_the_settings_can_make_somebody_an_admin(house: House, tmp_path: Path) -> None:
    (tmp_path / "a.md").touch()
    bot = await house.start(settings=house.settings(admins=("U1",)))
    await command(house, bot, "reindex")
    assert "changed ones read" in house.slack.posted("D1")[0]["text"]


async def test_a_failed_reindexing_says_why(house: House) -> None:
    house.slack.users["U1"]["is_owner"] = True
    bot = house.bot(SentenceAnswerer(), reindexer=FailingReindexer())
    await house.enter(bot)
    await command(house, bot, "reindex", done=0, dead=1)
    assert "the folder handbook does not exist" in house.slack.posted("D1")[0]["text"]


@pytest.mark.parametrize(
    ("text", "locale", "words"),
    [
        ("", "en-US", "/whimbrel status"),
        ("nonsense", "en-US", "/whimbrel status"),
        ("help", "zh-CN", "显示我的忙碌程度"),
        ("status", "en-US", "0 questions answered"),
        ("Status", "zh-CN", "已回答 0 个问题"),
    ],
)
async def test_help_and_status_speak_the_language_of_the_person(
    house: House, text: str, locale: str, words: str
) -> None:
    house.slack.users["U1"]["locale"] = locale
    bot = await house.start()
    assert words in await command(house, bot, text)
