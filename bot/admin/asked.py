"""What was asked in a span of time, as a report counts it: without anybody's id."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.store.database import Database


@dataclass(frozen=True, slots=True)
class Asked:
    """One turn. `person` stands for who asked, within one report; `cited` are document ids.

    `seconds` went by from the question to its answer. `created` is ISO 8601 in UTC.
    """

    question: str
    language: str
    person: int
    is_answered: bool
    cited: tuple[str, ...]
    ups: int
    downs: int
    seconds: float
    generator: str
    embedder: str
    generation: str
    created: str


def read_asked(database: Database, *, since: str) -> list[Asked]:
    """The turns since a moment in ISO 8601, oldest first; deleted ones are left out."""
    rows = database.connection.query(
        "SELECT question, language, asker, turns.kind, citations, timings, generator, embedder,"
        " generation, turns.created, inbox.created AS arrived,"
        " (SELECT count(*) FROM votes WHERE turn_id = turns.id AND value > 0) AS ups,"
        " (SELECT count(*) FROM votes WHERE turn_id = turns.id AND value < 0) AS downs"
        " FROM turns LEFT JOIN inbox USING (event_id)"
        " WHERE turns.created >= ? AND turns.deleted IS NULL ORDER BY turns.created, turns.rowid",
        (since,),
    )
    numbers: dict[str, int] = {}
    return [_asked(row, numbers.setdefault(row["asker"], len(numbers))) for row in rows]


def _asked(row: dict[str, Any], person: int) -> Asked:
    return Asked(
        question=row["question"],
        language=row["language"],
        person=person,
        is_answered=row["kind"] == "answer",
        cited=tuple(dict.fromkeys(c["document_id"] for c in json.loads(row["citations"]))),
        ups=row["ups"],
        downs=row["downs"],
        seconds=_seconds(row),
        generator=row["generator"],
        embedder=row["embedder"],
        generation=row["generation"],
        created=row["created"],
    )


def _seconds(row: dict[str, Any]) -> float:
    # The log tells the answer's time in whole seconds, cut off.
    answering = float(json.loads(row["timings"]).get("total", 0.0))
    if row["arrived"] is None:
        return answering
    waited = datetime.fromisoformat(row["created"]).timestamp() - float(row["arrived"])
    return max(answering, waited)
