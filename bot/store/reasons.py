"""Why somebody finds an answer bad: one current reason for each person and turn."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal, get_args

from bot.store.database import Database
from bot.store.log import utc
from bot.store.turns import DocumentRef

ReasonKind = Literal[
    "wrong", "incomplete", "outdated", "wrong_source", "not_understood", "tone", ""
]
REASONS: tuple[ReasonKind, ...] = get_args(ReasonKind)[:-1]
"""What can be chosen; nothing need be."""


@dataclass(frozen=True, slots=True)
class Reason:
    """What a person says is wrong with an answer, as much of it as they filled in.

    `answer` is what would have been right; `document` the one that holds it, chosen from those
    that were found, and `document_name` one in the person's own words.
    """

    turn_id: str
    person: str
    reason: ReasonKind
    answer: str
    document: DocumentRef | None
    document_name: str
    event_id: str


class Reasons:
    """Keeps what people say is wrong."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def give(self, reason: Reason) -> None:
        """Make this the person's current reason for the turn. Joins an open transaction."""
        document = reason.document
        answer, name = self._database.redactor.texts(reason.answer, reason.document_name)
        row = {
            "turn_id": reason.turn_id,
            "person": reason.person,
            "reason": reason.reason,
            "answer": answer,
            "document_id": document.document_id if document else None,
            "content_hash": document.content_hash if document else None,
            "document_name": name,
            "event_id": reason.event_id,
            "at": utc(time.time()),
        }
        # Said anew, it is about what the document is by now.
        row |= dict.fromkeys(
            ("outdated_document", "outdated_sha256", "outdated_weight", "dismissed")
        )
        with self._database.transaction() as db:
            db.table("reasons").upsert(row, pk=("turn_id", "person"))

    def of(self, turn_id: str, person: str) -> Reason | None:
        """The person's current reason for a turn, if they gave one."""
        row = self._database.connection.execute(
            "SELECT reason, answer, document_id, content_hash, document_name, event_id"
            " FROM reasons WHERE turn_id = ? AND person = ?",
            (turn_id, person),
        ).fetchone()
        if row is None:
            return None
        reason, answer, document_id, content_hash, name, event_id = row
        document = DocumentRef(document_id, content_hash) if document_id else None
        return Reason(turn_id, person, reason, answer, document, name, event_id)
