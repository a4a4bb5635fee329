"""Questions of the log that can be asked once more, each as where it was asked has it asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bot.store.channels import ChannelConfig, Channels
from bot.store.database import Database
from retrieval.records import PUBLIC


@dataclass(frozen=True, slots=True)
class LoggedQuestion:
    """A question that stands by itself, and what holds where it was asked.

    It `is_private` unless everybody could have read along, and may read what it was made of.
    """

    turn_id: str
    question: str
    audience: frozenset[str]
    is_private: bool
    config: ChannelConfig


def read_logged(database: Database, *, last: int) -> list[LoggedQuestion]:
    """The last questions that models answered, the newest first; what was deleted is gone."""
    channels = Channels(database)
    rows = database.connection.query(
        "SELECT id, channel, question, query, audience, is_private,"
        " id IN (SELECT turn_id FROM imports) AS is_imported FROM turns"
        " WHERE deleted IS NULL AND question != '' AND method != 'curated'"
        " ORDER BY created DESC, rowid DESC LIMIT ?",
        (last,),
    )
    return [_logged(row, channels) for row in rows]


def _logged(row: dict[str, Any], channels: Channels) -> LoggedQuestion:
    audience = frozenset(json.loads(row["audience"]))
    was_private = row["is_private"] != 0 and not row["is_imported"]
    return LoggedQuestion(
        turn_id=row["id"],
        question=row["query"] or row["question"],
        audience=audience,
        is_private=was_private or not audience <= {PUBLIC},
        config=channels.of(row["channel"]),
    )
