"""The bot as a whole: opened and closed as one, from the database to the door to Slack."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web
from pydantic import SecretStr
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient

from bot.admin.learner import LearningProcess
from bot.admin.models import Holdings
from bot.admin.reindex import Reindexer
from bot.admin.replaying import Replayer
from bot.admin.schedule import Schedule
from bot.admin.submissions import complaints
from bot.app.admin import AdminCommands
from bot.app.asking import Asking
from bot.app.feedback import Feedback
from bot.app.worker import Lane, Worker
from bot.asking.card_actions import CardHandler
from bot.asking.questions import AnswersQuestions
from bot.review.document_lookup import DocumentLookup
from bot.settings import SlackSettings
from bot.slack.audience import Audiences
from bot.slack.conversations import Conversations
from bot.slack.incoming.app import build_app
from bot.slack.incoming.event_filter import EventFilter
from bot.slack.incoming.web import health_routes, listen, slack_route
from bot.slack.outgoing.outbox import Outbox
from bot.slack.outgoing.reaching import reason
from bot.slack.people import People
from bot.store.cards import Cards
from bot.store.channels import Channels
from bot.store.database import Database
from bot.store.inbox import Inbox
from bot.store.log import ConversationLog
from bot.store.signals import Signals
from bot.times import Times
from bot.trials.shadowing import Candidates, Shadowing
from bot.trials.watching import Watching
from retrieval.errors import SettingsError

logger = logging.getLogger(__name__)

REQUEST_S = 30
PING_S = 3.0
"""A socket that was lost without a word is noticed and replaced after so long."""
LOOK_S = 2.0
"""How often we look at what was published and at how a candidate does."""
GRACE_S = 20.0
"""How long answers in progress may take to end once the bot is told to stop."""


class Bot:
    """Serves one workspace from `async with` to its end.

    Entering it raises SettingsError if Slack cannot be reached or refuses a token.
    """

    def __init__(
        self,
        settings: SlackSettings,
        database: Path,
        answerer: AnswersQuestions,
        reindexer: Reindexer,
        learner: LearningProcess,
        replayer: Replayer,
        holdings: Holdings,
        shelf: DocumentLookup,
        candidates: Candidates,
        *,
        host: str = "0.0.0.0",  # noqa: S104 - Slack must reach it; deliveries are signed
        port: int = 3000,
        grace_s: float = GRACE_S,
        retry_s: float = 2.0,
        tick_s: float = 3.0,
        ping_s: float = PING_S,
        look_s: float = LOOK_S,
    ) -> None:
        self.settings = settings
        self.port = port
        self._database_path = database
        self._answerer = answerer
        self._reindexer = reindexer
        self._learner = learner
        self._replayer = replayer
        self._holdings = holdings
        self._shelf = shelf
        self._candidates = candidates
        self._host = host
        self._grace_s = grace_s
        self._retry_s = retry_s
        self._tick_s = tick_s
        self._ping_s = ping_s
        self._look_s = look_s
        self._sockets: list[AsyncSocketModeHandler] = []
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
        connected = [await socket.client.is_connected() for socket in self._sockets]
        if connected and not any(connected):
            return False
        await self._database.run(self.inbox.waiting, "question")
        return self.worker.is_running

    async def _start(self, stack: AsyncExitStack) -> None:
        self._database = Database(self._database_path)
        stack.callback(self._database.close)
        self.log = ConversationLog(self._database)
        self.channels = Channels(self._database)
        self.inbox = Inbox(self._database, max_waiting=self.settings.max_waiting)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REQUEST_S))
        )
        # An edit can be repeated; a post whose answer got lost may have been made.
        client = self._client(session, _again_if_throttled() + _again_if_broken())
        poster = self._client(session, _again_if_throttled())
        streamer = self._client(session, [])
        bot_user = await _log_in(client)
        outbox = Outbox(client, poster, streamer, bot_user=bot_user)
        self._start_worker(stack, bot_user, client, streamer, session, outbox)
        app = build_app(
            self.inbox,
            token=_secret(self.settings.bot_token),
            bot_user=bot_user,
            signing_secret=_secret(self.settings.signing_secret),
            concerns_us=EventFilter(self._database, self.channels).concerns_us,
            complaints=complaints,
            emoji={
                self.settings.ask_emoji.strip(":"): "pointed",
                self.settings.proposal_emoji.strip(":"): "review",
            },
            on_accepted=self.worker.wake,
        )
        await self._open_door(stack, app, client)

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
        self,
        stack: AsyncExitStack,
        bot_user: str,
        client: AsyncWebClient,
        streamer: AsyncWebClient,
        session: aiohttp.ClientSession,
        outbox: Outbox,
    ) -> None:
        stop = threading.Event()
        threads = ThreadPoolExecutor(self.settings.workers, thread_name_prefix="answer")
        background = ThreadPoolExecutor(1, thread_name_prefix="recheck")
        people = People(self.settings, client)
        feedback = Feedback(
            settings=self.settings,
            inbox=self.inbox,
            log=self.log,
            outbox=outbox,
            people=people,
            audiences=Audiences(self.settings, client),
            messages=Conversations(client, bot_user=bot_user),
            answerer=self._answerer,
            shelf=self._shelf,
            holdings=self._holdings,
            bot_user=bot_user,
            background=background,
            stop=stop,
            wake=lambda: self.worker.wake(),
        )
        self.rechecker = feedback.rechecker()
        asking = Asking(
            settings=self.settings,
            inbox=self.inbox,
            log=self.log,
            channels=self.channels,
            outbox=outbox,
            people=people,
            answerer=feedback.curated_answerer(),
            shelf=self._shelf,
            client=client,
            hasty=streamer,
            session=session,
            bot_user=bot_user,
            executor=threads,
            stop=stop,
        )
        self.worker = Worker(
            self.inbox,
            {
                **asking.handlers(),
                **feedback.handlers(self.rechecker),
                "card": CardHandler(
                    self.inbox,
                    Cards(self._database),
                    self.channels,
                    Signals(self._database),
                    outbox,
                    Audiences(self.settings, client),
                    people,
                    proposal_emoji=self.settings.proposal_emoji,
                ),
                **self._desk(outbox, people, stop).handlers(),
            },
            retry_s=self._retry_s,
        )

        # What can be refused comes before all that has to be ended.
        learn_at = self.settings.learn_at
        schedule = self._schedule(learn_at) if learn_at is not None else None
        watching = self._watching(outbox, people, background, stop)
        tasks = [asyncio.create_task(self.rechecker.run()), *watching.start()]
        if schedule is not None:
            tasks.append(asyncio.create_task(schedule.run()))

        async def end() -> None:
            for task in tasks:
                task.cancel()
            await self.worker.stop(grace_s=self._grace_s, on_grace_over=stop.set)
            await asyncio.to_thread(threads.shutdown)
            await asyncio.to_thread(background.shutdown)

        stack.push_async_callback(end)
        self.worker.start(
            (
                Lane(("question",), self.settings.workers),
                Lane(("reindex",), 2),  # the second is told of the first
                Lane(("learn",), 2),
                Lane(("replay",), 2),
                Lane(("report",), 1),
                Lane(("refusal", "overheard", "pointed", "prompts", "change"), 4),
                # Modals must open within seconds of the click; who presses stop wants it now.
                Lane(("command", "config", "card", "stop"), 4),
                Lane(("vote", "review", "home"), 4),
            )
        )

    def _schedule(self, learn_at: str) -> Schedule:
        if not self.settings.admins:
            raise SettingsError("SLACK_LEARN_AT needs SLACK_ADMINS: the first of them is told")
        times, admin = Times.of(learn_at), self.settings.admins[0]
        return Schedule(times, admin, self.inbox, on_accepted=lambda: self.worker.wake())

    def _watching(
        self, outbox: Outbox, people: People, background: Executor, stop: threading.Event
    ) -> Watching:
        shadowing = Shadowing(self._candidates, self.inbox, executor=background, stop=stop)
        return Watching(
            self._candidates,
            self._holdings,
            shadowing,
            self._database,
            outbox,
            people,
            admins=self.settings.admins,
            every_s=self._look_s,
        )

    def _desk(self, outbox: Outbox, people: People, stop: threading.Event) -> AdminCommands:
        return AdminCommands(
            inbox=self.inbox,
            log=self.log,
            channels=self.channels,
            outbox=outbox,
            people=people,
            holdings=self._holdings,
            reindexer=self._reindexer,
            learner=self._learner,
            replayer=self._replayer,
            stop=stop,
            tick_s=self._tick_s,
        )

    async def _open_door(
        self, stack: AsyncExitStack, app: AsyncApp, client: AsyncWebClient
    ) -> None:
        health = health_routes(self.is_ready)
        if self.settings.health_port:
            host, port = self.settings.health_host, self.settings.health_port
            await _listen(stack, health, host, port, setting="SLACK_HEALTH_PORT (0: none)")
        if self.settings.app_token is not None:
            for _ in range(self.settings.connections):
                # Slack sends each event over one of them; while one is renewed, another is open.
                token = _secret(self.settings.app_token)
                socket = await _connect(app, client, token, ping_s=self._ping_s)
                stack.push_async_callback(socket.client.close)
                self._sockets.append(socket)
        else:
            routes = [slack_route(app), *health]
            self.port = await _listen(stack, routes, self._host, self.port, setting="--port")
        logger.info("serving mode=%s", self.settings.mode)


async def _log_in(client: AsyncWebClient) -> str:
    try:
        return str((await client.auth_test())["user_id"])
    except SlackApiError as error:
        raise SettingsError(f"SLACK_BOT_TOKEN: Slack says {reason(error) or error}") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise SettingsError(f"cannot reach Slack at {client.base_url}: {error}") from error


async def _connect(
    app: AsyncApp, client: AsyncWebClient, token: str, *, ping_s: float
) -> AsyncSocketModeHandler:
    handler = AsyncSocketModeHandler(app, token, web_client=client, ping_interval=ping_s)
    try:
        # The client itself would log a wrong token for ever.
        handler.client.wss_uri = await handler.client.issue_new_wss_url()
        await handler.client.connect()  # type: ignore[no-untyped-call]
    except SlackApiError as error:
        await handler.client.close()  # type: ignore[no-untyped-call]
        raise SettingsError(f"SLACK_APP_TOKEN: Slack says {reason(error) or error}") from error
    return handler


async def _listen(
    stack: AsyncExitStack, routes: list[web.RouteDef], host: str, port: int, *, setting: str
) -> int:
    try:
        runner, port = await listen(routes, host, port)
    except OSError as error:
        raise SettingsError(f"{setting}: {error}") from error
    stack.push_async_callback(runner.cleanup)
    return port


def _again_if_throttled() -> list[AsyncRetryHandler]:
    return [AsyncRateLimitErrorRetryHandler(max_retry_count=5)]


def _again_if_broken() -> list[AsyncRetryHandler]:
    return [
        AsyncConnectionErrorRetryHandler(max_retry_count=3),
        AsyncServerErrorRetryHandler(max_retry_count=3),
    ]


async def run_until_stopped(bot: Bot) -> None:
    """Serve until the process is told to end; then let answers in progress be finished."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    async with bot:
        await stopped.wait()
        logger.info("stopping")


def _secret(setting: SecretStr | None) -> str:
    return setting.get_secret_value() if setting else ""
