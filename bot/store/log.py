"""The conversation log: every turn, what it was made of, and what people thought of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from pydantic import TypeAdapter

from bot.store.connection import Connection
from bot.store.database import Database
from retrieval.records import Answer, Citation, Message

Value = Literal[-1, 1]
"""A rating: bad or good."""

ANSWERS = TypeAdapter(Answer)
"""Answers as JSON and back."""

RatingSource = Literal["button", "reaction", "imported", "api"]


def utc(seconds: float) -> str:
    """A Unix time as the log writes it: ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer, with where and for whom it was said.

    `messages` are the timestamps of the messages that show the answer; none for an ephemeral one.
    `created` is ISO 8601 in UTC. It `is_private` unless everybody could have read along. `triage`
    is the id of the model that took the message for a question, where nobody asked the bot.
    """

    answer: Answer
    event_id: str
    team: str
    channel: str
    thread_ts: str | None
    asker: str
    audience: frozenset[str]
    messages: tuple[str, ...]
    created: str
    is_private: bool = True
    triage: str = ""


@dataclass(frozen=True, slots=True)
class Rating:
    """What one person says of one turn, or takes back if `is_withdrawn`. `at` is ISO 8601, UTC."""

    turn_id: str
    rater: str
    value: Value
    source: RatingSource
    event_id: str
    at: str
    is_withdrawn: bool = False


class ConversationLog:
    """Turns and ratings. Writes join the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, turn: Turn) -> None:
        """Write a turn, its hits and the messages that show it."""
        answer = self._database.redactor.answer(turn.answer)
        turn = replace(turn, answer=answer)
        with self._database.transaction() as db:
            db.table("turns").insert(_turn_row(turn))
            card = {"turn_id": answer.id, "answer": ANSWERS.dump_json(answer).decode()}
            db.table("cards").insert(card)
            db.table("hits").insert_all(_hit_rows(answer))
            db.table("replies").insert_all(
                {"channel": turn.channel, "ts": ts, "turn_id": answer.id} for ts in turn.messages
            )

    def history(
        self,
        channel: str,
        thread_ts: str | None,
        *,
        audience: frozenset[str],
        max_turns: int = 6,
    ) -> tuple[Message, ...]:
        """The latest turns of a thread, oldest first, that this audience may read."""
        rows = self._database.connection.query(
            "SELECT question, answer, audience FROM turns"
            " WHERE channel = ? AND thread_ts = ? AND question != '' AND answer != ''"
            " AND deleted IS NULL"
            " ORDER BY rowid DESC LIMIT ?",
            (channel, thread_ts, max_turns),
        )
        allowed = [row for row in rows if audience.issuperset(json.loads(row["audience"]))]
        return tuple(
            message
            for row in reversed(allowed)
            for message in (Message("user", row["question"]), Message("assistant", row["answer"]))
        )

    def turn_shown_in(self, channel: str, ts: str) -> str | None:
        """The id of the turn that a message shows; None if it shows none."""
        row = self._database.connection.execute(
            "SELECT turn_id FROM replies WHERE channel = ? AND ts = ?", (channel, ts)
        ).fetchone()
        return None if row is None else str(row[0])

    def turn_asked_in(self, work_key: str) -> tuple[str, tuple[str, ...]] | None:
        """The turn that a message asked, by its key in the inbox, and the messages that show it."""
        db = self._database.connection
        row = db.execute(
            "SELECT turns.id FROM turns JOIN inbox USING (event_id) WHERE work_key = ?", (work_key,)
        ).fetchone()
        if row is None:
            return None
        shown = db.execute("SELECT ts FROM replies WHERE turn_id = ? ORDER BY ts", row)
        return str(row[0]), tuple(ts for (ts,) in shown)

    def redact(self, turn_id: str) -> None:
        """Forget what was asked and said in a turn; that there was one, and its ratings, remain.

        What was asked later in its thread is no longer known together with it.
        """
        with self._database.erasing() as db:
            part_followers(db, turn_id)
            db.execute(
                "UPDATE turns SET question = '', query = '', answer = '', citations = '[]',"
                " deleted = coalesce(deleted, ?) WHERE id = ?",
                (utc(time.time()), turn_id),
            )
            db.execute("DELETE FROM cards WHERE turn_id = ?", (turn_id,))
            db.execute("DELETE FROM shadows WHERE turn_id = ?", (turn_id,))
            db.execute("DELETE FROM fixes WHERE turn_id = ?", (turn_id,))
            db.execute("DELETE FROM reviews WHERE turn_id = ? AND state = 'open'", (turn_id,))

    def rate(self, rating: Rating) -> bool:
        """Make this the person's current rating on the turn; True if that changed anything.

        Only the current rating, and only from the same source, can be taken back. Every change is
        kept in `vote_events` with the models and the index that had answered.
        """
        with self._database.transaction() as db:
            db.lock("rate", rating.turn_id)
            turn = db.execute(
                "SELECT generator, embedder, generation FROM turns WHERE id = ?", (rating.turn_id,)
            ).fetchone()
            if turn is None or not self._changes(rating):
                return False
            row = asdict(rating)
            row["voter"] = row.pop("rater")
            ids = dict(zip(("generator", "embedder", "generation"), turn, strict=True))
            db.table("vote_events").insert(row | ids)
            if rating.is_withdrawn:
                db.table("votes").delete(turn_id=rating.turn_id, voter=rating.rater)
            else:
                current = {key: row[key] for key in ("turn_id", "voter", "value", "source", "at")}
                db.table("votes").upsert(current, pk=("turn_id", "voter"))
            return True

    def score(self, turn_id: str) -> int:
        """The sum of the current ratings on a turn."""
        row = self._database.connection.execute(
            "SELECT coalesce(sum(value), 0) FROM votes WHERE turn_id = ?", (turn_id,)
        ).fetchone()
        return int(row[0])

    def rating_of(self, turn_id: str, rater: str) -> Value | None:
        """What a person says of a turn at the moment."""
        row = self._database.connection.execute(
            "SELECT value FROM votes WHERE turn_id = ? AND voter = ?", (turn_id, rater)
        ).fetchone()
        return None if row is None else row[0]

    def count(self) -> int:
        """How many turns there are."""
        return int(self._database.connection.table("turns").count)

    def _changes(self, rating: Rating) -> bool:
        current = self._database.connection.execute(
            "SELECT value, source FROM votes WHERE turn_id = ? AND voter = ?",
            (rating.turn_id, rating.rater),
        ).fetchone()
        if rating.is_withdrawn:
            return bool(current == (rating.value, rating.source))
        return current is None or bool(current[0] != rating.value)


