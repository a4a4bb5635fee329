from __future__ import annotations

from datetime import UTC, datetime

from bot.store.database import Database
from bot.store.period import read_period
from tests.bot.logged import logged


def test_ratings_from_elsewhere_are_not_reported(database: Database) -> None:
    logged(database, "How many days of paid leave are there?")
    imported = logged(database, "Who won the cup?", channel="imported")
    database.connection.table("imports").insert({"turn_id": imported})
    period = read_period(database, days=7, until=datetime(2026, 1, 2, tzinfo=UTC))
    assert [asked.question for asked in period.asked] == ["How many days of paid leave are there?"]
