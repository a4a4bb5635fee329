from __future__ import annotations

import pytest

from tests.bot.conftest import House
from tests.bot.story import CUP, LEAVE, Story, human, ours, story

QUEUE = "SELECT source, question, answer, author, proposer, turn_id, document_id FROM reviews"


async def proposed(told: Story, *, user: str = "U1", name: str = "jigsaw") -> None:
    """Somebody's reply to the bot's thread is marked as the answer."""
    told.slack.add_message("C1", "5.0", "Heron won it, <@U4> saw it.", "U2", thread_ts="1.1")
    await told.react(name, human("5.0"), user=user)


async def test_what_somebody_writes_into_the_modal_is_kept_and_queued(
    each_transport: House,
) -> None:
    told = await story(each_transport)
    _, turn_id = await told.ask(LEAVE)
    await told.rate(turn_id, "bad", user="U3")
    filled = {"reason": "wrong", "answer": "31 days.", "document": "1", "document_name": "p. 3"}
    await told.submit(filled, user="U3")
    kept = "SELECT person, reason, answer, document_id, document_name FROM reasons"
    (printer,) = told.rows("SELECT document_id FROM hits WHERE position = 2")
    assert told.rows(kept) == [("U3", "wrong", "31 days.", *printer, "p. 3")]
    queued = ("correction", LEAVE, "31 days.", "U3", "U3", turn_id, *printer)
    assert told.rows(QUEUE) == [queued]


async def test_a_modal_sent_empty_is_a_rating_without_a_reason(house: House) -> None:
    told = await story(house)
    _, turn_id = await told.ask(LEAVE)
    await told.rate(turn_id, "bad")
    await told.submit({})
    assert told.rows("SELECT reason, answer FROM reasons") == [("", "")]
    assert told.rows(QUEUE) == []
    assert told.bot.log.score(turn_id) == -1


async def test_the_last_word_counts_and_an_emptied_correction_is_withdrawn(house: House) -> None:
    told = await story(house)
    _, turn_id = await told.ask(LEAVE)
    await told.rate(turn_id, "bad")
    await told.submit({"reason": "incomplete", "answer": "31 days."})
    await told.press("tell_reason", turn_id)
    await told.submit({"reason": "tone", "answer": ""})
    assert told.rows("SELECT reason, answer FROM reasons") == [("tone", "")]
    assert told.rows("SELECT state FROM reviews") == [("withdrawn",)]


async def test_a_turn_that_is_gone_has_nothing_to_propose_for(house: House) -> None:
    told = await story(house)
    _, turn_id = await told.ask(LEAVE)
    await told.rate(turn_id, "bad")
    await told.press_home("forget_me", "me", user="U1")
    await told.submit({"reason": "wrong", "answer": "31 days."})
    assert told.rows(QUEUE) == told.rows("SELECT * FROM reasons") == []


@pytest.mark.parametrize(("reason", "cites"), [("incomplete", True), ("wrong_source", False)])
async def test_a_correction_rests_on_the_cited_document_unless_that_was_wrong(
    house: House, reason: str, cites: bool
) -> None:
    told = await story(house)
    _, turn_id = await told.ask(LEAVE)
    await told.rate(turn_id, "bad")
    await told.submit({"reason": reason, "answer": "31 days."})
    ((*_, document_id),) = told.rows(QUEUE)
    assert document_id == ("handbook/Leave.md" if cites else None)


async def test_a_marked_message_is_proposed_for_its_threads_question(
    each_transport: House,
) -> None:
    told = await story(each_transport)
    _, turn_id = await told.ask(CUP)
    await proposed(told)
    queued = ("proposal", CUP, "Heron won it, @U4 saw it.", "U2", "U1", turn_id, None)
    assert told.rows(QUEUE) == [queued]
    (note,) = told.slack.called("chat.postEphemeral")
    assert note["user"] == "U1"


async def test_marking_it_twice_proposes_it_once(house: House) -> None:
    told = await story(house)
    await told.ask(CUP)
    await proposed(told)
    await told.react("jigsaw", human("5.0"), user="U3")
    assert len(told.rows(QUEUE)) == 1


async def test_without_a_turn_of_ours_the_message_answers_what_began_the_thread(
    house: House,
) -> None:
    told = await story(house)
    told.slack.add_message("C1", "4.0", "Who repairs the printer?", "U3")
    told.slack.add_message("C1", "5.0", "Ada does.", "U2", thread_ts="4.0")
    await told.react("jigsaw", human("5.0"))
    queued = ("proposal", "Who repairs the printer?", "Ada does.", "U2", "U1", None, None)
    assert told.rows(QUEUE) == [queued]


async def test_our_own_answers_other_bots_and_lone_messages_are_not_proposed(
    house: House,
) -> None:
    told = await story(house)
    message, _ = await told.ask(LEAVE)
    told.slack.add_message("C1", "6.0", "Lunch!", "U2")
    told.slack.add_message("C1", "7.0", "Build 7 is green", "U8", thread_ts="1.1", bot_id="B8")
    await told.send_unheard("jigsaw", ours(message))
    await told.react("jigsaw", human("6.0"))
    await told.react("jigsaw", human("7.0", "U8"))
    assert told.rows(QUEUE) == []


async def test_the_emoji_can_be_chosen(house: House) -> None:
    told = await story(house, proposal_emoji=":ok_hand:")
    await told.ask(CUP)
    await proposed(told, name="ok_hand")
    assert len(told.rows(QUEUE)) == 1


async def test_what_was_said_in_a_private_channel_is_labelled_with_it(house: House) -> None:
    told = await story(house)
    house.slack.channels["C1"]["is_private"] = True
    await told.ask(CUP)
    await proposed(told)
    assert told.rows("SELECT audience FROM reviews") == [('["in:C1", "public"]',)]


async def test_the_asker_can_accept_what_somebody_replied_to_an_abstention(
    each_transport: House,
) -> None:
    told = await story(each_transport)
    _, turn_id = await told.ask(CUP)
    await told.reply("Heron won it.", user="U2", jobs=2)  # and U1 is asked whether that is it
    (note,) = told.slack.called("chat.postEphemeral")
    button = note["blocks"][1]["elements"][0]
    assert (note["user"], button["action_id"]) == ("U1", "accept_reply")
    await told.press("accept_reply", turn_id, user="U2")
    assert told.rows(QUEUE) == []
    await told.press("accept_reply", turn_id)
    assert told.rows(QUEUE) == [("accepted", CUP, "Heron won it.", "U2", "U1", turn_id, None)]


async def test_nobody_is_asked_about_replies_to_what_was_answered(house: House) -> None:
    told = await story(house)
    await told.ask(LEAVE)
    await told.reply("Thirty, I think.", user="U2")
    assert told.slack.called("chat.postEphemeral") == []


async def test_a_channel_that_does_not_say_what_it_is_is_taken_for_private(house: House) -> None:
    told = await story(house)
    await told.ask(CUP)
    house.slack.scopes = {"chat:write", "channels:history", "users:read"}
    await proposed(told)
    assert told.rows("SELECT audience FROM reviews") == [('["in:C1", "public"]',)]
