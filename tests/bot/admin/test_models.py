from __future__ import annotations

import json
import sqlite3

from tests.bot.admin.test_commands import command
from tests.bot.conftest import House, settled
from tests.fakes import TwoGenerations


async def test_models_and_generations_are_shown(house: House) -> None:
    house.slack.users["U1"]["is_admin"] = True
    bot = await house.start()
    said = await command(house, bot, "models")
    for words in ("Writes answers: `sentences`", "Index in use: `g2` of 2026-02-02 08:00", "`g1`"):
        assert words in said


async def test_what_was_learned_and_when_it_served_are_shown(house: House) -> None:
    house.slack.users["U1"]["is_admin"] = True
    said = await command(house, await house.start(), "models")
    assert "`r1` of 2026-01-01, from data set `0123456789ab`: taken back for good" in said
    assert "`r2` of 2026-01-02, from data set `0123456789ab`: serves" in said
    assert "2026-02-01 08:00 UTC, Retriever: the model as configured → `r2` (better)" in said


async def test_a_rollback_says_what_it_changed(each_transport: House) -> None:
    each_transport.slack.users["U1"]["is_admin"] = True
    installation = TwoGenerations()
    bot = await each_transport.enter(each_transport.bot(installation=installation))
    said = await command(each_transport, bot, "rollback")
    assert installation.served.name == "g1"
    assert "`g1` of 2026-01-01 08:00" in said
    assert "handbook/Printer.md" in said


async def test_a_rollback_that_is_begun_twice_goes_back_once(house: House) -> None:
    house.slack.users["U1"]["is_admin"] = True
    installation = TwoGenerations()
    bot = await house.enter(house.bot(installation=installation))
    await command(house, bot, "rollback")
    with sqlite3.connect(house.folder / "whimbrel.db") as connection:
        # As a crash between the rollback and its end leaves it.
        payload = {"text": "rollback", "response_url": house.slack.response_url("again")}
        connection.execute("UPDATE inbox SET state = 'todo', payload = ?", (json.dumps(payload),))
    connection.close()
    bot.worker.wake()
    await house.slack.until(lambda: bool(house.slack.responses["again"]))
    await settled(bot)
    assert installation.served.name == "g1"


async def test_without_another_generation_a_rollback_says_so(house: House) -> None:
    house.slack.users["U1"]["is_admin"] = True
    installation = TwoGenerations()
    installation.previous = None
    bot = await house.enter(house.bot(installation=installation))
    assert "no other generation" in await command(house, bot, "rollback", done=0, dead=1)
