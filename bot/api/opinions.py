"""What people make of answers that they were given over the API: ratings, reasons, corrections."""

from __future__ import annotations

import time
from http import HTTPStatus

from bot.api.calls import Call
from bot.api.messages import FeedbackGiven, FeedbackTold
from bot.api.problems import ProblemError
from bot.metrics import count_vote
from bot.review.corrections import Corrections
from bot.store.database import Database
from bot.store.log import ConversationLog, Rating, Value, utc
from bot.store.preferences import PeoplesPreferences, Preferences
from bot.store.reasons import Reason, Reasons
from bot.store.turns import DocumentRef, LoggedTurn, Turns

_VALUES: dict[str, Value] = {"good": 1, "bad": -1}


class Opinions:
    """Keeps them where Slack's are kept. What it raises is a `ProblemError`, or a bug."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._log = ConversationLog(database)
        self._turns = Turns(database)
        self._corrections = Corrections(database)
        self._reasons = Reasons(database)
        self._preferences = PeoplesPreferences(database)

    def keep(self, call: Call, given: FeedbackGiven) -> None:
        """Keep what somebody makes of an answer that the same key was given."""
        turn = self._turn(call, given.answer_id)
        with self._database.transaction():
            self.consent(call)
            self._rate(call, turn, given)
            if given.reason or given.correction.strip() or given.document:
                self._corrections.give(turn, self._reason(call, turn, given))

    def of(self, call: Call, turn_id: str) -> FeedbackTold:
        """What is known of somebody's opinion of an answer."""
        turn = self._turn(call, turn_id)
        value = self._log.rating_of(turn.id, call.user)
        reason = self._reasons.of(turn.id, call.user)
        return FeedbackTold(
            answer_id=turn.id,
            rating=None if value is None else ("good" if value > 0 else "bad"),
            reason=reason.reason if reason else "",
            correction=reason.answer if reason else "",
        )

    def consent(self, call: Call) -> None:
        """Write down that somebody may be learned from, where who made the key has said so."""
        if call.key.may_learn:
            self._preferences.set(call.user, Preferences(may_learn=True))

    def _turn(self, call: Call, turn_id: str) -> LoggedTurn:
        """A turn of this key; of another's nobody can tell whether there is one."""
        turn = self._turns.get(turn_id)
        if turn is None or turn.channel != call.key.place:
            raise ProblemError(HTTPStatus.NOT_FOUND, "this key was given no answer of this id")
        return turn

    def _rate(self, call: Call, turn: LoggedTurn, given: FeedbackGiven) -> None:
        current = self._log.rating_of(turn.id, call.user)
        value = _VALUES.get(given.rating, current)
        if value is None:
            return
        rating = Rating(
            turn_id=turn.id,
            rater=call.user,
            value=value,
            source="api",
            event_id=call.event_id,
            at=utc(time.time()),
            is_withdrawn=given.rating == "withdrawn",
        )
        if self._log.rate(rating):
            count_vote(rating.value, is_withdrawn=rating.is_withdrawn)

    def _reason(self, call: Call, turn: LoggedTurn, given: FeedbackGiven) -> Reason:
        documents = self._turns.documents(turn.id)
        named = (document for document in documents if document.document_id == given.document)
        document: DocumentRef | None = next(named, None)
        return Reason(
            turn_id=turn.id,
            person=call.user,
            reason=given.reason,
            answer=given.correction.strip(),
            document=document,
            document_name="" if document else given.document,
            event_id=call.event_id,
        )