def part_followers(db: Connection, turn_id: str) -> None:
    """Let nothing that was asked later in a turn's thread be known together with it any more."""
    followers = db.execute(
        "SELECT later.id FROM turns AS later JOIN turns AS first USING (channel, thread_ts)"
        " WHERE first.id = ? AND later.rowid > first.rowid AND later.query != later.question",
        (turn_id,),
    ).fetchall()
    for (follower,) in followers:
        db.table("turns").update({"query": ""}, id=follower)
        change_card(db, follower, query="")


def change_card(db: Connection, turn_id: str, **changes: object) -> None:
    """Let the answer that a turn is shown from say something else."""
    for (answer,) in db.execute("SELECT answer FROM cards WHERE turn_id = ?", (turn_id,)):
        changed = json.dumps(json.loads(answer) | changes)
        db.table("cards").update({"answer": changed}, turn_id=turn_id)


def _turn_row(turn: Turn) -> dict[str, object]:
    answer = turn.answer
    return {
        "id": answer.id,
        "event_id": turn.event_id,
        "team": turn.team,
        "channel": turn.channel,
        "thread_ts": turn.thread_ts,
        "asker": turn.asker,
        "audience": json.dumps(sorted(turn.audience)),
        "language": answer.language,
        "question": answer.question,
        "query": answer.query,
        "kind": answer.kind,
        "answer": answer.text,
        "confidence": answer.confidence,
        "method": answer.method,
        "citations": json.dumps([_citation(c) for c in answer.citations], ensure_ascii=False),
        "prompt_version": answer.prompt_version,
        "generator": answer.generator,
        "embedder": answer.embedder,
        "judge": answer.judge,
        "reranker": answer.reranker,
        "triage": turn.triage,
        "generation": answer.generation,
        "completion": answer.completion or None,
        "prompt_tokens": answer.tokens[0],
        "answer_tokens": answer.tokens[1],
        "trial": answer.trial or None,
        "arm": answer.arm,
        "share": answer.share,
        "timings": json.dumps(dict(answer.timings)),
        "reply_ts": next(iter(turn.messages), None),
        "created": turn.created,
        "is_private": int(turn.is_private),
    }


def _citation(citation: Citation) -> dict[str, object]:
    return {
        "number": citation.number,
        "passage_id": citation.passage.id,
        "document_id": citation.passage.source.id,
        "quote": citation.quote,
        "support": citation.support,
    }


def _hit_rows(answer: Answer) -> Iterable[dict[str, object]]:
    shown = {citation.passage.id for citation in answer.citations}
    shown.update(passage.id for passage in answer.nearest)
    for position, hit in enumerate(answer.hits, start=1):
        yield {
            "turn_id": answer.id,
            "position": position,
            "passage_id": hit.passage.id,
            "document_id": hit.passage.source.id,
            "content_hash": hit.passage.content_hash,
            "score": hit.score,
            "dense": hit.dense,
            "dense_rank": hit.dense_rank,
            "lexical": hit.lexical,
            "lexical_rank": hit.lexical_rank,
            "reranker": hit.reranker,
            "shown": int(hit.passage.id in shown),
        }
