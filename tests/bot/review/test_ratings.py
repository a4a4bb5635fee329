from __future__ import annotations

from typing import Any, Literal

import pytest

from bot.app.bot import Bot
from tests.bot.conftest import House, settled
from tests.bot.story import LEAVE, story
from tests.fakes import GatedAnswerer
from tests.slack_server import BOT_USER, Fault, click, event, mention, reaction


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


def ratings(bot: Bot) -> list[tuple[str, int, str]]:
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
    assert ratings(bot) == [("U1", -1, "button")]
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
    assert ratings(bot) == [("U2", 1, "reaction")]
    removed = reaction("+1::skin-tone-3", message, channel="C1", user="U2", removed=True)
    await each_transport.slack.deliver(event(removed, "Ev3"))
    await settled(bot, done=3)
    assert ratings(bot) == []


async def test_one_person_has_one_vote_by_button_and_reaction(house: House) -> None:
    bot, message, _ = await answered(house)
    await house.slack.deliver(click(button(message, "positive_button"), trigger_id="t"))
    await house.slack.deliver(event(reaction("-1", message, channel="C1"), "Ev2"))
    await settled(bot, done=3)
    assert ratings(bot) == [("U1", -1, "reaction")]


@pytest.mark.slow
async def test_reactions_to_what_is_no_answer_are_ignored(house: House) -> None:
    bot, _, _ = await answered(house)
    other = {"ts": "7.7", "user": BOT_USER}
    assert (await house.slack.deliver(event(reaction("+1", other, channel="C1"), "Ev2"))).is_acked
    await settled(bot, done=2)
    assert ratings(bot) == []


async def test_a_click_on_the_thumb_down_asks_why_once_the_vote_is_stored(
    each_transport: House,
) -> None:
    told = await story(each_transport)
    _, turn_id = await told.ask(LEAVE)
    await told.rate(turn_id, "bad")
    (view,) = told.slack.views.values()
    assert (view["callback_id"], view["private_metadata"]) == ("reason", turn_id)
    assert ratings(told.bot) == [("U1", -1, "button")]
    await told.rate(turn_id, "good", user="U2")
    assert len(told.slack.views) == 1


async def test_whoever_has_said_why_is_not_asked_again(house: House) -> None:
    told = await story(house)
    _, turn_id = await told.ask(LEAVE)
    await told.rate(turn_id, "bad")
    await told.submit({"reason": "outdated"})
    await told.rate(turn_id, "bad")
    assert len(told.slack.views) == 1


@pytest.mark.parametrize("fault", ["broken", "throttled"])
async def test_a_click_that_slack_is_too_slow_for_leads_to_a_note(
    house: House, fault: Literal["broken", "throttled"]
) -> None:
    told = await story(house)
    _, turn_id = await told.ask(LEAVE)
    house.slack.triggers.life_s = 0
    house.slack.fail("views.open", Fault(fault))
    await told.rate(turn_id, "bad")
    assert ratings(told.bot) == [("U1", -1, "button")]
    (note,) = house.slack.called("chat.postEphemeral")
    assert note["blocks"][1]["elements"][0]["value"] == turn_id


async def test_a_thumb_down_reaction_brings_a_note_whose_button_asks_why(house: House) -> None:
    told = await story(house)
    message, turn_id = await told.ask(LEAVE)
    await told.react("-1::skin-tone-2", message, user="U3")
    (note,) = house.slack.called("chat.postEphemeral")
    assert (note["channel"], note["user"]) == ("C1", "U3")
    button = note["blocks"][1]["elements"][0]
    await told.press(button["action_id"], button["value"], user="U3")
    (view,) = house.slack.views.values()
    assert view["private_metadata"] == turn_id


async def test_the_note_comes_once_for_each_person_and_turn(house: House) -> None:
    told = await story(house)
    message, _ = await told.ask(LEAVE)
    await told.react("-1", message)
    await told.react("-1", message, removed=True)
    await told.react("-1", message)
    await told.react("-1", message, user="U2")
    assert [note["user"] for note in house.slack.called("chat.postEphemeral")] == ["U1", "U2"]


async def test_a_note_that_slack_refuses_does_not_cost_the_vote(house: House) -> None:
    told = await story(house)
    message, _ = await told.ask(LEAVE)
    house.slack.channels["C1"]["is_member"] = False
    await told.react("-1", message)
    assert ratings(told.bot) == [("U1", -1, "reaction")]


@pytest.mark.slow
async def test_a_vote_waits_for_the_turn_that_is_being_written(house: House) -> None:
    answerer = GatedAnswerer()
    told = await story(house, answerer)
    asked = mention(LEAVE, ts="1.0")
    await house.slack.deliver(event(asked, "Ev1"))
    await house.slack.until(lambda: bool(house.slack.posted("C1")))
    (message,) = house.slack.posted("C1")
    await house.slack.deliver(event(reaction("+1", message, channel="C1"), "Ev2"))
    answerer.gate.set()
    await settled(told.bot, done=2)
    assert ratings(told.bot) == [("U1", 1, "reaction")]


async def test_a_thumb_that_was_taken_away_before_we_heard_of_it_is_no_vote(house: House) -> None:
    told = await story(house)
    message, _ = await told.ask(LEAVE)
    added = {**reaction("+1", message, channel="C1"), "event_ts": "1700000001.0"}
    removed = {**reaction("+1", message, channel="C1", removed=True), "event_ts": "1700000002.0"}
    await told.send(event(removed, "EvRemoved"))
    await told.send(event(added, "EvAdded"))
    assert ratings(told.bot) == []


async def test_of_two_thumbs_the_one_that_stays_counts(house: House) -> None:
    told = await story(house)
    message, _ = await told.ask(LEAVE)
    await told.react("+1", message, user="U2")
    await told.react("-1", message, user="U2")
    assert ratings(told.bot) == [("U2", -1, "reaction")]
    await told.react("-1", message, user="U2", removed=True)
    assert ratings(told.bot) == [("U2", 1, "reaction")]
