"""Who will be able to read a reply, and so which documents it may be made of."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.incoming.payloads import Question
from bot.outgoing.reaching import reached, reason
from bot.settings import SlackSettings
from retrieval.records import PUBLIC

logger = logging.getLogger(__name__)

REMEMBERED_S = 300.0
"""A private channel can be made public or shared; it is asked about again after this time."""

_PLACE = "in:"


def place(channel: str) -> str:
    """The label of what was said in a conversation and is for those who are in it."""
    return f"{_PLACE}{channel}"


def of_documents(audience: frozenset[str]) -> frozenset[str]:
    """The labels that documents can have."""
    return frozenset(label for label in audience if not label.startswith(_PLACE))


class Audiences:
    """The labels that settings grant to private channels and, in private, to people."""

    def __init__(
        self,
        settings: SlackSettings,
        client: AsyncWebClient,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._client = client
        self._clock = clock
        self._private: dict[str, tuple[bool, float]] = {}

    async def of(self, question: Question, *, channel: str, user: str) -> frozenset[str]:
        """The labels that everyone who can read the reply may read."""
        if question.is_shared:
            return frozenset({PUBLIC})
        if question.response_url is not None or question.channel_type == "im":
            return frozenset({PUBLIC, *self._settings.user_audiences.get(user, ())})
        granted = self._settings.channel_audiences.get(channel, ())
        if granted and await self._is_private(channel):
            return frozenset({PUBLIC, *granted})
        return frozenset({PUBLIC})

    async def place(self, channel: str) -> str | None:
        """The label of a conversation whose words are not for everybody; None for a public one.

        Raises:
            SlackUnreachableError: If Slack does not say now which it is.
        """
        if channel.startswith("D"):
            return place(channel)
        try:
            info = (await reached(self._client.conversations_info(channel=channel)))["channel"]
        except SlackApiError as error:
            logger.warning("channel=%s taken for private: %s", channel, reason(error))
            return place(channel)
        return place(channel) if info.get("is_private") or info.get("is_mpim") else None

    async def _is_private(self, channel: str) -> bool:
        is_private, until = self._private.get(channel, (False, 0.0))
        if self._clock() < until:
            return is_private
        try:
            info = (await self._client.conversations_info(channel=channel))["channel"]
        except SlackApiError as error:
            logger.warning("channel=%s taken for public: %s", channel, reason(error))
            return False
        shared = info.get("is_ext_shared") or info.get("is_pending_ext_shared")
        is_private = bool(info.get("is_private")) and not shared
        self._private[channel] = (is_private, self._clock() + REMEMBERED_S)
        return is_private
