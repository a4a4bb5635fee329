from __future__ import annotations

from typing import Any

from bot.service import Bot
from tests.bot.conftest import House, settled
from tests.slack_server import BOT_USER, click, event, mention, reaction


async def answered(house: House) -> tuple[Bot, dict[str, Any], str]:
    """A bot that has answered one question; the message and the id of its turn."""
    bot = await house.start()
    await house.slack.deliver(event(mention("How many days of paid leave?", ts="1.0"), "Ev1"))
    await settled(bot)
    (message,) = house.slack.posted("C1")
    turn_id = bot.log.turn_shown_in("C1", message["ts"])
    assert turn_id is not None
    return bot, message, turn_id


def button(message: dict[str, Any], side: str) -> dict[str, Any]:
    element = message["blocks"][-1]["elements"][0]
    return {"action_id": element["action_id"], "value": element[side]["value"]}


def votes(bot: Bot) -> list[tuple[str, int, str]]:
    rows = bot.inbox.database.connection.query("SELECT voter, value, source FROM votes")
    return [(row["voter"], row["value"], row["source"]) for row in rows]


async def test_clicking_twice_counts_once_and_the_other_side_replaces(
    each_transport: House,
) -> None:
    bot, message, turn_id = await answered(each_transport)
    for n, side in enumerate(("positive_button", "positive_button", "negative_button")):
        clicked = click(button(message, side), trigger_id=f"t{n}")
        assert (await each_transport.slack.deliver(clicked)).is_acked
        await settled(bot, done=2 + n)
    assert votes(bot) == [("U1", -1, "button")]
    events = bot.inbox.database.connection.query("SELECT value, turn_id FROM vote_events")
    assert [(e["value"], e["turn_id"]) for e in events] == [(1, turn_id), (-1, turn_id)]


async def test_a_click_on_an_ephemeral_answer_counts(house: House) -> None:
    bot, message, turn_id = await answered(house)
    clicked = click(button(message, "positive_button"), trigger_id="t", user="U5", channel="C9")
    await house.slack.deliver(clicked)
    await settled(bot, done=2)
    assert bot.log.score(turn_id) == 1


async def test_a_reaction_with_a_skin_tone_is_a_vote_until_it_is_removed(
    each_transport: House,
) -> None:
    bot, message, _ = await answered(each_transport)
    added = reaction("+1::skin-tone-3", message, channel="C1", user="U2")
    await each_transport.slack.deliver(event(added, "Ev2"))
    await settled(bot, done=2)
    assert votes(bot) == [("U2", 1, "reaction")]
    removed = reaction("+1::skin-tone-3", message, channel="C1", user="U2", removed=True)
    await each_transport.slack.deliver(event(removed, "Ev3"))
    await settled(bot, done=3)
    assert votes(bot) == []


async def test_one_person_has_one_vote_by_button_and_reaction(house: House) -> None:
    bot, message, _ = await answered(house)
    await house.slack.deliver(click(button(message, "positive_button"), trigger_id="t"))
    await house.slack.deliver(event(reaction("-1", message, channel="C1"), "Ev2"))
    await settled(bot, done=3)
    assert votes(bot) == [("U1", -1, "reaction")]


async def test_reactions_to_what_is_no_answer_are_ignored(house: House) -> None:
    bot, _, _ = await answered(house)
    other = {"ts": "7.7", "user": BOT_USER}
    assert (await house.slack.deliver(event(reaction("+1", other, channel="C1"), "Ev2"))).is_acked
    await settled(bot, done=2)
    assert votes(bot) == []
