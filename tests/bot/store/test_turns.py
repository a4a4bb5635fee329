from __future__ import annotations

from bot.store.database import Database
from bot.store.log import ConversationLog, Rating
from bot.store.turns import Turns
from tests.bot.logged import logged

NOON = "2026-01-01T12:00:00+00:00"


def test_ratings_from_elsewhere_are_not_rechecked(database: Database) -> None:
    ours, imported = logged(database), logged(database, channel="imported")
    for n, turn_id in enumerate((ours, imported)):
        ConversationLog(database).rate(Rating(turn_id, "U2", -1, "button", f"Ev{n}", NOON))
    database.connection.table("imports").insert({"turn_id": imported})
    found = Turns(database).rated_down(since="2026-01-01", limit=10)
    assert [turn.id for turn in found] == [ours]
