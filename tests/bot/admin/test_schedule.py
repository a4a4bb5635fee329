from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.admin.schedule import Schedule
from bot.settings import SlackSettings
from bot.store.database import Database
from bot.store.inbox import Inbox
from bot.times import Times

NIGHT = datetime(2026, 2, 3, 3, 0, tzinfo=UTC).timestamp()
"""A Tuesday, at three."""


@pytest.mark.parametrize(
    ("text", "at", "wanted"),
    [
        ("03:00", "2026-02-03T02:59:59", "2026-02-03T03:00"),
        ("03:00", "2026-02-03T03:00:00", "2026-02-04T03:00"),
        ("sunday 03:00", "2026-02-03T02:00:00", "2026-02-08T03:00"),
        ("tuesday 23:30", "2026-02-03T23:31:00", "2026-02-10T23:30"),
    ],
)
def test_the_next_moment_is_the_first_that_is_later(text: str, at: str, wanted: str) -> None:
    found = Times.of(text).after(datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert found.isoformat(timespec="minutes") == f"{wanted}+00:00"


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)), st.integers(0, 6))
def test_a_weekly_moment_comes_within_a_week_and_on_its_day(at: datetime, weekday: int) -> None:
    after = Times(3, 0, weekday).after(at.replace(tzinfo=UTC))
    assert 0 < (after - at.replace(tzinfo=UTC)).total_seconds() <= 7 * 86_400
    assert (after.weekday(), after.hour, after.minute) == (weekday, 3, 0)


@pytest.mark.parametrize("text", ["3:00", "24:00", "sun 03:00", "03:00 daily"])
def test_other_texts_are_no_schedule(text: str) -> None:
    with pytest.raises(ValueError, match="wanted a time such as 03:00"):
        SlackSettings(learn_at=text)


def test_an_empty_text_is_no_schedule() -> None:
    assert SlackSettings(learn_at="").learn_at is None


def ticking(*times: float) -> Callable[[], float]:
    """A clock that is asked so often, and then ends who asks."""
    left = iter(times)

    def clock() -> float:
        for task in left:
            return task
        raise asyncio.CancelledError

    return clock


async def test_several_bots_on_one_database_begin_one_round(tmp_path: Path) -> None:
    database = Database(tmp_path / "whimbrel.db")
    inbox = Inbox(database)
    begun: list[str] = []
    for bot in ("first", "second"):
        clock = ticking(NIGHT - 0.002, NIGHT - 0.001, NIGHT + 1, NIGHT + 1)
        schedule = Schedule(
            Times(3, 0), "U1", inbox, on_accepted=partial(begun.append, bot), clock=clock
        )
        with pytest.raises(asyncio.CancelledError):
            await schedule.run()
    assert begun == ["first"]
    job = inbox.claim("me", ("learn",))
    assert job is not None
    assert (job.user, job.payload["text"], job.payload["response_url"]) == ("U1", "learn", None)
    database.close()
