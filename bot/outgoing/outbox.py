"""The one way out to Slack: posts, edits and answers in private, without mentions that ping."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.outgoing.cards import Card

METADATA = "whimbrel_reply"
"""The metadata type that names the delivery a message replies to."""

_NO_PREVIEWS: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}
_MENTION = re.compile(r"<(?=[!@#])|(?<=@)(?=here|channel|everyone|group)", re.IGNORECASE)
_WORD_JOINER = "\u2060"
# Slack's own troubles pass; anything else it says would be said again.
_PASSING = {
    "",  # what answered was not Slack's API
    "ratelimited",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
}

_TOO_LATE = {"expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id"}


class SlackUnreachableError(Exception):
    """Slack did not answer, or said that it cannot now; later it may."""


def reason(error: SlackApiError) -> str:
    """Slack's name for what is wrong; empty if what answered was not Slack's API."""
    data = getattr(error.response, "data", None)
    return str(data.get("error", "")) if isinstance(data, dict) else ""


def defang(value: Any) -> Any:  # noqa: ANN401 - JSON in, the same JSON out
    """The same blocks or text, where nothing notifies anybody."""
    if isinstance(value, str):
        return _MENTION.sub(lambda match: match.group() + _WORD_JOINER, value)
    if isinstance(value, list):
        return [defang(item) for item in value]
    if isinstance(value, dict):
        return {key: defang(item) for key, item in value.items()}
    return value


class Outbox:
    """Sends cards.

    `client` may repeat what can safely be repeated. `poster` must not: when a connection breaks
    nobody knows whether the message is there, so the job is tried again and looks for it first.
    """

    def __init__(self, client: AsyncWebClient, poster: AsyncWebClient) -> None:
        self._client = client
        self._poster = poster

    async def post(
        self, channel: str, card: Card, *, thread_ts: str | None, event_id: str, part: int = 0
    ) -> tuple[str, str]:
        """Post a card that is marked as part of the reply to an event; its channel and ts."""
        response = await _reached(
            self._poster.chat_postMessage(
                channel=channel,
                thread_ts=thread_ts,
                metadata=_metadata(event_id, part),
                **_NO_PREVIEWS,
                **_content(card),
            )
        )
        return response["channel"], response["ts"]

    async def whisper(self, channel: str, user: str, card: Card, *, thread_ts: str | None) -> str:
        """Show a card in a conversation to one person only; its ts, which nothing can edit."""
        response = await _reached(
            self._poster.chat_postEphemeral(
                channel=channel, user=user, thread_ts=thread_ts, **_content(card)
            )
        )
        return str(response["message_ts"])

    async def edit(self, channel: str, ts: str, card: Card) -> bool:
        """Replace a message's content; False if somebody has deleted the message."""
        try:
            await _reached(self._client.chat_update(channel=channel, ts=ts, **_content(card)))
        except SlackApiError as error:
            if reason(error) == "message_not_found":
                return False
            raise
        return True

    async def sent(
        self, channel: str, thread_ts: str, *, event_id: str, since: str
    ) -> dict[int, str]:
        """What we have posted in a thread, since a ts, in reply to an event: part to ts."""
        try:
            response = await _reached(
                self._client.conversations_replies(
                    channel=channel,
                    ts=thread_ts,
                    oldest=since,
                    include_all_metadata=True,
                    limit=200,
                )
            )
        except SlackApiError as error:
            if reason(error) in ("missing_scope", "thread_not_found", "not_in_channel"):
                return {}
            raise
        found: dict[int, str] = {}
        for message in response["messages"]:
            metadata = message.get("metadata", {})
            payload = metadata.get("event_payload", {})
            if metadata.get("event_type") == METADATA and payload.get("event_id") == event_id:
                found[payload.get("part", 0)] = message["ts"]
        return found

    async def respond(self, url: str, user: str, cards: Sequence[Card]) -> None:
        """Show cards to one person only; in their direct messages once `url` has expired."""
        for index, card in enumerate(cards):
            webhook = AsyncWebhookClient(url, retry_handlers=self._client.retry_handlers)
            content = _content(card)
            response = await _reached(
                webhook.send(
                    text=content["text"],
                    blocks=content["blocks"],
                    response_type="ephemeral",
                    replace_original=index == 0,
                    **_NO_PREVIEWS,
                )
            )
            if response.status_code >= 500:
                raise SlackUnreachableError(f"response_url said {response.status_code}")
            if response.status_code != 200:
                await _reached(
                    self._poster.chat_postMessage(channel=user, **_NO_PREVIEWS, **content)
                )

    async def open_modal(self, trigger_id: str, view: dict[str, Any]) -> bool:
        """Open a modal; False if the click was more than three seconds ago."""
        try:
            await _reached(self._poster.views_open(trigger_id=trigger_id, view=defang(view)))
        except SlackApiError as error:
            if reason(error) in _TOO_LATE:
                return False
            raise
        return True

    async def publish_home(self, user: str, view: dict[str, Any]) -> None:
        """Show a view in a person's App Home."""
        await _reached(self._client.views_publish(user_id=user, view=defang(view)))


def _content(card: Card) -> dict[str, Any]:
    return {"text": defang(card.text), "blocks": defang(card.block_dicts())}


def _metadata(event_id: str, part: int) -> dict[str, Any]:
    return {"event_type": METADATA, "event_payload": {"event_id": event_id, "part": part}}


async def _reached(call: Any) -> Any:  # noqa: ANN401 - the SDK's responses are untyped
    try:
        return await call
    except SlackApiError as error:
        if reason(error) in _PASSING:
            raise SlackUnreachableError(str(error)) from error
        raise
    except (aiohttp.ClientError, TimeoutError) as error:
        raise SlackUnreachableError(str(error) or type(error).__name__) from error
