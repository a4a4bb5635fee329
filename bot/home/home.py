"""One person's App Home: gathered from the log and shown."""

from __future__ import annotations

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
    Page,
    home_view,
)
from bot.privacy.forgetting import approved_of
from bot.review.experts import Experts
from bot.review.fixes import Fixes
from bot.slack.workspace import Workspace
from bot.store.database import Database
from bot.store.preferences import PeoplesPreferences
from bot.store.reviews import ReviewAccess, Reviews


class Home:
    """Publishes what a person may see: their own; for experts the queue, for admins the week."""

    def __init__(
        self, database: Database, workspace: Workspace, experts: Experts, fixes: Fixes
    ) -> None:
        self._database = database
        self._outbox = workspace.outbox
        self._people = workspace.people
        self._experts = experts
        self._fixes = fixes
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
            fixed=self._fixes.recent(person, reader.labels, limit=FIXED),
            preferences=self._preferences.of(person),
            is_reviewer=reader.everywhere or bool(reader.channels),
            reviews=reviews,
            waiting=waiting,
            served=self._reviews.served(reader, limit=SERVED),
            approved=len(approved_of(self._database.connection, person)),
            said=said,
        )

    def _questions(self, person: str) -> list[AskedQuestion]:
        rows = self._database.connection.execute(
            "SELECT question, created, count(*) FILTER (WHERE value > 0),"
            " count(*) FILTER (WHERE value < 0),"
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
