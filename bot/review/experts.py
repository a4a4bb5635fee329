"""Who may approve answers, and which."""

from __future__ import annotations

from bot.review.document_lookup import DocumentLookup
from bot.settings import SlackSettings
from bot.slack.workspace import Workspace
from bot.store.channels import Channels
from bot.store.database import Database
from bot.store.reviews import ReviewAccess


class Experts:
    """Admins and the experts in the settings review everywhere, a channel's experts in it."""

    def __init__(
        self,
        settings: SlackSettings,
        database: Database,
        workspace: Workspace,
        documents: DocumentLookup,
    ) -> None:
        self._settings = settings
        self._database = database
        self._channels = Channels(database)
        self._people = workspace.people
        self._audiences = workspace.audiences
        self._documents = documents

    async def reader(self, person: str) -> ReviewAccess:
        """What somebody may review; nothing for most people."""
        is_admin, _ = await self._people.look_up(person)
        own = await self._database.run(self._channels.expert_in, person)
        return ReviewAccess(
            labels=await self._audiences.of_person(person),
            everywhere=is_admin or person in self._settings.experts,
            channels={
                channel: await self._audiences.of_channel(channel, user=person) for channel in own
            },
            label_of=self._documents.document_label,
        )
