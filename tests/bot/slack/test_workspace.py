from __future__ import annotations

import pytest
from pydantic import SecretStr

from retrieval.errors import SettingsError
from retrieval.private import write_private
from tests.bot.conftest import House, settled
from tests.slack_server import BOT_TOKEN, event, mention

NEXT = "xoxe.xoxb-next"


async def test_a_question_waits_for_the_token_that_follows_one_that_has_expired(
    house: House,
) -> None:
    slack, token = house.slack, house.folder / "token"
    write_private(token, BOT_TOKEN)
    settings = house.settings(bot_token=SecretStr(f"@{token}"))
    bot = await house.start(settings=settings)
    slack.expired.add(BOT_TOKEN)
    await slack.deliver(event(mention("How many days of leave?", ts="1.0"), "Ev1"))
    await slack.until(lambda: len(slack.calls) > 3)
    slack.tokens[NEXT] = slack.team
    write_private(house.folder / "next", NEXT)
    (house.folder / "next").replace(token)
    await settled(bot)
    assert "30 days" in slack.posted("C1")[0]["blocks"][0]["text"]


async def test_a_token_of_another_workspace_is_not_served_with(house: House) -> None:
    settings = house.settings(only_team="T2")
    with pytest.raises(SettingsError, match="of the workspace T1, and SLACK_ONLY_TEAM is T2"):
        await house.start(settings=settings)
