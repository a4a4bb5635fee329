from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.store.channels import ChannelConfig
from tests.bot.conftest import House, settled
from tests.bot.story import CUP, LEAVE, Story, human, story
from tests.slack_forms import press_at_home
from tests.slack_server import Fault, event

DECIDED = "SELECT state, reviewer FROM reviews"


async def corrected(told: Story, question: str = CUP, *, channel: str = "C1") -> str:
    """The turn of a question whose answer U1 has corrected."""
    _, turn_id = await told.ask(question, channel=channel)
    await told.rate(turn_id, "bad")
    await told.submit({"reason": "incomplete", "answer": "Heron won it."})
    return turn_id


async def test_an_approved_answer_is_given_at_once_with_its_author(each_transport: House) -> None:
    told = await story(each_transport)
    told.slack.users["U1"]["profile"] = {"display_name": "Ada"}
    await corrected(told)
    assert "Heron won it." in await told.open_home("U9")
    await told.press_home("approve_review", "1", jobs=2)  # and U1 is told
    assert told.rows(DECIDED) == [("approved", "U9")]
    message, turn_id = await told.ask("who won the cup please", user="U4")
    assert "Heron won it." in str(message["blocks"])
    assert "Ada" in str(message["blocks"])
    made = told.rows("SELECT method, generator FROM turns WHERE id = ?", turn_id)
    assert made == [("curated", "curated/1")]


async def test_a_rejected_answer_is_not_given(house: House) -> None:
    told = await story(house)
    await corrected(told)
    await told.press_home("reject_review", "1")
    assert told.rows(DECIDED) == [("rejected", "U9")]
    message, _ = await told.ask(CUP)
    assert "Heron" not in str(message["blocks"])


async def test_an_expert_can_edit_before_approving(each_transport: House) -> None:
    told = await story(each_transport)
    await corrected(told, LEAVE)
    await told.press_home("edit_review", "1")
    filled = {"question": "How much leave do I have?", "answer": "31 days.", "document": "0"}
    await told.submit(filled, user="U9", jobs=2)
    kept = "SELECT question, answer, document_id, author, reviewer FROM curated"
    edited = ("How much leave do I have?", "31 days.", "handbook/Leave.md", "U1", "U9")
    assert told.rows(kept) == [edited]
    assert told.rows("SELECT question, answer FROM reviews") == [edited[:2]]
    message, _ = await told.ask("how much leave do I have")
    assert "31 days. [1]" in str(message["blocks"])


async def test_of_two_reviewers_at_once_one_decides_and_the_other_is_told(house: House) -> None:
    told = await story(house, experts=("U8", "U9"))
    await corrected(told)
    clicks = [
        press_at_home("reject_review", "1", trigger_id=f"at once {user}", user=user)
        for user in ("U8", "U9")
    ]
    await asyncio.gather(*map(told.slack.deliver, clicks))
    await settled(told.bot, done=told.done + 2)
    ((_, winner),) = told.rows(DECIDED)
    (loser,) = {"U8", "U9"} - {winner}
    assert "faster" in str(told.slack.homes[loser])
    assert "faster" not in str(told.slack.homes[winner])


async def test_the_same_click_delivered_again_decides_nothing_more(house: House) -> None:
    told = await story(house)
    await corrected(told)
    await told.press_home("approve_review", "1", jobs=2)
    await told.press_home("approve_review", "1")
    assert "faster" in str(told.slack.homes["U9"])
    assert told.rows("SELECT count(*) FROM curated") == [(1,)]


@pytest.mark.parametrize("name", ["approve_review", "edit_review", "reject_review"])
async def test_who_is_no_expert_decides_nothing(house: House, name: str) -> None:
    told = await story(house)
    await corrected(told)
    assert "Answers to review" not in await told.open_home("U1")
    await told.press_home(name, "1", user="U1")
    assert told.rows(DECIDED) == [("open", None)]
    assert len(told.slack.views) == 1


async def test_a_channels_experts_review_what_was_asked_there(house: House) -> None:
    told = await story(house, experts=())
    told.bot.channels.set("C1", ChannelConfig(experts=("U7",)), by="U9")
    await corrected(told)
    assert "Heron won it." in await told.open_home("U7")
    await told.press_home("approve_review", "1", user="U7", jobs=2)
    assert told.rows(DECIDED) == [("approved", "U7")]


