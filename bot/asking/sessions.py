"""Shows in Slack's agent view that an answer is being worked on, and what could be asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Literal

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.outgoing.reaching import reason
from bot.slack.people import People
from bot.store.inbox import Inbox, Job

logger = logging.getLogger(__name__)

Status = Literal["processing", "active"]

STATUS_S = 1.0
"""No answer waits longer for its status to be shown."""
MAX_PROMPTS = 4
TITLE_CHARS = 60


class Sessions:
    """The status of a thread. It is an ornament: whatever goes wrong with it costs no answer."""

    def __init__(self, client: AsyncWebClient) -> None:
        # `client` should repeat nothing: a status that comes late is worth nothing.
        self._client = client

    async def set(self, channel: str, thread_ts: str, status: Status, words: str = "") -> bool:
        """Show a status, in these words where Slack shows any; whether it took it."""
        try:
            async with asyncio.timeout(STATUS_S):
                await self._set(channel, thread_ts, status, words)
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            logger.info("no status: %s", _told(error))
            return False
        return True

    async def _set(self, channel: str, thread_ts: str, status: Status, words: str) -> None:
        try:
            await self._client.agents_sessions_setStatus(
                channel_id=channel, thread_ts=thread_ts, status=status
            )
        except SlackApiError as error:
            logger.debug("no session: %s", reason(error))
            # What it succeeds; Slack takes it until February 2027.
            await self._client.assistant_threads_setStatus(
                channel_id=channel, thread_ts=thread_ts, status=words
            )


class PromptsHandler:
    """Suggests questions to whoever opens the bot's messages."""

    def __init__(
        self, inbox: Inbox, client: AsyncWebClient, people: People, prompts: Sequence[str]
    ) -> None:
        self._inbox = inbox
        self._client = client
        self._people = people
        self._prompts = prompts

    async def handle(self, job: Job) -> None:
        """Show the suggestions in the person's language."""
        try:
            _, strings = await self._people.look_up(job.user)
            await self._client.assistant_threads_setSuggestedPrompts(
                channel_id=job.channel,
                title=strings.asking.prompts_title,
                prompts=[_prompt(text) for text in self._prompts or strings.asking.prompts][
                    :MAX_PROMPTS
                ],
            )
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            # They are asked for anew whenever the tab opens.
            logger.warning("no suggested prompts: %s", _told(error))
        await self._inbox.database.run(self._inbox.finish, job)

    async def apologise(self, _job: Job, _error: Exception) -> None:
        """Nobody waits for suggestions."""


def _prompt(text: str) -> dict[str, str]:
    title = text if len(text) <= TITLE_CHARS else f"{text[: TITLE_CHARS - 1]}…"
    return {"title": title, "message": text}


def _told(error: Exception) -> str:
    told = reason(error) if isinstance(error, SlackApiError) else str(error)
    return told or type(error).__name__
