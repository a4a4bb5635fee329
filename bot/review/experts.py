"""Who may approve answers, and which."""

from __future__ import annotations

from bot.review.document_lookup import DocumentLookup
from bot.settings import SlackSettings
from bot.slack.workspace import Workspace
from bot.store.channels import Channels
from bot.store.database import Database
from bot.store.reviews import ReviewAccess, Reviews


class Experts:
    """Admins and the experts in the settings review everywhere, a channel's experts in it.

    What was said in a private channel is not for everybody: where it has no experts, those who
    review everywhere and are members see it.
    """

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
        self._reviews = Reviews(database)
        self._people = workspace.people
        self._audiences = workspace.audiences
        self._documents = documents

    async def reader(self, person: str) -> ReviewAccess:
        """What somebody may review; nothing for most people."""
        is_admin, _ = await self._people.look_up(person)
        own = await self._database.run(self._channels.expert_in, person)
        everywhere = is_admin or person in self._settings.experts
        if everywhere:
            own |= await self._joined(person)
        return ReviewAccess(
            labels=await self._audiences.of_person(person),
            everywhere=everywhere,
            channels={
                channel: await self._audiences.of_channel(channel, user=person) for channel in own
            },
            label_of=self._documents.document_label,
        )

    async def _joined(self, person: str) -> frozenset[str]:
        """The private channels without experts, but with something to review, that they are in."""
        channels = await self._database.run(self._left_alone)
        return frozenset([c for c in channels if await self._audiences.has_member(c, user=person)])

    def _left_alone(self) -> list[str]:
        channels = self._reviews.private_channels()
        return [channel for channel in channels if not self._channels.of(channel).experts]
