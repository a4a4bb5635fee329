from __future__ import annotations

from typing import Any

from bot.store.database import Database
from bot.store.reviews import ReviewAccess, Reviews
from bot.store.turns import DocumentRef, Turns
from retrieval.records import PUBLIC
from tests.bot.logged import logged, proposed


def reader(*labels: str, everywhere: bool = True, **channels: frozenset[str]) -> ReviewAccess:
    """Somebody whose documents are all of the audience that the proposals tell."""
    return ReviewAccess(frozenset(labels), everywhere, channels, label_of=lambda _: None)


EVERYWHERE = reader(PUBLIC)


def propose(database: Database, turn_id: str, answer: str = "31 days.", **changes: Any) -> bool:
    turn = Turns(database).get(turn_id)
    assert turn is not None
    return Reviews(database).add(proposed(turn, answer, **changes))


def queue(reviews: Reviews, reader: ReviewAccess = EVERYWHERE) -> list[str]:
    return [review.proposal.answer for review in reviews.queue(reader, limit=10)[0]]


def test_a_proposal_waits_with_the_question_it_answers(database: Database) -> None:
    reviews, turn_id = Reviews(database), logged(database)
    assert propose(database, turn_id)
    ((review,), count) = reviews.queue(EVERYWHERE, limit=10)
    assert review.proposal.question == "How many days of paid leave are there?"
    assert (review.proposal.turn_id, review.state, count) == (turn_id, "open", 1)


def test_proposing_again_changes_what_waits_but_not_what_is_decided(database: Database) -> None:
    reviews, turn_id = Reviews(database), logged(database)
    propose(database, turn_id)
    assert not propose(database, turn_id)
    assert propose(database, turn_id, "32 days.")
    assert queue(reviews) == ["32 days."]
    ((review,), _) = reviews.queue(EVERYWHERE, limit=10)
    reviews.decide(review, "rejected", reviewer="U9", event_id="Ev1")
    assert not propose(database, turn_id, "33 days.")
    assert queue(reviews) == []


def test_of_two_reviewers_one_decides(database: Database) -> None:
    reviews = Reviews(database)
    propose(database, logged(database))
    ((review,), _) = reviews.queue(EVERYWHERE, limit=10)
    assert reviews.decide(review, "approved", reviewer="U8", event_id="Ev1")
    assert not reviews.decide(review, "rejected", reviewer="U9", event_id="Ev2")
    assert reviews.decide(review, "approved", reviewer="U8", event_id="Ev1")  # done again
    decided = reviews.get(review.id)
    assert decided is not None
    assert (decided.state, decided.reviewer) == ("approved", "U8")


def test_nobody_reviews_what_they_may_not_read(database: Database) -> None:
    reviews = Reviews(database)
    secret = frozenset({PUBLIC, "hr"})
    propose(database, logged(database, "What is the salary band?", audience=secret))
    assert queue(reviews) == []
    assert queue(reviews, reader(PUBLIC, "hr")) != []
    assert queue(reviews, reader(everywhere=False, C1=secret)) != []
    assert queue(reviews, reader(PUBLIC, everywhere=False, C1=frozenset({PUBLIC}))) == []
    assert queue(reviews, reader(PUBLIC, "hr", everywhere=False, C2=secret)) == []


def test_nobody_reviews_what_cites_a_document_that_is_restricted_by_now(database: Database) -> None:
    reviews, turn_id = Reviews(database), logged(database)
    propose(database, turn_id, document=DocumentRef("handbook/Leave.md", "h"))
    assert queue(reviews) != []
    now = ReviewAccess(frozenset({PUBLIC}), True, {}, label_of={"handbook/Leave.md": "hr"}.get)
    assert queue(reviews, now) == []


def test_what_was_said_in_private_is_for_the_experts_of_that_place(database: Database) -> None:
    reviews = Reviews(database)
    propose(database, logged(database), audience=frozenset({PUBLIC, "in:C1"}))
    assert queue(reviews) == []
    assert queue(reviews, reader(everywhere=False, C1=frozenset({PUBLIC, "in:C1"}))) != []


def test_only_who_proposed_can_withdraw(database: Database) -> None:
    reviews, turn_id = Reviews(database), logged(database)
    propose(database, turn_id, key="k")
    assert not reviews.withdraw("k", "U5")
    assert reviews.withdraw("k", "U1")
    assert queue(reviews) == []
    assert propose(database, turn_id, key="k")