async def test_of_a_private_channel_nobody_but_its_experts_reviews(house: House) -> None:
    granted: Any = {"channel_audiences": {"C1": ("hr",)}, "user_audiences": {"U9": ("hr",)}}
    told = await story(house, **granted)
    told.bot.channels.set("C1", ChannelConfig(experts=("U8",)), by="U2")
    house.slack.channels["C1"]["is_private"] = True
    house.slack.users["U5"]["is_admin"] = True
    await corrected(told, "What is the salary band of engineers?")
    assert "Heron won it." not in await told.open_home("U5")
    assert "Heron won it." not in await told.open_home("U9")
    assert "Heron won it." in await told.open_home("U8")


async def test_of_a_private_channel_without_experts_admins_who_are_in_it_review(
    house: House,
) -> None:
    told = await story(house, experts=())
    house.slack.channels["C1"] |= {"is_private": True}
    house.slack.members["C1"] = ["U1", "U2", "U5"]
    for person in ("U5", "U6"):
        house.slack.users[person]["is_admin"] = True
    await told.ask(CUP)
    told.slack.add_message("C1", "5.0", "Heron won it.", "U2", thread_ts="1.1")
    await told.react("jigsaw", human("5.0"))
    assert "An admin who is in this channel" in str(told.slack.called("chat.postEphemeral"))
    for person, is_shown in (("U5", True), ("U6", False), ("U1", False)):
        assert ("Heron won it." in await told.open_home(person)) is is_shown
    house.slack.members["C1"].remove("U5")
    left = {"type": "member_left_channel", "channel": "C1", "user": "U5"}
    await told.send(event(left, "Ev-left"), jobs=0)
    await told.press_home("approve_review", "1", user="U5")
    assert told.rows(DECIDED) == [("open", None)]
    house.slack.members["C1"].append("U5")
    await told.send(event(left | {"type": "member_joined_channel"}, "Ev-joined"), jobs=0)
    await told.press_home("approve_review", "1", user="U5")
    assert told.rows(DECIDED) == [("approved", "U5")]


async def test_a_click_on_edit_that_came_too_late_says_so(house: House) -> None:
    told = await story(house)
    await corrected(told)
    house.slack.triggers.life_s = 0
    await told.press_home("edit_review", "1")
    assert "in time" in str(told.slack.homes["U9"])
    assert told.rows(DECIDED) == [("open", None)]


async def test_a_curated_answer_from_a_private_channel_stays_in_it(house: House) -> None:
    told = await story(house)
    told.bot.channels.set("C1", ChannelConfig(experts=("U9",)), by="U9")
    house.slack.channels["C1"]["is_private"] = True
    await told.ask(CUP)
    told.slack.add_message("C1", "5.0", "Heron won it.", "U2", thread_ts="1.1")
    await told.react("jigsaw", {"ts": "5.0", "user": "U2"})
    await told.press_home("approve_review", "1")
    here, _ = await told.ask(CUP)
    elsewhere, _ = await told.ask(CUP, channel="C2")
    assert "Heron won it." in str(here["blocks"])
    assert "Heron won it." not in str(elsewhere["blocks"])


async def test_a_curated_answer_can_be_explained_and_corrected_in_its_turn(house: House) -> None:
    told = await story(house)
    await corrected(told, LEAVE)
    await told.press_home("approve_review", "1", jobs=2)
    message, turn_id = await told.ask(LEAVE, user="U4")
    buttons = [b for block in message["blocks"] for b in block.get("elements", ())]
    (why,) = (b for b in buttons if b.get("action_id") == "why_answer")
    await told.press("why_answer", why["value"], user="U4")
    assert "30 days of paid leave" in str(list(told.slack.views.values())[-1])
    await told.rate(turn_id, "bad", user="U4")
    await told.submit({"reason": "incomplete", "answer": "32 days."}, user="U4")
    assert told.rows("SELECT document_id FROM reviews") == [("handbook/Leave.md",)] * 2


@pytest.mark.slow
async def test_a_decision_stands_though_app_home_cannot_be_shown_at_once(house: House) -> None:
    told = await story(house)
    await corrected(told)
    house.slack.fail("views.publish", *[Fault("throttled")] * 7)
    await told.press_home("reject_review", "1")
    assert told.rows(DECIDED) == [("rejected", "U9")]
    assert "Rejected" in str(told.slack.homes["U9"])


async def test_an_expert_can_withdraw_an_approved_answer(each_transport: House) -> None:
    told = await story(each_transport)
    await corrected(told)
    await told.press_home("approve_review", "1", jobs=2)
    assert "Withdraw" in await told.open_home("U9")
    assert "Withdraw" not in await told.open_home("U1")
    await told.press_home("retire_answer", "1", user="U1")
    assert told.rows("SELECT expired IS NULL FROM curated") == [(1,)]
    await told.press_home("retire_answer", "1")
    assert "Withdraw" not in await told.open_home("U9")
    message, _ = await told.ask(CUP)
    assert "Heron" not in str(message["blocks"])
