"""What people wrote in Slack, read back where our own log does not know it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.incoming.payloads import Body
from bot.slack.incoming.text import plain_words
from bot.slack.outgoing.reaching import reached, reason
from retrieval.records import Message

logger = logging.getLogger(__name__)

PAGE = 200
LATEST = 10
"""Messages of a thread that a question may refer to."""
MAX_CHARS = 1_000


class Conversations:
    """Reads messages and threads; what Slack does not let us see is as if it were not there."""

    def __init__(self, client: AsyncWebClient, *, bot_user: str) -> None:
        self._client = client
        self._bot_user = bot_user

    async def message(self, channel: str, ts: str) -> Body | None:
        """One message, in a thread or not; None if it cannot be seen.

        Raises:
            SlackUnreachableError: If Slack does not answer now.
        """
        found = await self._messages(
            self._client.conversations_history(
                channel=channel, oldest=ts, latest=ts, inclusive=True, limit=1
            )
        )
        # History leaves out what was said in threads.
        found = found or await self._messages(
            # Whether Slack begins with the message or with its thread, it is among these.
            self._client.conversations_replies(
                channel=channel, ts=ts, oldest=ts, latest=ts, inclusive=True, limit=2
            )
        )
        return next((message for message in found if message["ts"] == ts), None)

    async def thread(self, channel: str, thread_ts: str) -> list[Body]:
        """The messages of a thread, oldest first; the first two hundred of a very long one."""
        return await self._messages(
            self._client.conversations_replies(channel=channel, ts=thread_ts, limit=PAGE)
        )

    async def history(self, channel: str, thread_ts: str, *, before: str) -> tuple[Message, ...]:
        """What was said in a thread before a ts, as a question's history."""
        said = await self.thread(channel, thread_ts)
        return tuple(
            Message("assistant" if self._is_ours(message) else "user", text[:MAX_CHARS])
            for message in said[-LATEST - 1 :]
            if message["ts"] < before and (self._is_ours(message) or self._is_heard(message))
            for text in [plain_words(message, bot_user=self._bot_user)]
            if text
        )

    async def asked_before(
        self, channel: str, thread_ts: str, *, before: str, asks: Callable[[str], bool]
    ) -> Body | None:
        """The last message of a person before a ts that `asks`, else what began the thread.

        None where nobody but us has said anything, or what was said cannot be seen.
        """
        said = [
            (message, plain_words(message, bot_user=self._bot_user))
            for message in await self.thread(channel, thread_ts)
            if message["ts"] < before and not self._is_ours(message) and self._is_heard(message)
        ]
        asking = [message for message, words in said if not message.get("bot_id") and asks(words)]
        began = [message for message, words in said if words and message["ts"] == thread_ts]
        return next(iter((*reversed(asking), *began)), None)

    async def has_others(self, channel: str, thread_ts: str, *, since: str, person: str) -> bool:
        """Whether anybody but this person and us wrote in a thread after a ts."""
        said = await self.thread(channel, thread_ts)
        return any(
            message["ts"] > since and message.get("user") != person and not self._is_ours(message)
            for message in said
        )

    def _is_ours(self, message: Body) -> bool:
        return message.get("user") == self._bot_user

    @staticmethod
    def _is_heard(message: Body) -> bool:
        """Whether a message belongs to the conversation: of other apps only one that began it."""
        is_first = message.get("thread_ts", message["ts"]) == message["ts"]
        return is_first or not message.get("bot_id")

    async def _messages(self, call: Any) -> list[Body]:  # noqa: ANN401 - as the SDK's
        try:
            return list((await reached(call))["messages"])
        except SlackApiError as error:
            logger.info("cannot read a conversation: %s", reason(error))
            return []
