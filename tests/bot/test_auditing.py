"""What people and admins do with a bot around it, as the audit log tells it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from bot.app.bot import Bot
from bot.privacy.commands import audit
from bot.store.audit import AuditLog
from tests.bot.conftest import House, settled
from tests.fakes import SentenceAnswerer
from tests.slack_forms import press_at_home
from tests.slack_server import direct_message, event, slash

QUESTION = "What is the salary band of engineers?"


def told(bot: Bot) -> list[tuple[Any, ...]]:
    log = AuditLog(bot.inbox.database)
    log.verify()
    return [
        (row["act"], row["user"], row["channel"], row["details"]) for row in list(log.rows())[1:]
    ]


async def ask_and_command(house: House) -> Bot:
    house.slack.users["U9"]["is_admin"] = True
    bot = await house.start(
        SentenceAnswerer(), settings=house.settings(user_audiences={"U1": ("hr",)})
    )
    for n, text in enumerate((QUESTION, "How many days of leave?")):
        await house.slack.deliver(event(direct_message(text, ts=f"{n}.1"), f"Ev{n}"))
        await settled(bot, done=n + 1)
    for n, user in enumerate(("U9", "U1")):
        url = house.slack.response_url("r")
        text = f"access <@U{n + 1}>"
        await house.slack.deliver(slash("/whimbrel", text, trigger_id=f"{n}", url=url, user=user))
        await settled(bot, done=n + 3)
    return bot


async def test_it_tells_who_was_shown_restricted_documents_and_what_admins_did(
    house: House,
) -> None:
    bot = await ask_and_command(house)
    (shown, command) = told(bot)
    assert shown[:3] == ("shown", "U1", "in private")
    assert json.loads(shown[3])["documents"] == [["handbook/Salaries.md", "hr"]]
    assert command == ("command", "U9", "C1", '{"command": "access @person"}')


async def test_who_is_forgotten_is_nobody_there_and_the_chain_holds(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = await ask_and_command(house)
    await house.slack.deliver(press_at_home("forget_me", "1", user="U1"))
    await settled(bot, done=5)
    assert [act[1] for act in told(bot)] == [None, "U9"]
    monkeypatch.setenv("WHIMBREL_HOME", str(house.folder))
    said = CliRunner().invoke(audit, ["--verify"])
    assert said.output.startswith("2 rows, each as it was written; the last is ")
    lines = [json.loads(line) for line in CliRunner().invoke(audit).output.splitlines()]
    assert [line.get("act") for line in lines] == [None, "shown", "command"]
