from __future__ import annotations

import asyncio
from itertools import count

from tests.bot.conftest import House
from tests.bot.story import LEAVE, Story, story
from tests.fakes import SentenceAnswerer
from tests.slack_server import WAIT_S, slash

DOCUMENT = "handbook/Leave.md"
_NUMBERS = count()


async def until_lowered(told: Story, answerer: SentenceAnswerer) -> None:
    """Three people call the document outdated; then somebody asks until that was weighed."""
    for person in ("U1", "U2", "U3"):
        _, turn_id = await told.ask(LEAVE, user=person)
        await told.rate(turn_id, "bad", user=person)
        await told.submit({"reason": "outdated"}, user=person)
    async with asyncio.timeout(WAIT_S):
        while not answerer.asked[-1].outdated:
            await told.ask(LEAVE, user="U4")


async def commanded(told: Story, text: str) -> str:
    name = f"command {next(_NUMBERS)}"
    url = told.slack.response_url(name)
    await told.send(slash("/whimbrel", text, trigger_id=name, url=url))
    return str(told.slack.responses[name][-1])


async def test_what_people_call_outdated_stands_lower_until_an_admin_lifts_it(
    house: House,
) -> None:
    house.slack.users["U1"]["is_admin"] = True
    answerer = SentenceAnswerer()
    told = await story(house, answerer)
    await until_lowered(told, answerer)
    assert [*answerer.asked[-1].outdated] == [DOCUMENT]
    await commanded(told, "report 7")
    report = str(told.slack.posted("D1")[-1]["blocks"])
    assert "Leave (people 3, owner –): stands lower until it changes" in report
    said = await commanded(told, "outdated")
    assert DOCUMENT in said
    assert "people 3" in said
    assert "no single document" in await commanded(told, "outdated handbook/other.md")
    assert "stands where it did" in await commanded(told, f"outdated {DOCUMENT.lower()}")
    await told.ask(LEAVE, user="U4")
    assert not answerer.asked[-1].outdated
    assert "No document stands lower" in await commanded(told, "outdated")
