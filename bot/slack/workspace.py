"""One workspace of Slack, as the bot reaches it once it has logged in."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient

from bot.settings import SlackSettings
from bot.slack.audience import Audiences, Holdings
from bot.slack.conversations import Conversations
from bot.slack.counted import CountedClient
from bot.slack.directory import Directory
from bot.slack.incoming.payloads import Body
from bot.slack.outgoing.outbox import Outbox
from bot.slack.outgoing.reaching import reason
from bot.slack.people import People
from retrieval.errors import SettingsError

REQUEST_S = 30


@dataclass(frozen=True)
class Workspace:
    """`client` repeats what can safely be repeated, `hasty` repeats nothing.

    We are the user `bot_user`, and post as the app's `bot_id`.
    """

    bot_user: str
    bot_id: str
    session: aiohttp.ClientSession
    client: AsyncWebClient
    hasty: AsyncWebClient
    outbox: Outbox
    people: People
    directory: Directory
    audiences: Audiences
    conversations: Conversations

    def notice(self, body: Body) -> None:
        """Forget what an event says is not so any more; called before the event is acknowledged."""
        self.directory.notice(body)
        self.people.notice(body)


async def log_in(
    settings: SlackSettings, session: aiohttp.ClientSession, *, held_at_sources: Holdings
) -> Workspace:
    """The workspace of the bot's token.

    Raises:
        SettingsError: If Slack cannot be reached or refuses the token.
    """

    def client(*handlers: AsyncRetryHandler) -> CountedClient:
        return CountedClient(
            lambda: settings.token,
            base_url=settings.api_url.rstrip("/") + "/",
            timeout=REQUEST_S,
            session=session,
            retry_handlers=list(handlers),
        )

    throttled = AsyncRateLimitErrorRetryHandler(max_retry_count=5)
    broken = (
        AsyncConnectionErrorRetryHandler(max_retry_count=3),
        AsyncServerErrorRetryHandler(max_retry_count=3),
    )
    # An edit can be repeated; a post whose answer got lost may have been made.
    patient, poster, hasty = client(throttled, *broken), client(throttled), client()
    bot_user, bot_id, team = await _who_we_are(patient)
    if settings.only_team not in (None, team):
        raise SettingsError(
            f"SLACK_BOT_TOKEN is of the workspace {team}, and SLACK_ONLY_TEAM is "
            f"{settings.only_team}: nothing of one may come into the other"
        )
    directory = Directory(patient, team=team)
    return Workspace(
        bot_user=bot_user,
        bot_id=bot_id,
        session=session,
        client=patient,
        hasty=hasty,
        outbox=Outbox(patient, poster, hasty, bot_user=bot_user),
        people=People(settings, patient),
        directory=directory,
        audiences=Audiences(settings, patient, directory, held_at_sources=held_at_sources),
        conversations=Conversations(patient, bot_user=bot_user),
    )


async def _who_we_are(client: AsyncWebClient) -> tuple[str, str, str]:
    """The bot's user, its id as an app that posts, and its workspace."""
    try:
        said = await client.auth_test()
    except SlackApiError as error:
        raise SettingsError(f"SLACK_BOT_TOKEN: Slack says {reason(error) or error}") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise SettingsError(f"cannot reach Slack at {client.base_url}: {error}") from error
    return str(said["user_id"]), str(said.get("bot_id") or ""), str(said["team_id"])
