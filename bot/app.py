"""The bot as a whole: Bolt takes what Slack sends, the inbox keeps it, the worker does it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from pydantic import SecretStr
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient

from bot.admin import CommandHandler, People, Reindexer, ReindexHandler
from bot.audience import Audiences
from bot.database import Database
from bot.feedback import RatingHandler
from bot.inbox import Inbox
from bot.intake import ASK, read
from bot.log import ConversationLog
from bot.outbox import Outbox
from bot.questions import Answerer, QuestionHandler, RefusalHandler
from bot.settings import SlackSettings
from bot.strings import strings_for
from bot.web import health_routes, listen, slack_route
from bot.worker import Lane, Worker
from retrieval.errors import SettingsError
from retrieval.language import language_of

logger = logging.getLogger(__name__)

Next = Callable[[], Awaitable[None]]

REQUEST_S = 30
GRACE_S = 20.0
"""How long answers in progress may take to end once the bot is told to stop."""


class Bot:
    """Serves one workspace from `async with` to its end.

    Raises on entry:
        SettingsError: If Slack does not accept a token.
    """

    def __init__(
        self,
        settings: SlackSettings,
        database: Path,
        answerer: Answerer,
        reindexer: Reindexer,
        *,
        host: str = "0.0.0.0",  # noqa: S104 - Slack must reach it; deliveries are signed
        port: int = 3000,
        grace_s: float = GRACE_S,
        retry_s: float = 2.0,
        tick_s: float = 3.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.port = port
        self._database_path = database
        self._answerer = answerer
        self._reindexer = reindexer
        self._host = host
        self._grace_s = grace_s
        self._retry_s = retry_s
        self._tick_s = tick_s
        self._clock = clock
        self._socket: AsyncSocketModeHandler | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def is_ready(self) -> bool:
        """Whether Slack reaches us, jobs are claimed and the database can be read."""
        if self._socket is not None and not await self._socket.client.is_connected():
            return False
        await asyncio.to_thread(self.inbox.waiting, "question")
        return self.worker.is_running

    async def _start(self, stack: AsyncExitStack) -> None:
        self._database = Database(self._database_path)
        stack.callback(self._database.close)
        self.log = ConversationLog(self._database)
        self.inbox = Inbox(self._database, max_waiting=self.settings.max_waiting, clock=self._clock)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REQUEST_S))
        )
        # An edit can be repeated; a post whose answer got lost may have been made.
        client = self._client(session, _again_if_throttled() + _again_if_broken())
        poster = self._client(session, _again_if_throttled())
        bot_user = await _log_in(client)
        self._start_worker(stack, bot_user, client, Outbox(client, poster))
        app = build_app(self.inbox, client, self.settings, bot_user, on_accepted=self.worker.wake)
        await self._open_door(stack, app)

    def _client(
        self, session: aiohttp.ClientSession, handlers: list[AsyncRetryHandler]
    ) -> AsyncWebClient:
        return AsyncWebClient(
            token=_secret(self.settings.bot_token),
            base_url=self.settings.api_url.rstrip("/") + "/",
            timeout=REQUEST_S,
            session=session,
            retry_handlers=handlers,
        )

    def _start_worker(
        self, stack: AsyncExitStack, bot_user: str, client: AsyncWebClient, outbox: Outbox
    ) -> None:
        stop = threading.Event()
        threads = ThreadPoolExecutor(self.settings.workers, thread_name_prefix="answer")
        people = People(self.settings, client)
        self.worker = Worker(
            self.inbox,
            {
                "question": QuestionHandler(
                    self._answerer,
                    self.inbox,
                    self.log,
                    outbox,
                    Audiences(self.settings, client),
                    bot_user=bot_user,
                    threads=threads,
                    stop=stop,
                    clock=self._clock,
                ),
                "refusal": RefusalHandler(self.inbox, outbox),
                "command": CommandHandler(self.inbox, self.log, outbox, people),
                "reindex": ReindexHandler(
                    self._reindexer, self.inbox, outbox, people, stop=stop, tick_s=self._tick_s
                ),
                "vote": RatingHandler(self.inbox, self.log, clock=self._clock),
            },
            retry_s=self._retry_s,
            clock=self._clock,
        )

        async def end() -> None:
            # Reindexing takes longer than anybody waits, and is begun again as cheaply.
            await self.worker.stop(grace_s=self._grace_s, on_grace_over=stop.set)
            await asyncio.to_thread(threads.shutdown)

        stack.push_async_callback(end)
        self.worker.start(
            (
                Lane(("question",), self.settings.workers),
                Lane(("reindex",), 1),
                Lane(("refusal", "command", "vote"), 4),
            )
        )

    async def _open_door(self, stack: AsyncExitStack, app: AsyncApp) -> None:
        routes = health_routes(self.is_ready)
        if self.settings.app_token is not None:
            self._socket = await _connect(app, _secret(self.settings.app_token))
            stack.push_async_callback(self._socket.client.close)
            host, port = self.settings.health_host, self.settings.health_port
        else:
            routes.append(slack_route(app))
            host, port = self._host, self.port
        if port or self._socket is None:
            runner, self.port = await listen(routes, host, port)
            stack.push_async_callback(runner.cleanup)
        logger.info("serving mode=%s port=%d", self.settings.mode, self.port)


def build_app(
    inbox: Inbox,
    client: AsyncWebClient,
    settings: SlackSettings,
    bot_user: str,
    *,
    on_accepted: Callable[[], None],
) -> AsyncApp:
    """Bolt with one middleware: store, then ack. Bolt checks signatures and speaks the protocol."""

    async def keep(body: dict[str, Any], next_: Next) -> BoltResponse | None:
        if body.get("type") == "url_verification" or "ssl_check" in body:
            await next_()
            return None
        delivery = read(body, bot_user=bot_user)
        if delivery is not None and await asyncio.to_thread(inbox.accept, delivery):
            on_accepted()
        return _ack(body)

    app = AsyncApp(
        client=client,
        signing_secret=_secret(settings.signing_secret),
        # Bolt acks before it runs listeners, so a listener would be too late to keep anything.
        # Before authorization, because that asks Slack, and answers 200 when Slack is down.
        before_authorize=keep,
    )

    @app.error
    async def refuse(error: Exception) -> BoltResponse:
        logger.error("not stored; Slack will send it again", exc_info=error)
        return BoltResponse(status=503)

    return app


def _secret(setting: SecretStr | None) -> str:
    return setting.get_secret_value() if setting else ""


def _ack(body: dict[str, Any]) -> BoltResponse:
    if body.get("command") != ASK:
        return BoltResponse(status=200)
    strings = strings_for(language_of(body.get("text", "")))
    return BoltResponse(status=200, body={"response_type": "ephemeral", "text": strings.looking})


async def _log_in(client: AsyncWebClient) -> str:
    try:
        return str((await client.auth_test())["user_id"])
    except SlackApiError as error:
        reason = error.response["error"]
        raise SettingsError(f"SLACK_BOT_TOKEN: Slack says {reason}") from error


async def _connect(app: AsyncApp, token: str) -> AsyncSocketModeHandler:
    handler = AsyncSocketModeHandler(app, token)
    try:
        # The client itself would log a wrong token for ever.
        handler.client.wss_uri = await handler.client.issue_new_wss_url()
        await handler.client.connect()  # type: ignore[no-untyped-call]
    except SlackApiError as error:
        await handler.client.close()  # type: ignore[no-untyped-call]
        reason = error.response["error"]
        raise SettingsError(f"SLACK_APP_TOKEN: Slack says {reason}") from error
    return handler


def _again_if_throttled() -> list[AsyncRetryHandler]:
    return [AsyncRateLimitErrorRetryHandler(max_retry_count=5)]


def _again_if_broken() -> list[AsyncRetryHandler]:
    return [
        AsyncConnectionErrorRetryHandler(max_retry_count=3),
        AsyncServerErrorRetryHandler(max_retry_count=3),
    ]
