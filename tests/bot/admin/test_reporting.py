from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from bot.app.bot import Bot
from tests.bot.admin.test_commands import command
from tests.bot.conftest import House, settled
from tests.slack_server import Fault, event, mention

QUESTIONS = (
    "How many days of paid leave are there?",
    "What is the wifi password in Lisbon?",
    "the wifi password in Lisbon?",
    "每年有多少天带薪年假？",
)
PNG = b"\x89PNG\r\n"


async def asked(house: House) -> Bot:
    """A bot that two people have asked a few questions, one of them an admin."""
    house.slack.users["U1"]["is_admin"] = True
    bot = await house.start()
    for n, question in enumerate(QUESTIONS):
        said = mention(question, ts=f"{n}.0", user=f"U{n % 2}")
        await house.slack.deliver(event(said, f"Ev{n}"))
    await settled(bot, done=len(QUESTIONS))
    return bot


async def test_an_admin_gets_words_and_pictures_in_private(each_transport: House) -> None:
    bot, slack = await asked(each_transport), each_transport.slack
    assert "direct messages" in await command(each_transport, bot, "report 7", done=5)
    (message,) = slack.posted("D1")
    shown = str(message["blocks"])
    assert "Report of the last 7 days" in shown
    assert "wifi password in Lisbon? (asked 2×, askers 2, 👎 0)" in shown
    assert "zh: questions 1, answered 100%" in shown
    assert slack.uploads.shared["D1"].keys() == {"questions.png", "rates.png"}
    assert all(png.startswith(PNG) for png in slack.uploads.shared["D1"].values())


async def test_the_report_names_nobody(house: House) -> None:
    bot = await asked(house)
    await command(house, bot, "report", done=5)
    said: Any = house.slack.posted("D1")[0]
    assert "U0" not in str(said["blocks"])
    assert "U1" not in str(said["blocks"])


async def test_where_nobody_has_asked_the_report_says_so(house: House) -> None:
    house.slack.users["U1"] |= {"is_admin": True, "locale": "zh-CN"}
    bot = await house.start()
    await command(house, bot, "report")
    assert house.slack.posted("D1")[0]["text"] == "最近 30 天没有人提问。"
    assert house.slack.uploads.shared == {}


async def test_without_the_scope_for_files_the_words_come_alone(house: House) -> None:
    bot = await asked(house)
    house.slack.scopes = {"chat:write", "users:read"}
    await command(house, bot, "report", done=5)
    report, excuse = house.slack.posted("D1")
    assert "Report of" in report["text"]
    assert "`missing_scope`" in excuse["text"]


@pytest.mark.slow
async def test_a_bad_moment_of_slack_sends_no_second_report(house: House) -> None:
    bot = await asked(house)
    house.slack.fail("files.completeUploadExternal", *[Fault("broken")] * 5)
    await command(house, bot, "report", done=5)
    assert len(house.slack.posted("D1")) == 1
    assert len(house.slack.uploads.shared["D1"]) == 2


async def test_questions_that_ended_in_an_error_are_counted(house: House) -> None:
    bot = await asked(house)
    with sqlite3.connect(house.folder / "whimbrel.db") as connection:
        connection.execute("UPDATE inbox SET state = 'dead' WHERE event_id = 'Ev0'")
    connection.close()
    await command(house, bot, "report", done=4, dead=1)
    assert "*Ended in an error*\\n1" in str(house.slack.posted("D1")[0]["blocks"])


async def test_deleted_answers_are_not_reported(house: House) -> None:
    bot = await asked(house)
    with sqlite3.connect(house.folder / "whimbrel.db") as connection:
        connection.execute("UPDATE turns SET deleted = '2026-01-01' WHERE language = 'zh'")
    connection.close()
    await command(house, bot, "report", done=5)
    assert "zh:" not in str(house.slack.posted("D1")[0]["blocks"])
