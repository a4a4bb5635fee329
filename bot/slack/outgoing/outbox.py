"""The one way out to Slack: posts, edits and answers in private, without mentions that ping."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.models.blocks import Block
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.slack.outgoing.allowance import Allowance
from bot.slack.outgoing.cards import Card
from bot.slack.outgoing.mentions import defang, tagging
from bot.slack.outgoing.reaching import SlackUnreachableError, reached, reason

logger = logging.getLogger(__name__)

METADATA = "whimbrel_reply"
"""The metadata type that names the delivery a message replies to."""

_NO_PREVIEWS: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}
_TOO_LATE = {"expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A file name, what the picture shows in words, and its bytes."""

    name: str
    alt: str
    png: bytes


class Outbox:
    """Sends cards.

    `client` may repeat what can safely be repeated. `poster` must not: when a connection breaks
    nobody knows whether the message is there, so the job is tried again and looks for it first.
    `streamer` repeats nothing at all, because a stream does not wait: whoever gets no place in
    the allowances of a minute shows the words in another way. `bot_user` is who we are.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        poster: AsyncWebClient,
        streamer: AsyncWebClient,
        *,
        bot_user: str,
    ) -> None:
        self._client = client
        self._poster = poster
        self._streamer = streamer
        self._bot_user = bot_user
        # Slack takes 20, 100 and 50 a minute; the rest is for the ends of answers.
        self.starts = Allowance(18)
        self.appends = Allowance(85, gap_s=0.7)  # many streams share them evenly
        self.edits = Allowance(30)
        self.pace_s = 1.0
        """How long a growing message rests between two calls; edits rest three times as long."""

    async def post(
        self,
        channel: str,
        card: Card,
        *,
        thread_ts: str | None,
        event_id: str,
        part: int = 0,
        tagged: Sequence[str] = (),
    ) -> tuple[str, str]:
        """Post a card that is marked as part of the reply to an event; its channel and ts.

        The people `tagged` are mentioned above the card; nobody else is ever notified.
        """
        response = await reached(
            self._poster.chat_postMessage(
                channel=channel,
                thread_ts=thread_ts,
                metadata=_metadata(event_id, part),
                **_NO_PREVIEWS,
                **tagging(tagged, _content(card)),
            )
        )
        return response["channel"], response["ts"]

    async def whisper(self, channel: str, user: str, card: Card, *, thread_ts: str | None) -> str:
        """Show a card in a conversation to one person only; its ts, which nothing can edit."""
        response = await reached(
            self._poster.chat_postEphemeral(
                channel=channel, user=user, thread_ts=thread_ts, **_content(card)
            )
        )
        return str(response["message_ts"])

    async def edit(
        self, channel: str, ts: str, card: Card, *, event_id: str | None = None, part: int = 0
    ) -> bool:
        """Replace a message's content; False if somebody has deleted the message.

        A stream that still runs in the message is ended first; one that ended by itself bears no
        mark of the event it replies to, unless this gives it one.
        """
        content = _content(card)
        if event_id is not None:
            content["metadata"] = _metadata(event_id, part)
        try:
            await self._update(channel, ts, content)
        except SlackApiError as error:
            if reason(error) == "message_not_found":
                return False
            if reason(error) != "streaming_state_conflict":
                raise
            await self.end_stream(channel, ts)
            await self._update(channel, ts, content)
        return True

    async def _update(self, channel: str, ts: str, content: dict[str, Any]) -> None:
        self.edits.record()
        await reached(self._client.chat_update(channel=channel, ts=ts, **content))

    async def delete(self, channel: str, ts: str) -> None:
        """Delete a message of ours; no error if it is gone already."""
        try:
            await reached(self._client.chat_delete(channel=channel, ts=ts))
        except SlackApiError as error:
            if reason(error) != "message_not_found":
                raise

    async def start_stream(
        self, channel: str, thread_ts: str, text: str, *, recipient: tuple[str, str]
    ) -> str:
        """Open a message that text can be appended to; its ts. `recipient` is team and person."""
        team, user = (None, None) if channel.startswith("D") else recipient
        response = await reached(
            self._streamer.chat_startStream(
                channel=channel,
                thread_ts=thread_ts,
                markdown_text=defang(text),
                recipient_team_id=team,
                recipient_user_id=user,
            )
        )
        return str(response["ts"])

    async def append_stream(self, channel: str, ts: str, text: str) -> None:
        """Append Markdown to a message that `start_stream` has opened."""
        await reached(
            self._streamer.chat_appendStream(channel=channel, ts=ts, markdown_text=defang(text))
        )

    async def end_stream(
        self,
        channel: str,
        ts: str,
        *,
        text: str = "",
        blocks: Sequence[Block] = (),
        event_id: str | None = None,
        part: int = 0,
    ) -> bool:
        """Close a stream with its last words and blocks; False if it had ended without them."""
        closing = {"blocks": defang([block.to_dict() for block in blocks]) or None}
        try:
            await reached(
                self._client.chat_stopStream(
                    channel=channel,
                    ts=ts,
                    markdown_text=defang(text) or None,
                    metadata=None if event_id is None else _metadata(event_id, part),
                    **closing,
                )
            )
        except SlackApiError as error:
            logger.info("stream ended early: %s", reason(error))
            return False
        return True

    async def sent(
        self,
        channel: str,
        thread_ts: str | None,
        *,
        event_id: str,
        since: str,
        has_streamed: bool = False,
    ) -> dict[int, str]:
        """What we have posted in a thread, since a ts, in reply to an event: part to ts.

        Without a thread it is looked for in the channel itself. A stream that was broken off bears
        no mark yet: if the reply `has_streamed`, what bears none is the first part missing. Of
        whoever else replies in the thread it would be another one's answer.
        """
        window: dict[str, Any] = {"oldest": since, "include_all_metadata": True, "limit": 200}
        try:
            if thread_ts is None:
                call = self._client.conversations_history(channel=channel, **window)
            else:
                call = self._client.conversations_replies(channel=channel, ts=thread_ts, **window)
            response = await reached(call)
        except SlackApiError as error:
            if reason(error) in ("missing_scope", "thread_not_found", "not_in_channel"):
                return {}
            raise
        found: dict[int, str] = {}
        unmarked: list[str] = []
        for message in response["messages"]:
            metadata = message.get("metadata") or {}
            payload = metadata.get("event_payload", {})
            if metadata.get("event_type") == METADATA and payload.get("event_id") == event_id:
                if payload.get("part", 0) in found:
                    unmarked.append(message["ts"])  # a stream and the placeholder before it
                found.setdefault(payload.get("part", 0), message["ts"])
            elif message.get("user") == self._bot_user and not metadata and message["ts"] > since:
                unmarked.append(message["ts"])
        if not has_streamed:
            return found
        missing = (part for part in count() if part not in found)
        return found | dict(zip(missing, unmarked, strict=False))

    async def respond(
        self, url: str, user: str, cards: Sequence[Card], *, replaces: bool = False
    ) -> None:
        """Show cards to one person only; in their direct messages once `url` has expired.

        They stand below, or take the place of, the message that `url` came with: the one whose
        button was clicked, or the one that a shortcut was used on, whoever wrote it. A slash
        command has none, and what its ack showed stays.
        """
        for index, card in enumerate(cards):
            webhook = AsyncWebhookClient(url, retry_handlers=self._client.retry_handlers)
            content = _content(card)
            response = await reached(
                webhook.send(
                    text=content["text"],
                    blocks=content["blocks"],
                    response_type="ephemeral",
                    replace_original=replaces and index == 0,
                    **_NO_PREVIEWS,
                )
            )
            if response.status_code >= 500:
                raise SlackUnreachableError(f"response_url said {response.status_code}")
            if response.status_code != 200:
                await reached(
                    self._poster.chat_postMessage(channel=user, **_NO_PREVIEWS, **content)
                )

    async def open_modal(self, trigger_id: str, view: dict[str, Any]) -> str | None:
        """Open a modal; its id, or None if the click was more than three seconds ago."""
        try:
            response = await reached(
                self._poster.views_open(trigger_id=trigger_id, view=defang(view))
            )
        except SlackApiError as error:
            if reason(error) in _TOO_LATE:
                return None
            raise
        return str(response["view"]["id"])

    async def change_modal(self, view_id: str, view: dict[str, Any]) -> None:
        """Show something else in an open modal; no error if the person has closed it."""
        try:
            await reached(self._client.views_update(view_id=view_id, view=defang(view)))
        except SlackApiError as error:
            if reason(error) != "not_found":
                raise

    async def upload(self, channel: str, pictures: Sequence[Picture], *, comment: str) -> None:
        """Show pictures in a channel, in one message with a comment."""
        uploads = [{"filename": p.name, "content": p.png, "alt_txt": p.alt} for p in pictures]
        try:
            await reached(
                self._client.files_upload_v2(
                    channel=channel, file_uploads=uploads, initial_comment=defang(comment)
                )
            )
        except SlackRequestError as error:
            raise SlackUnreachableError(str(error)) from error

    async def publish_home(self, user: str, view: dict[str, Any]) -> None:
        """Show a view in a person's App Home."""
        await reached(self._client.views_publish(user_id=user, view=defang(view)))


def _content(card: Card) -> dict[str, Any]:
    return {"text": defang(card.text), "blocks": card.block_dicts()}


def _metadata(event_id: str, part: int) -> dict[str, Any]:
    return {"event_type": METADATA, "event_payload": {"event_id": event_id, "part": part}}
