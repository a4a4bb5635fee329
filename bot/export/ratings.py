"""Ratings collected elsewhere, written into the log so that they count like any others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bot.export.rating_folder import RatedTurn, read_ratings
from bot.store.database import Database
from bot.store.log import ConversationLog, Vote

_TOGETHER = 500
"""Turns written in one transaction: each waits for the disk."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What was new in a folder; `known` turns were in the log already."""

    turns: int
    known: int
    votes: int
    passages: int


def import_ratings(
    folder: Path,
    database: Database,
    *,
    is_consented: bool,
    now: datetime,
    on_progress: Callable[[str, int, int], None] = lambda *_: None,
) -> ImportReport:
    """Write what a folder holds into the log; what is there already is left as it is.

    Args:
        folder: In the documented format.
        database: The log's.
        is_consented: Whether all raters have agreed that their ratings are learned from.
        now: The time of turns that do not tell their own.
        on_progress: Told how many turns are done.

    Raises:
        DataError: If a line is not in the documented format; the message names file and line.
    """
    rated = read_ratings(folder, now=now)
    log = ConversationLog(database)
    turns = votes = 0
    passages: set[str] = set()
    for start in range(0, len(rated), _TOGETHER):
        with database.transaction():
            for one in rated[start : start + _TOGETHER]:
                turns += _write(one, log, database, is_consented=is_consented)
                votes += sum(log.vote(vote) for vote in _votes(one))
                passages.update(hit.passage.content_hash for hit in one.turn.answer.hits)
        on_progress("importing", min(len(rated), start + _TOGETHER), len(rated))
    return ImportReport(turns, len(rated) - turns, votes, len(passages))


def _write(one: RatedTurn, log: ConversationLog, database: Database, *, is_consented: bool) -> bool:
    """Whether the turn is new."""
    db = database.connection
    known = db.conn.execute("SELECT 1 FROM turns WHERE id = ?", (one.turn.answer.id,)).fetchone()
    if known:
        return False
    log.add(one.turn)
    id_ = one.turn.answer.id
    db.table("imports").insert(
        {
            "turn_id": id_,
            "split": one.split,
            "is_consented": int(is_consented),
            "correction": one.correction,
            "is_gold": int(one.is_gold),
        }
    )
    db.table("imported_passages").insert_all(
        (
            {
                "content_hash": hit.passage.content_hash,
                "document_id": hit.passage.source.id,
                "title": hit.passage.source.title,
                "text": hit.passage.text,
            }
            for hit in one.turn.answer.hits
        ),
        ignore=True,
    )
    db.table("imported_ratings").insert_all(
        {
            "turn_id": id_,
            "person": rating.rater,
            "is_expert": int(rating.is_expert),
            "reason": rating.reason,
            "text": rating.text,
        }
        for rating in one.ratings
    )
    return True


def _votes(one: RatedTurn) -> Iterator[Vote]:
    for rating in one.ratings:
        yield Vote(
            turn_id=one.turn.answer.id,
            voter=rating.rater,
            value=rating.value,
            source="imported",
            event_id=one.turn.event_id,
            at=one.turn.created,
        )
