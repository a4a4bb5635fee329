"""Who will be able to read a reply, and so which documents it may be made of."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.settings import SlackSettings
from bot.slack.incoming.payloads import Question
from bot.slack.outgoing.reaching import SlackUnreachableError, reached, reason
from bot.slack.remembered import Remembered
from retrieval.records import PUBLIC

logger = logging.getLogger(__name__)

REMEMBERED_S = 300.0
"""A private channel can be made public or shared; it is asked about again after this time."""

MEMBERS_PAGE = 1_000
_PLACE = "in:"

_TYPES = {"channel": False, "group": True, "im": True, "mpim": True}
"""What Slack's kinds of conversations say of privacy; mentions come without one."""


def place(where: str) -> str:
    """The label of what was said in a conversation, or to a person alone, and is for who is there.

    `where` is the id of the channel or of the person.
    """
    return f"{_PLACE}{where}"


def of_documents(audience: frozenset[str]) -> frozenset[str]:
    """The labels that documents can have."""
    return frozenset(label for label in audience if not label.startswith(_PLACE))


@dataclass(frozen=True, slots=True)
class _Privacy:
    is_private: bool
    is_shared: bool


class Audiences:
    """The labels that settings grant to private channels and, in private, to people."""

    def __init__(self, settings: SlackSettings, client: AsyncWebClient) -> None:
        self._settings = settings
        self._client = client
        self._known: Remembered[_Privacy] = Remembered(REMEMBERED_S)

    async def of(self, question: Question, *, channel: str, user: str) -> frozenset[str]:
        """The labels that everyone who can read the reply may read.

        Raises:
            SlackUnreachableError: If Slack must be asked and does not answer now.
        """
        if question.is_shared:
            return frozenset({PUBLIC})
        if question.response_url is not None or question.channel_type == "im":
            return frozenset({PUBLIC, *self._settings.user_audiences.get(user, ())})
        granted = self._settings.channel_audiences.get(channel, ())
        facts = await self._look_up(channel) if granted else None
        if facts and facts.is_private and not facts.is_shared:
            return frozenset({PUBLIC, *granted})
        return frozenset({PUBLIC})

    def of_person(self, user: str) -> frozenset[str]:
        """The labels that somebody may read by themselves, wherever they are."""
        return frozenset({PUBLIC, place(user), *self._settings.user_audiences.get(user, ())})

    async def of_channel(self, channel: str, *, user: str) -> frozenset[str]:
        """The labels that everyone may read who reads what is posted now; `user` is one of them.

        Raises:
            SlackUnreachableError: If Slack must be asked and does not answer now.
        """
        if channel.startswith("D"):
            return self.of_person(user) | {place(channel)}
        return await self.of(Question(""), channel=channel, user=user) | {place(channel)}

    async def of_reader(self, channel: str, *, user: str) -> frozenset[str]:
        """The labels of what may be shown to one person alone, who is in a channel or nowhere.

        Raises:
            SlackUnreachableError: If Slack must be asked and does not answer now.
        """
        own = self.of_person(user)
        return own | await self.of_channel(channel, user=user) if channel else own

    async def is_private(self, question: Question, *, channel: str) -> bool:
        """Whether not everybody can read along; True where Slack does not say."""
        if question.response_url is not None or channel.startswith("D"):
            return True
        if question.channel_type in _TYPES:
            return _TYPES[question.channel_type]
        try:
            facts = await self._look_up(channel)
        except SlackUnreachableError:
            return True
        return facts is None or facts.is_private

    async def place(self, channel: str, *, user: str) -> str | None:
        """The label of a conversation whose words are not for everybody; None for a public one.

        Direct messages are for the `user` alone who writes them.

        Raises:
            SlackUnreachableError: If Slack does not say now which it is.
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
        """Whether somebody is in a channel at this moment; False where Slack does not say."""
        cursor = ""
        try:
            while True:
                page = await reached(
                    self._client.conversations_members(
                        channel=channel, limit=MEMBERS_PAGE, cursor=cursor or None
                    )
                )
                cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
                if user in page["members"] or not cursor:
                    return user in page["members"]
        except (SlackApiError, SlackUnreachableError) as error:
            logger.warning("members of channel=%s are not known: %s", channel, error)
            return False

    async def _look_up(self, channel: str) -> _Privacy | None:
        """What Slack says of a channel; None where it does not say."""
        known = self._known.fresh(channel)
        if known is not None:
            return known
        try:
            info = (await reached(self._client.conversations_info(channel=channel)))["channel"]
        except SlackApiError as error:
            logger.warning("channel=%s cannot be looked up: %s", channel, reason(error))
            return None
        facts = _Privacy(
            is_private=bool(info.get("is_private") or info.get("is_mpim")),
            is_shared=bool(info.get("is_ext_shared") or info.get("is_pending_ext_shared")),
        )
        return self._known.keep(channel, facts)
