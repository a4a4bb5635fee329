"""Who may approve answers, and which."""

from __future__ import annotations

from bot.settings import SlackSettings
from bot.slack.people import People
from bot.store.channels import Channels
from bot.store.database import Database
from bot.store.reviews import ReviewAccess
from retrieval.records import PUBLIC


class Experts:
    """Admins and the experts in the settings review everywhere, a channel's experts in it."""

    def __init__(self, settings: SlackSettings, database: Database, people: People) -> None:
        self._settings = settings
        self._database = database
        self._channels = Channels(database)
        self._people = people

    async def reader(self, person: str) -> ReviewAccess:
        """What somebody may review; nothing for most people."""
        is_admin, _ = await self._people.look_up(person)
        return ReviewAccess(
            labels=frozenset({PUBLIC, *self._settings.user_audiences.get(person, ())}),
            everywhere=is_admin or person in self._settings.experts,
            channels=await self._database.run(self._channels.expert_in, person),
        )
