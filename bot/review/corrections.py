"""What somebody says was wrong with an answer: kept, and what is right taken to the queue."""

from __future__ import annotations

import hashlib

from bot.store.database import Database
from bot.store.reasons import Reason, Reasons
from bot.store.reviews import Proposal, Reviews
from bot.store.turns import LoggedTurn
from retrieval.language import words

KEEPS_SOURCE = ("incomplete", "outdated", "not_understood", "tone")
"""Reasons for which the document that the answer cites is still the right one."""


class Corrections:
    """Writes reasons, and the right answers in them as proposals. Joins an open transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reasons = Reasons(database)
        self._reviews = Reviews(database)

    def give(self, turn: LoggedTurn, reason: Reason) -> None:
        """Keep a person's reason; the right answer in it waits for an expert, none takes it back.

        What an expert has decided stays.
        """
        with self._database.transaction():
            self._reasons.give(reason)
            self._propose(turn, reason)

    def _propose(self, turn: LoggedTurn, reason: Reason) -> None:
        key = f"correction:{digest(turn.id, reason.person)}"
        if not words(reason.answer):
            self._reviews.withdraw(key, reason.person)
            return
        cited = turn.cited if reason.reason in KEEPS_SOURCE else None
        self._reviews.add(
            Proposal(
                key=key,
                source="correction",
                question=turn.query,
                answer=reason.answer,
                audience=turn.audience,
                channel=turn.channel,
                author=reason.person,
                proposer=reason.person,
                turn_id=turn.id,
                document=reason.document or (None if reason.document_name else cited),
                document_name=reason.document_name,
            )
        )


def digest(*parts: str) -> str:
    """A name made of parts, as proposals are called."""
    return hashlib.sha256(":".join(parts).encode()).hexdigest()[:24]
