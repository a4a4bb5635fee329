from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.export.log_reader import read_log
from bot.store.channels import ChannelConfig, Channels
from bot.store.database import Database
from bot.store.log import ConversationLog, Rating, Turn
from retrieval.records import Answer, Arm
from tests.fakes import answer_to

NOON = "2026-01-05T12:00:00+00:00"


def said(
    question: str = "How many days of leave?", n: int = 1, answer: Answer | None = None, **v: Any
) -> Turn:
    answer = answer or answer_to(question)
    values: dict[str, Any] = {"channel": "C1", "asker": "U1", "messages": (f"{n}.5",)}
    values["is_private"] = False
    return Turn(
        answer=answer,
        event_id=f"Ev{n}",
        team="T1",
        thread_ts="1.0",
        audience=frozenset({"public"}),
        created=f"2026-01-0{n}T12:00:00+00:00",
        **values | v,
    )


def test_a_turn_is_read_with_what_it_cited(database: Database) -> None:
    one = said()
    ConversationLog(database).add(one)
    (turn,) = read_log(database).turns
    assert turn.id == one.answer.id
    assert [(shown.number, shown.support) for shown in turn.passages] == [(1, 1.0), (0, 0), (0, 0)]
    assert turn.cited[0].content_hash == one.answer.hits[0].passage.content_hash
    assert (turn.is_private, turn.in_private_channel, turn.is_imported) == (False, False, False)


def test_a_turn_of_a_trial_is_read_with_how_likely_its_arm_was(database: Database) -> None:
    log, answer = ConversationLog(database), answer_to("How many days of leave?")
    log.add(said(n=1, answer=answer))
    arms: dict[int, Arm] = {2: "candidate", 3: "served"}
    for n, arm in arms.items():
        tried = replace(answer, id=f"t{n}", trial="r1", share=0.25, arm=arm)
        log.add(said(n=n, answer=tried))
    assert [turn.propensity for turn in read_log(database).turns] == [1.0, 0.25, 0.75]


def test_direct_messages_and_answers_that_only_the_asker_saw_are_private(
    database: Database,
) -> None:
    log = ConversationLog(database)
    log.add(said(n=1, channel="D1"))
    log.add(said(n=2, messages=()))
    assert [turn.is_private for turn in read_log(database).turns] == [True, True]


def test_a_channel_that_is_not_known_to_be_public_is_private(database: Database) -> None:
    log, unknown = ConversationLog(database), said(n=2)
    log.add(said(n=1, is_private=True))
    log.add(unknown)
    database.connection.table("turns").update({"is_private": None}, id=unknown.answer.id)
    turns = read_log(database).turns
    assert [(turn.is_private, turn.in_private_channel) for turn in turns] == [(False, True)] * 2


def test_deleted_answers_and_forgotten_words_are_not_read(database: Database) -> None:
    log, gone, blank = ConversationLog(database), said(n=1), said(n=2)
    log.add(gone)
    log.add(blank)
    database.connection.table("turns").update({"deleted": NOON}, id=gone.answer.id)
    log.redact(blank.answer.id)
    assert read_log(database).turns == ()


def test_a_follow_up_is_read_with_those_who_asked_before(database: Database) -> None:
    log = ConversationLog(database)
    log.add(said(n=1, asker="U1"))
    follow_up = replace(answer_to("And interns?"), query="Leave? And interns?")
    log.add(said(n=2, asker="U2", answer=follow_up))
    _, turn = read_log(database).turns
    assert turn.question == "Leave? And interns?"
    assert turn.earlier_askers == {"U1"}


def test_a_follow_up_to_what_was_deleted_is_not_read(database: Database) -> None:
    log, first = ConversationLog(database), said(n=1)
    follow_up = replace(answer_to("And interns?"), query="Leave? And interns?")
    log.add(first)
    log.add(said(n=2, answer=follow_up))
    log.add(said("What about sick pay?", n=3))
    log.redact(first.answer.id)
    assert [turn.question for turn in read_log(database).turns] == ["What about sick pay?"]


def test_votes_experts_and_consent_are_read(database: Database) -> None:
    log, one = ConversationLog(database), said()
    log.add(one)
    log.rate(Rating(one.answer.id, "U2", 1, "button", "Ev9", NOON))
    log.rate(Rating(one.answer.id, "U2", 1, "button", "Ev10", NOON, is_withdrawn=True))
    Channels(database).set("C1", ChannelConfig(experts=("U3",)), by="U0")
    database.connection.table("people").insert({"person": "U1", "may_learn": 1})
    read = read_log(database)
    assert [event.is_withdrawn for event in read.events] == [False, True]
    assert read.is_expert("U3", "C1")
    assert not read.is_expert("U3", "C2")
    assert read.may_use("U1", one.answer.id)
    assert not read.may_use("U2", one.answer.id)


