"""The Bolt app: it checks that a request is Slack's, keeps what it asks for, and only then acks."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse

from bot.settings import SlackSettings, secret
from bot.slack.incoming.early import EarlyDeliveries
from bot.slack.incoming.intake import read
from bot.slack.incoming.payloads import Body
from bot.slack.incoming.slash import ASK
from bot.slack.incoming.text import plain
from bot.slack.incoming.web import ODD
from bot.store.connection import StoreError
from bot.store.database import Database
from bot.store.inbox import Delivery, JobKind
from bot.strings import Strings, strings_for
from retrieval.language import language_of, words
from retrieval.tracing import span, traced

logger = logging.getLogger(__name__)

SHOWN_CHARS = 300
ACK_S = 2.0
"""What is not stored in this time is refused; Slack waits for three seconds."""

Next = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Keeper:
    """Stores what Slack delivers, and only then acknowledges it.

    `on_event` is told of every event, also of those that ask nothing of us; `quote` makes what
    somebody wrote fit to be shown; `emoji` are reactions that ask for something.
    """

    early: EarlyDeliveries
    database: Database
    bot_user: str
    bot_id: str
    emoji: Mapping[str, JobKind]
    complaints: Callable[[Body], dict[str, str]]
    on_event: Callable[[Body], None]
    on_accepted: Callable[[], None]
    quote: Callable[[str], str]

    async def keep(self, body: dict[str, Any], next_: Next) -> BoltResponse | None:
        """Bolt's one middleware."""
        if body.get("type") == "url_verification" or "ssl_check" in body:
            await next_()
            return None
        try:
            wrong, delivery = self._understand(body)
        except ODD as error:
            logger.warning("a body that Slack does not send: %r", error)
            return BoltResponse(status=400)
        if wrong:
            return BoltResponse(status=200, body={"response_action": "errors", "errors": wrong})
        if delivery is None:
            return BoltResponse(status=200)
        with traced(delivery.trace_id), span("receive"):
            return await self._stored(body, delivery)

    def _understand(self, body: Body) -> tuple[dict[str, str], Delivery | None]:
        """What is wrong with a form, and what is to be stored."""
        if body.get("type") == "event_callback":
            self.on_event(body)
        return self.complaints(body), read(
            body, bot_user=self.bot_user, bot_id=self.bot_id, emoji=self.emoji
        )

    async def _stored(self, body: Body, delivery: Delivery) -> BoltResponse:
        try:
            is_new = await self.database.run_within(ACK_S, self.early.accept, delivery)
        except StoreError:
            if "command" not in body:
                raise  # Slack sends events again, and tells who clicked
            logger.exception("a command was not stored")
            return _ephemeral(_strings(body).asking.not_taken)
        if is_new:
            self.on_accepted()
        is_asked = is_new and body.get("command") == ASK
        return _repeated(body, self.bot_user, self.quote) if is_asked else BoltResponse(status=200)


def build_app(
    settings: SlackSettings,
    early: EarlyDeliveries,
    database: Database,
    *,
    bot_user: str,
    bot_id: str,
    complaints: Callable[[Body], dict[str, str]],
    on_event: Callable[[Body], None],
    on_accepted: Callable[[], None],
    quote: Callable[[str], str],
) -> AsyncApp:
    """Bolt, which checks signatures and speaks the protocol, with a `Keeper` of these parts."""
    emoji: dict[str, JobKind] = {
        settings.ask_emoji.strip(":"): "pointed",
        settings.proposal_emoji.strip(":"): "review",
    }
    keeper = Keeper(
        early, database, bot_user, bot_id, emoji, complaints, on_event, on_accepted, quote
    )
    app = AsyncApp(
        token=settings.token,
        signing_secret=secret(settings.signing_secret),
        # Bolt acks before it runs listeners, so a listener would be too late to keep anything.
        # Before authorization, because that asks Slack, and answers 200 when Slack is down.
        before_authorize=keeper.keep,
    )

    @app.error
    async def refuse(error: Exception) -> BoltResponse:
        logger.error("not stored; Slack will send it again", exc_info=error)
        return BoltResponse(status=503)

    return app


def _repeated(body: Body, bot_user: str, quote: Callable[[str], str]) -> BoltResponse:
    """An ack that says what was asked: Slack does not, and what an ack shows stays for ever."""
    question = plain(body.get("text", ""), bot_user=bot_user)
    if not words(question):
        return BoltResponse(status=200)
    shown = quote(" ".join(question.split())[:SHOWN_CHARS])
    return _ephemeral(_strings(body).asking.asked.format(question=shown))


def _strings(body: Body) -> Strings:
    return strings_for(language_of(body.get("text", "")))


def _ephemeral(text: str) -> BoltResponse:
    return BoltResponse(status=200, body={"response_type": "ephemeral", "text": text})
