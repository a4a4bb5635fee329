"""Who will be able to read a reply, and so which documents it may be made of: the one place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.settings import SlackSettings
from bot.slack.directory import Directory, Standing
from bot.slack.incoming.payloads import Question
from bot.slack.outgoing.reaching import SlackUnreachableError, reached, reason
from retrieval.labels import PERSON
from retrieval.records import PUBLIC

logger = logging.getLogger(__name__)

PLACE = "in:"
"""Begins the labels of places."""

_TYPES = {"channel": False, "group": True, "im": True, "mpim": True}
"""What Slack's kinds of conversations say of privacy; mentions come without one."""


def place(where: str) -> str:
    """The label of what was said in a conversation, or to a person alone, and is for who is there.

    `where` is the id of the channel or of the person.
    """
    return f"{PLACE}{where}"


def of_documents(audience: frozenset[str]) -> frozenset[str]:
    """The labels that documents can have."""
    return frozenset(label for label in audience if not label.startswith(PLACE))


def is_alone(question: Question, *, channel: str) -> bool:
    """Whether only the person who asked will read the answer."""
    is_direct = question.channel_type == "im" or channel.startswith("D")
    return is_direct or question.response_url is not None


GrantedBy = Literal[
    "everyone", "person", "members", "guests", "group", "channel", "email", "source"
]


@dataclass(frozen=True, slots=True)
class Grant:
    """A label that somebody holds in private, and what gives it.

    `name` is that of the group, channel or source.
    """

    label: str
    by: GrantedBy
    name: str = ""


Holdings = Callable[[str], Sequence[str]]
"""Gives the labels that sources of documents give to an e-mail address."""


class Audiences:
    """What people and places may read, by the settings and by what Slack says of them.

    Where Slack says nothing, that gives no label to anybody. Where it cannot be asked now, methods
    raise SlackUnreachableError, because what is decided then might be too much.
    """

    def __init__(
        self,
        settings: SlackSettings,
        client: AsyncWebClient,
        directory: Directory,
        *,
        held_at_sources: Holdings = lambda _: (),
    ) -> None:
        self._settings = settings
        self._held_at_sources = held_at_sources
        self._client = client
        self._directory = directory

    async def of(self, question: Question, *, channel: str, user: str) -> frozenset[str]:
        """The labels that everyone who can read the reply may read; none if there is to be none."""
        if is_alone(question, channel=channel):
            labels = _labels(await self.grants(user))
            return labels & {PUBLIC} if question.is_shared else labels
        if question.is_shared:
            return frozenset({PUBLIC})
        granted = self._settings.channel_audiences.get(channel, ())
        for_members = self._settings.member_audiences
        facts = await self._directory.privacy(channel) if granted or for_members else None
        if facts is None or facts.is_shared:
            return frozenset({PUBLIC})
        if for_members and not await self._directory.is_among_members(channel):
            for_members = ()
        return frozenset({PUBLIC, *for_members, *(granted if facts.is_private else ())})

    async def grants(self, user: str) -> tuple[Grant, ...]:
        """What somebody holds in private, and why; nothing if they are not to be answered there."""
        settings, person = self._settings, await self._directory.person(user)
        by_name = _granted("person", settings.user_audiences.get(user, ()))
        everyone = Grant(PUBLIC, "everyone")
        if person.standing == "member":
            by_slack = (*await self._by_groups(user), *await self._by_channels(user))
            by_email = await self._by_email(person.email) if person.email else []
            for_members = _granted("members", settings.member_audiences)
            return (everyone, *by_name, *for_members, *by_slack, *by_email)
        if person.standing not in ("guest", "outsider"):
            return ()
        meant = (*by_name, *_granted("guests", settings.guest_audiences))
        return (everyone, *meant) if meant else ()

    async def standing(self, user: str) -> Standing:
        """Who somebody is to the workspace."""
        return (await self._directory.person(user)).standing

    def meant_for(self, channel: str) -> frozenset[str]:
        """The labels that settings give a channel, whether it holds them now or not."""
        granted = self._settings.channel_audiences.get(channel, ())
        return frozenset({*granted, *self._settings.member_audiences})

    async def _by_email(self, email: str) -> list[Grant]:
        labels = await asyncio.to_thread(self._held_at_sources, email)
        at_sources = [Grant(label, "source", label.partition(":")[0]) for label in labels]
        return [*_granted("email", [f"{PERSON}{email}"]), *at_sources]

    async def _by_groups(self, user: str) -> list[Grant]:
        found = []
        for group, labels in self._settings.group_audiences.items():
            if user in await self._directory.group(group):
                found += _granted("group", labels, group)
        return found

    async def _by_channels(self, user: str) -> list[Grant]:
        found: list[Grant] = []
        if not self._settings.channel_audiences_in_private:
            return found
        for channel, labels in self._settings.channel_audiences.items():
            if await self._is_closed(channel) and user in await self._directory.members(channel):
                found += _granted("channel", labels, channel)
        return found

    async def _is_closed(self, channel: str) -> bool:
        facts = await self._directory.privacy(channel)
        return facts is not None and facts.is_private and not facts.is_shared

    async def of_person(self, user: str) -> frozenset[str]:
        """The labels that somebody may read by themselves, wherever they are."""
        return _labels(await self.grants(user)) | {place(user)}

    async def of_channel(self, channel: str, *, user: str) -> frozenset[str]:
        """The labels that everyone may read who reads what is posted now; `user` is one of them."""
        if channel.startswith("D"):
            return await self.of_person(user) | {place(channel)}
        return await self.of(Question(""), channel=channel, user=user) | {place(channel)}

    async def of_reader(self, channel: str, *, user: str) -> frozenset[str]:
        """The labels of what may be shown to one person alone, who is in a channel or nowhere."""
        own = await self.of_person(user)
        return own | await self.of_channel(channel, user=user) if channel else own

    async def is_private(self, question: Question, *, channel: str) -> bool:
        """Whether not everybody can read along; True where Slack does not say."""
        if is_alone(question, channel=channel):
            return True
        if question.channel_type in _TYPES:
            return _TYPES[question.channel_type]
        try:
            facts = await self._directory.privacy(channel)
        except SlackUnreachableError:
            return True
        return facts is None or facts.is_private

    async def place(self, channel: str, *, user: str) -> str | None:
        """The label of a conversation whose words are not for everybody; None for a public one.

        Direct messages are for the `user` alone who writes them.
        """
        if channel.startswith("D"):
            return place(user)
        try:
            info = (await reached(self._client.conversations_info(channel=channel)))["channel"]
        except SlackApiError as error:
            logger.warning("channel=%s taken for private: %s", channel, reason(error))
            return place(channel)
        return place(channel) if info.get("is_private") or info.get("is_mpim") else None

    async def has_member(self, channel: str, *, user: str) -> bool:
        """Whether somebody is in a channel; False where Slack does not say."""
        try:
            return user in await self._directory.members(channel)
        except SlackUnreachableError:
            return False


def _granted(by: GrantedBy, labels: Iterable[str], name: str = "") -> list[Grant]:
    return [Grant(label, by, name) for label in labels]


def _labels(grants: Iterable[Grant]) -> frozenset[str]:
    return frozenset(grant.label for grant in grants)