def reason(turn: Turn, **values: Any) -> dict[str, Any]:
    row = {"turn_id": turn.answer.id, "person": "U2", "reason": "wrong", "answer": "28 days."}
    return row | {"content_hash": "", "at": NOON} | values


def review(turn_id: str | None, **values: Any) -> dict[str, Any]:
    row = {
        "event_id": "Ev8",
        "turn_id": turn_id,
        "question": "How many days?",
        "language": "en",
        "answer": "28 days.",
        "content_hash": "abc",
        "audience": '["public"]',
        "channel": "C1",
        "author": "U2",
        "proposer": "U2",
        "state": "approved",
        "created": NOON,
    }
    return row | values


def test_a_users_correction_is_gold_once_it_is_approved(database: Database) -> None:
    one, db = said(), database.connection
    ConversationLog(database).add(one)
    db.table("reasons").insert(reason(one))
    read = read_log(database)
    assert [(c.answer, c.is_approved) for c in read.corrections] == [("28 days.", False)]
    assert [reason.code for reason in read.reasons] == ["wrong"]
    db.table("reviews").insert(review(one.answer.id))
    last = read_log(database).corrections[-1]
    assert (last.is_approved, last.passages, last.author) == (True, ("abc",), "U2")


def test_an_experts_correction_is_gold_unless_it_was_rejected(database: Database) -> None:
    one, db = said(), database.connection
    ConversationLog(database).add(one)
    Channels(database).set("C1", ChannelConfig(experts=("U2",)), by="U0")
    db.table("reasons").insert(reason(one))
    assert read_log(database).corrections[0].is_approved
    db.table("reviews").insert(review(one.answer.id, state="rejected"))
    assert not read_log(database).corrections[0].is_approved


def test_an_accepted_reply_is_gold_before_its_review_only_if_an_expert_wrote_it(
    database: Database,
) -> None:
    one = said()
    ConversationLog(database).add(one)
    row = review(one.answer.id, source="accepted", state="open")
    database.connection.table("reviews").insert(row)
    assert [c.is_approved for c in read_log(database).corrections] == [False]
    Channels(database).set("C1", ChannelConfig(experts=("U2",)), by="U0")
    (reply,) = read_log(database).corrections
    assert (reply.is_approved, reply.author, reply.passages) == (True, "U2", ())
    database.connection.table("reviews").update({"state": "rejected"}, event_id="Ev8")
    assert read_log(database).corrections == ()


def test_a_passage_that_is_named_without_an_answer_is_read(database: Database) -> None:
    one, db = said(), database.connection
    ConversationLog(database).add(one)
    db.table("reasons").insert(reason(one) | {"reason": "", "answer": "", "content_hash": "abc"})
    (named,) = read_log(database).reasons
    assert (named.code, named.passage) == ("", "abc")
    db.table("reasons").update({"reason": "wrong", "answer": "28."}, turn_id=one.answer.id)
    (corrected,) = read_log(database).reasons
    assert (corrected.code, corrected.passage) == ("wrong", None)


def test_an_approved_answer_to_a_question_of_nobody_to_the_bot_is_a_turn(
    database: Database,
) -> None:
    database.connection.table("reviews").insert(review(None))
    read = read_log(database)
    assert [turn.question for turn in read.turns] == ["How many days?"]
    assert read.corrections[0].turn_id == read.turns[0].id


def test_an_approved_answer_to_a_question_that_was_deleted_since_is_none(
    database: Database,
) -> None:
    table = database.connection.table("reviews")
    table.insert(review("gone"))
    table.insert(review(None, event_id="Ev7", channel=None))
    assert read_log(database).turns == ()


def test_a_correction_is_read_with_who_may_read_it(database: Database) -> None:
    one, db = said(), database.connection
    ConversationLog(database).add(one)
    db.table("reasons").insert(reason(one))
    db.table("reviews").insert(review(one.answer.id, audience='["in:C1", "public"]'))
    found = {correction.audience for correction in read_log(database).corrections}
    assert found == {frozenset({"in:C1", "public"})}


def test_reading_keeps_nobody_from_writing(database: Database) -> None:
    other = Database(database.path, address=database.address)
    with database.snapshot():
        assert ConversationLog(database).count() == 0
        ConversationLog(other).add(said())
        assert ConversationLog(database).count() == 0
    other.close()
    assert len(read_log(database).turns) == 1
