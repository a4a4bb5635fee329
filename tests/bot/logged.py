"""A question and its answer, put into the log without a bot."""

from __future__ import annotations

from typing import Any

from bot.store.database import Database
from bot.store.log import ConversationLog, Turn
from bot.store.reviews import Proposal
from bot.store.turns import LoggedTurn
from retrieval.records import PUBLIC
from tests.fakes import answer_to


def logged(
    database: Database,
    question: str = "How many days of paid leave are there?",
    *,
    asker: str = "U1",
    channel: str = "C1",
    audience: frozenset[str] = frozenset({PUBLIC}),
    created: str = "2026-01-01T11:00:00+00:00",
) -> str:
    """The id of a turn in which the question was answered, or abstained from."""
    answer = answer_to(question, audience=audience)
    turn = Turn(
        answer=answer,
        event_id=f"event of {answer.id}",
        team="T1",
        channel=channel,
        thread_ts="1.0",
        asker=asker,
        audience=audience,
        messages=(f"2.{answer.id}",),
        created=created,
    )
    ConversationLog(database).add(turn)
    return answer.id


def proposed(turn: LoggedTurn, answer: str, **changes: Any) -> Proposal:
    """A correction of a logged turn by U2, which U1 proposed."""
    values: dict[str, Any] = {
        "key": f"correction:{turn.id}",
        "source": "correction",
        "question": turn.query,
        "answer": answer,
        "audience": turn.audience,
        "channel": turn.channel,
        "author": "U2",
        "proposer": "U1",
        "turn_id": turn.id,
    }
    return Proposal(**values | changes)
