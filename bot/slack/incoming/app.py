"""The Bolt app: it checks that a request is Slack's, keeps what it asks for, and only then acks."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse

from bot.settings import SlackSettings, secret
from bot.slack.incoming.event_filter import EventFilter
from bot.slack.incoming.intake import read
from bot.slack.incoming.payloads import Body
from bot.slack.incoming.slash import ASK
from bot.slack.incoming.web import ODD
from bot.store.inbox import Delivery, Inbox, JobKind
from bot.strings import strings_for
from retrieval.language import language_of

logger = logging.getLogger(__name__)

Next = Callable[[], Awaitable[None]]


def build_app(
    settings: SlackSettings,
    inbox: Inbox,
    *,
    bot_user: str,
    complaints: Callable[[Body], dict[str, str]],
    on_event: Callable[[Body], None],
    on_accepted: Callable[[], None],
) -> AsyncApp:
    """Bolt with one middleware: store, then ack. Bolt checks signatures and speaks the protocol.

    `on_event` is told of every event, also of those that ask nothing of us.
    """
    emoji: dict[str, JobKind] = {
        settings.ask_emoji.strip(":"): "pointed",
        settings.proposal_emoji.strip(":"): "review",
    }
    event_filter = EventFilter(inbox.database)

    def accept(delivery: Delivery) -> bool:
        return event_filter.concerns_us(delivery) and inbox.accept(delivery)

    async def keep(body: dict[str, Any], next_: Next) -> BoltResponse | None:
        if body.get("type") == "url_verification" or "ssl_check" in body:
            await next_()
            return None
        try:
            if body.get("type") == "event_callback":
                on_event(body)
            wrong = complaints(body)
            delivery = read(body, bot_user=bot_user, emoji=emoji)
        except ODD as error:
            logger.warning("a body that Slack does not send: %r", error)
            return BoltResponse(status=400)
        if wrong:
            return BoltResponse(status=200, body={"response_action": "errors", "errors": wrong})
        if delivery is not None and await inbox.database.run(accept, delivery):
            on_accepted()
        return _ack(body)

    app = AsyncApp(
        token=secret(settings.bot_token),
        signing_secret=secret(settings.signing_secret),
        # Bolt acks before it runs listeners, so a listener would be too late to keep anything.
        # Before authorization, because that asks Slack, and answers 200 when Slack is down.
        before_authorize=keep,
    )

    @app.error
    async def refuse(error: Exception) -> BoltResponse:
        logger.error("not stored; Slack will send it again", exc_info=error)
        return BoltResponse(status=503)

    return app


def _ack(body: dict[str, Any]) -> BoltResponse:
    if body.get("command") != ASK:
        return BoltResponse(status=200)
    strings = strings_for(language_of(body.get("text", "")))
    return BoltResponse(
        status=200, body={"response_type": "ephemeral", "text": strings.asking.looking}
    )
