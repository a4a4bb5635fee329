"""What was asked in a span of time, as a report counts it: without anybody's id."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.store.database import Database
from bot.store.outdated import Outdated, OutdatedDocument


@dataclass(frozen=True, slots=True)
class ReportedTurn:
    """One turn. `person` stands for who asked, within one report; `cited` are document ids.

    `audience` are the labels that somebody needs to be told the question.
    `seconds` went by from the question to its answer. `created` is ISO 8601 in UTC.
    """

    question: str
    audience: frozenset[str]
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


@dataclass(frozen=True, slots=True)
class Period:
    """What was asked here in the `days` before `until`, oldest first, without what was deleted.

    Questions `given_up` ended in an error, so they are no turns. `outdated` is what people call so
    at the moment.
    """

    days: int
    until: datetime
    asked: Sequence[ReportedTurn]
    given_up: int
    outdated: Sequence[OutdatedDocument] = ()


def read_period(database: Database, *, days: int, until: datetime) -> Period:
    """What the log and the inbox say of the last days."""
    since = until - timedelta(days=days)
    return Period(
        days,
        until,
        _read_asked(database, since),
        _count_given_up(database, since),
        Outdated(database).documents(),
    )


def _read_asked(database: Database, since: datetime) -> list[ReportedTurn]:
    rows = database.connection.query(
        "SELECT question, audience, language, asker, turns.kind, citations, timings, generator,"
        " embedder, generation, turns.created, inbox.created AS arrived,"
        " (SELECT count(*) FROM votes WHERE turn_id = turns.id AND value > 0) AS ups,"
        " (SELECT count(*) FROM votes WHERE turn_id = turns.id AND value < 0) AS downs"
        " FROM turns LEFT JOIN inbox USING (event_id)"
        " WHERE turns.created >= ? AND turns.deleted IS NULL"
        " AND turns.id NOT IN (SELECT turn_id FROM imports)"
        " ORDER BY turns.created, turns.rowid",
        (since.isoformat(timespec="seconds"),),
    )
    numbers: dict[str, int] = {}
    return [_asked(row, numbers.setdefault(row["asker"], len(numbers))) for row in rows]


def _count_given_up(database: Database, since: datetime) -> int:
    row = database.connection.execute(
        "SELECT count(*) FROM inbox WHERE kind = 'question' AND state = 'dead' AND created >= ?",
        (since.timestamp(),),
    ).fetchone()
    return int(row[0])


def _asked(row: dict[str, Any], person: int) -> ReportedTurn:
    return ReportedTurn(
        question=row["question"],
        audience=frozenset(json.loads(row["audience"])),
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
