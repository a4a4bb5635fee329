"""Ratings collected elsewhere, written into the log so that they count like any others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bot.export.rating_folder import RatedTurn, read_ratings
from bot.store.database import Database
from bot.store.log import ConversationLog, Rating

_TOGETHER = 500
"""Turns written in one transaction: each waits for the disk."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What was new in a folder; `known` turns were in the log already."""

    turns: int
    known: int
    ratings: int
    passages: int


def import_ratings(
    folder: Path,
    database: Database,
    *,
    is_consented: bool,
    trusts_tests: bool = False,
    on_progress: Callable[[str, int, int], None] = lambda *_: None,
) -> ImportReport:
    """Write what a folder holds into the log; what is there already is not written again.

    Consent can be given later, by importing the same folder again.

    Args:
        folder: In the documented format.
        database: The log's.
        is_consented: Whether all raters have agreed that their ratings are learned from.
        trusts_tests: Whether what raters agree on in rows held out counts as an expert's word.
        on_progress: Told how many turns are done.

    Raises:
        DataError: If a line is not in the documented format; the message names file and line.
    """
    rated = read_ratings(folder)
    if trusts_tests:
        rated = [_trusted(rated_turn) for rated_turn in rated]
    log = ConversationLog(database)
    turns = ratings = 0
    passages: set[str] = set()
    for start in range(0, len(rated), _TOGETHER):
        with database.transaction():
            for rated_turn in rated[start : start + _TOGETHER]:
                turns += _write(rated_turn, log, database, is_consented=is_consented)
                ratings += sum(log.rate(rating) for rating in _ratings(rated_turn))
                passages.update(hit.passage.content_hash for hit in rated_turn.turn.answer.hits)
        on_progress("importing", min(len(rated), start + _TOGETHER), len(rated))
    return ImportReport(turns, len(rated) - turns, ratings, len(passages))


def _trusted(rated_turn: RatedTurn) -> RatedTurn:
    """With ratings of experts, if it is held out and all of several raters agree on it."""
    is_agreed = (
        len(rated_turn.ratings) > 1 and len({rating.value for rating in rated_turn.ratings}) == 1
    )
    if rated_turn.split != "test" or not is_agreed:
        return rated_turn
    return replace(
        rated_turn, ratings=tuple(replace(rating, is_expert=True) for rating in rated_turn.ratings)
    )


def _write(
    rated_turn: RatedTurn, log: ConversationLog, database: Database, *, is_consented: bool
) -> bool:
    """Whether the turn is new. Its ratings may be on several lines."""
    db, id_ = database.connection, rated_turn.turn.answer.id
    is_new = not db.execute("SELECT 1 FROM turns WHERE id = ?", (id_,)).fetchone()
    if is_new:
        log.add(rated_turn.turn)
        import_ = {"turn_id": id_, "split": rated_turn.split, "is_consented": int(is_consented)}
        correction = {"correction": rated_turn.correction, "is_gold": int(rated_turn.is_approved)}
        db.table("imports").insert(import_ | correction)
        db.table("imported_passages").insert_all(_passage_rows(rated_turn), ignore=True)
    elif is_consented:
        db.table("imports").update({"is_consented": 1}, turn_id=id_)
    db.table("imported_ratings").upsert_all(_rating_rows(rated_turn), ("turn_id", "person"))
    return is_new


def _passage_rows(rated_turn: RatedTurn) -> Iterator[dict[str, object]]:
    for hit in rated_turn.turn.answer.hits:
        source = hit.passage.source
        yield {
            "content_hash": hit.passage.content_hash,
            "document_id": source.id,
            "title": source.title,
            "text": hit.passage.text,
        }


def _rating_rows(rated_turn: RatedTurn) -> Iterator[dict[str, object]]:
    for rating in rated_turn.ratings:
        yield {
            "turn_id": rated_turn.turn.answer.id,
            "person": rating.rater,
            "is_expert": int(rating.is_expert),
            "reason": rating.reason,
            "text": rating.text,
        }


def _ratings(rated_turn: RatedTurn) -> Iterator[Rating]:
    for rating in rated_turn.ratings:
        yield Rating(
            turn_id=rated_turn.turn.answer.id,
            rater=rating.rater,
            value=rating.value,
            source="imported",
            event_id=rated_turn.turn.event_id,
            at=rated_turn.turn.created,
        )
