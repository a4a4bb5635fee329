"""The review queue: answers that people propose, until an expert approves or rejects them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from bot.store.database import Database
from bot.store.log import utc
from bot.store.turns import DocumentRef
from retrieval.language import language_of

_COLUMNS = "SELECT * FROM reviews "

ProposalSource = Literal["correction", "proposal", "accepted"]
"""A right answer given with a bad rating; a message somebody marked; a reply an asker accepted."""

ReviewDecision = Literal["approved", "rejected"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """An answer that `author` wrote and `proposer` holds to be right.

    `key` names it for ever: proposing it again changes it as long as nobody has decided.
    `audience` are the labels that somebody needs to read it.
    """

    key: str
    source: ProposalSource
    question: str
    answer: str
    audience: frozenset[str]
    channel: str
    author: str
    proposer: str
    turn_id: str | None = None
    document: DocumentRef | None = None
    document_name: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """A proposal in the queue. `state` is open, approved, rejected or withdrawn."""

    id: int
    proposal: Proposal
    language: str
    state: str
    reviewer: str | None
    created: str


@dataclass(frozen=True, slots=True)
class ReviewAccess:
    """What somebody may review: nothing that they may not read.

    They read by their `labels`, and what was said in one of the `channels` whose expert they are by
    the labels of that channel too. Who reviews `everywhere` needs to be no channel's expert.
    `label_of` says which label a document has now, None where there is no such document any more.
    """

    labels: frozenset[str]
    everywhere: bool
    channels: Mapping[str, frozenset[str]]
    label_of: Callable[[str], str | None]

    def may_review(self, proposal: Proposal) -> bool:
        """Whether a proposal is theirs to decide."""
        is_theirs = self.everywhere or proposal.channel in self.channels
        return is_theirs and self.readable(proposal) >= self._needed(proposal)

    def readable(self, proposal: Proposal) -> frozenset[str]:
        """The labels of what they may read to decide on a proposal."""
        return self.labels | self.channels.get(proposal.channel, frozenset())

    def _needed(self, proposal: Proposal) -> frozenset[str]:
        label = self.label_of(proposal.document.document_id) if proposal.document else None
        return proposal.audience | ({label} if label else set())


class Reviews:
    """The queue. Writes join the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, proposal: Proposal) -> bool:
        """Put a proposal into the queue, or change it there; False if that changes nothing."""
        question, answer, name = self._database.redactor.texts(
            proposal.question, proposal.answer, proposal.document_name
        )
        proposal = replace(proposal, question=question, answer=answer, document_name=name)
        with self._database.transaction() as db:
            db.lock("review", proposal.key)
            known = db.execute(
                "SELECT state, answer FROM reviews WHERE event_id = ?", (proposal.key,)
            ).fetchone()
            state, before = known or (None, None)
            if state in ("approved", "rejected") or (state == "open" and before == proposal.answer):
                return False
            db.execute("DELETE FROM reviews WHERE event_id = ?", (proposal.key,))
            db.table("reviews").insert(_row(proposal) | {"created": utc(time.time())})
            return True

    def withdraw(self, key: str, proposer: str) -> bool:
        """Take a proposal back that nobody has decided; only who made it can."""
        with self._database.transaction() as db:
            return bool(
                db.execute(
                    "UPDATE reviews SET state = 'withdrawn'"
                    " WHERE event_id = ? AND proposer = ? AND state = 'open'",
                    (key, proposer),
                ).rowcount
            )

    def get(self, review_id: int) -> Review | None:
        """One review, whatever its state."""
        return next(self._read("WHERE id = ?", (review_id,)), None)

    def queue(self, reader: ReviewAccess, *, limit: int) -> tuple[list[Review], int]:
        """The oldest open reviews that somebody may see, and how many there are in all."""
        found = self._read("WHERE state = 'open' ORDER BY id", ())
        allowed = [review for review in found if reader.may_review(review.proposal)]
        return allowed[:limit], len(allowed)

    def private_channels(self) -> list[str]:
        """The channels of reviews that are for who is there alone."""
        rows = self._database.connection.execute(
            "SELECT DISTINCT channel, audience FROM reviews WHERE channel NOT LIKE 'D%'"
        )
        return sorted({channel for channel, told in rows if f"in:{channel}" in json.loads(told)})

    def served(self, reader: ReviewAccess, *, limit: int) -> list[Review]:
        """The latest reviews whose answer is given to people and which somebody may see."""
        found = self._read(
            "WHERE id IN (SELECT review_id FROM curated WHERE expired IS NULL) ORDER BY id DESC",
            (),
        )
        return [review for review in found if reader.may_review(review.proposal)][:limit]

    def decide(
        self, review: Review, decision: ReviewDecision, *, reviewer: str, event_id: str
    ) -> bool:
        """Decide an open review, as edited; False if somebody else was faster.

        The same event may be handled again and finds its own decision.
        """
        final = {"state": decision, "reviewer": reviewer, "decided_by_event": event_id}
        with self._database.transaction() as db:
            db.lock("review", review.proposal.key)
            state, event = db.execute(
                "SELECT state, decided_by_event FROM reviews WHERE id = ?", (review.id,)
            ).fetchone() or (None, None)
            if state == "open":
                row = _row(review.proposal) | final | {"decided": utc(time.time())}
                db.table("reviews").update(row, id=review.id)
            return bool(state == "open" or (state is not None and event == event_id))

    def _read(self, where: str, values: Sequence[object]) -> Iterator[Review]:
        rows = self._database.connection.query(_COLUMNS + where, values)
        return (_review(row) for row in rows)


def _row(proposal: Proposal) -> dict[str, object]:
    document = proposal.document
    return {
        "event_id": proposal.key,
        "turn_id": proposal.turn_id,
        "source": proposal.source,
        "question": proposal.question,
        "language": language_of(proposal.question),
        "answer": proposal.answer,
        "document_id": document.document_id if document else None,
        "content_hash": document.content_hash if document else None,
        "document_name": proposal.document_name,
        "audience": json.dumps(sorted(proposal.audience)),
        "channel": proposal.channel,
        "author": proposal.author,
        "proposer": proposal.proposer,
        "state": "open",
    }


def _review(row: dict[str, Any]) -> Review:
    document = DocumentRef(row["document_id"], row["content_hash"]) if row["document_id"] else None
    proposal = Proposal(
        key=row["event_id"],
        source=row["source"],
        question=row["question"],
        answer=row["answer"],
        audience=frozenset(json.loads(row["audience"])),
        channel=row["channel"],
        author=row["author"],
        proposer=row["proposer"],
        turn_id=row["turn_id"],
        document=document,
        document_name=row["document_name"],
    )
    return Review(
        row["id"], proposal, row["language"], row["state"], row["reviewer"], row["created"]
    )
