"""One person's App Home: gathered from the log and shown."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime

from bot.admin.reporting import weekly_summary
from bot.home.view import (
    FIXED,
    QUESTIONS,
    REVIEWS,
    SERVED,
    AskedQuestion,
    FixedQuestion,
    Page,
    home_view,
)
from bot.review.experts import Experts
from bot.slack.outgoing.outbox import Outbox
from bot.slack.people import People
from bot.store.database import Database
from bot.store.preferences import PeoplesPreferences
from bot.store.reviews import ReviewAccess, Reviews


class Home:
    """Publishes what a person may see: their own; for experts the queue, for admins the week."""

    def __init__(
        self, database: Database, outbox: Outbox, people: People, experts: Experts
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._people = people
        self._experts = experts
        self._preferences = PeoplesPreferences(database)
        self._reviews = Reviews(database)

    async def publish(self, person: str, said: str | None = None) -> None:
        """Show a person their App Home as it is now, below what is `said` to them."""
        is_admin, strings = await self._people.look_up(person)
        reader = await self._experts.reader(person)
        page = await self._database.run(self._page, person, reader, said)
        if is_admin:
            now = datetime.fromtimestamp(time.time(), UTC)
            report = await self._database.run(weekly_summary, self._database, strings, now=now)
            page = replace(page, report=report)
        await self._outbox.publish_home(person, home_view(page, strings))

    def _page(self, person: str, reader: ReviewAccess, said: str | None) -> Page:
        reviews, waiting = self._reviews.queue(reader, limit=REVIEWS)
        return Page(
            questions=self._questions(person),
            fixed=self._fixed(person, reader.labels),
            preferences=self._preferences.of(person),
            is_reviewer=reader.everywhere or bool(reader.channels),
            reviews=reviews,
            waiting=waiting,
            served=self._reviews.served(reader, limit=SERVED),
            said=said,
        )

    def _questions(self, person: str) -> list[AskedQuestion]:
        rows = self._database.connection.conn.execute(
            "SELECT question, created, coalesce(sum(value > 0), 0), coalesce(sum(value < 0), 0),"
            " coalesce(sum(CASE WHEN voter = asker THEN value END), 0),"
            " EXISTS (SELECT 1 FROM fixes WHERE turn_id = turns.id)"
            " FROM turns LEFT JOIN votes ON votes.turn_id = turns.id"
            " WHERE asker = ? AND deleted IS NULL GROUP BY turns.id"
            " ORDER BY turns.rowid DESC LIMIT ?",
            (person, QUESTIONS),
        )
        return [
            AskedQuestion(question, asked, good, bad, mine, bool(is_fixed))
            for question, asked, good, bad, mine, is_fixed in rows
        ]

    def _fixed(self, person: str, labels: frozenset[str]) -> list[FixedQuestion]:
        """Of what they asked or rated; the answer only if they may read it wherever they are."""
        rows = self._database.connection.conn.execute(
            "SELECT turns.question, fixes.answer, coalesce(curated.audience, turns.audience)"
            " FROM fixes JOIN turns ON turns.id = fixes.turn_id"
            " LEFT JOIN curated ON curated.id = fixes.curated_id"
            " WHERE asker = ? OR turns.id IN (SELECT turn_id FROM votes WHERE voter = ?)"
            " ORDER BY fixes.rowid DESC LIMIT ?",
            (person, person, FIXED),
        )
        return [
            FixedQuestion(question, answer if labels >= set(json.loads(audience)) else None)
            for question, answer, audience in rows
        ]
