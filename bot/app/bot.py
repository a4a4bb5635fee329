"""The bot as a whole: opened and closed as one, from the database to the door to Slack."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import aiohttp
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.admin import outdated
from bot.admin.schedule import Schedule
from bot.admin.submissions import complaints
from bot.admin.syncing import SyncSchedule
from bot.app.admin import AdminCommands
from bot.app.api import Api, is_served
from bot.app.asking import Asking
from bot.app.doors import connected, is_reached, listening
from bot.app.feedback import Feedback
from bot.app.monitoring import Monitoring
from bot.app.parts import Engine, LongJobs, Timings
from bot.app.worker import Lane, Worker
from bot.pool import StoppablePool
from bot.privacy.retention import Retention
from bot.serving import Serving
from bot.settings import ApiSettings, SlackSettings
from bot.slack.counted import counting
from bot.slack.incoming.app import build_app
from bot.slack.incoming.early import EarlyDeliveries
from bot.slack.incoming.web import health_routes, metrics_route, slack_route
from bot.slack.outgoing.mrkdwn import quoted
from bot.slack.workspace import REQUEST_S, Workspace, log_in
from bot.store.audit import AuditLog
from bot.store.channels import Channels
from bot.store.database import Database
from bot.store.inbox import Inbox
from bot.store.leadership import Leadership, Work
from bot.store.log import ConversationLog
from bot.times import Times
from bot.trials.shadowing import Shadowing
from bot.trials.watching import Watching, follow
from retrieval.errors import SettingsError

logger = logging.getLogger(__name__)


class Bot(Serving):
    """Serves one workspace from `async with` to its end.

    It `is_behind` where another process of ours takes what Slack delivers; callers of the API come
    to it all the same. Entering it raises SettingsError if Slack cannot be reached or refuses a
    token.
    """

    def __init__(
        self,
        settings: SlackSettings,
        database: Path,
        engine: Engine,
        jobs: LongJobs,
        *,
        address: str | None = None,
        host: str = "0.0.0.0",  # noqa: S104 - Slack must reach it; deliveries are signed
        port: int = 3000,
        api: ApiSettings | None = None,
        is_behind: bool = False,
        timings: Timings = Timings(),  # noqa: B008 - it is frozen
    ) -> None:
        super().__init__()
        self.settings = settings
        self.port = port
        self.api_port: int | None = None
        self._api = api
        self._is_behind = is_behind
        self._database_path = database
        self._address = address
        self._engine = engine
        self._jobs = jobs
        self._host = host
        self._timings = timings
        self._sockets: list[AsyncSocketModeHandler] = []

    async def is_ready(self) -> bool:
        """Whether Slack reaches us, jobs are claimed and the database can be read."""
        if not await is_reached(self._sockets):
            return False
        await self._database.run(self.inbox.waiting, "question")
        return self.worker.is_running

    async def _start(self, stack: AsyncExitStack) -> None:
        self._database = Database(
            self._database_path, address=self._address, redactor=self.settings.redactor
        )
        stack.callback(self._database.close)
        self.log = ConversationLog(self._database)
        self.channels = Channels(self._database)
        self.inbox = Inbox(
            self._database,
            max_waiting=self.settings.max_waiting,
            max_per_person=self.settings.max_waiting_per_person,
            max_per_channel=self.settings.max_waiting_per_channel,
        )
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=REQUEST_S),
                trace_configs=[counting(self.settings.api_url)],
            )
        )
        workspace = await log_in(
            self.settings, session, held_at_sources=self._engine.held_at_sources
        )
        early = EarlyDeliveries(self.inbox)
        self._start_worker(stack, workspace, early)
        app = build_app(
            self.settings,
            early,
            self._database,
            bot_user=workspace.bot_user,
            bot_id=workspace.bot_id,
            complaints=complaints,
            on_event=workspace.notice,
            on_accepted=self.worker.wake,
            quote=quoted,
        )
        api = self._opened_api()
        await self._open_door(stack, app, workspace.client, api)
        if api is not None:  # its calls end before the doors are closed
            stack.push_async_callback(api.end, grace_s=self._timings.grace_s)

    def _opened_api(self) -> Api | None:
        settings, database = self._api, self._database
        if settings is None or not is_served(settings, database):
            return None
        return Api(settings, self.settings, database, self._engine)

    def _start_worker(
        self, stack: AsyncExitStack, workspace: Workspace, early: EarlyDeliveries
    ) -> None:
        settings, inbox, engine, stop = self.settings, self.inbox, self._engine, threading.Event()
        answering = StoppablePool(settings.workers, name="answer", stop=stop)
        background = StoppablePool(1, name="recheck", stop=stop)
        feedback = Feedback(settings, inbox, workspace, engine, background, wake=self._wake)
        answerer, self.rechecker = feedback.curated_answerer(), feedback.rechecker()
        asking = Asking(
            settings, inbox, workspace, answerer, engine.documents, answering, engine.links
        )
        admin = AdminCommands(
            inbox,
            workspace,
            engine.installation,
            self._jobs,
            stop,
            self._timings.tick_s,
            AuditLog(self._database, keep_days=settings.audit_days),
            settings.kept_days,
        )
        handlers = {**asking.handlers(), **feedback.handlers(self.rechecker), **admin.handlers()}
        self.worker = Worker(inbox, handlers, retry_s=self._timings.retry_s)

        # What can be refused comes before all that has to be ended.
        schedule = self._schedule()
        watching = self._watching(workspace, background)
        admitting = early.run(every_s=self._timings.look_s, on_accepted=self._wake)
        retention = Retention(self._database, settings.kept_days)
        works: list[Work] = [self.rechecker.run, watching.run]
        works.append(partial(retention.run, every_s=self._timings.retain_s))
        look_s = self._timings.look_s
        works.append(partial(outdated.watch, self._database, engine.documents, every_s=look_s))
        if self._jobs.syncer.has_schedule:
            works.append(SyncSchedule(self._jobs.syncer).run)
        if schedule is not None:
            works.append(schedule.run)
        self.leadership = Leadership(self._database, on_news=self._wake)
        following = follow(self._engine.candidates, every_s=self._timings.look_s)
        runs = (admitting, following, self.leadership.run(*works))
        tasks = [asyncio.create_task(run) for run in runs]

        async def end() -> None:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.worker.stop(grace_s=self._timings.grace_s, on_grace_over=stop.set)
            await answering.shutdown()
            await background.shutdown()

        stack.push_async_callback(end)
        self.worker.start(
            (
                Lane(("question",), settings.workers),
                Lane(("reindex",), 2),  # the second is told of the first
                Lane(("learn",), 2),
                Lane(("replay",), 2),
                Lane(("report",), 1),
                Lane(("refusal", "queued", "overheard", "pointed", "prompts", "change"), 4),
                # Modals must open within seconds of the click; who presses stop wants it now.
                Lane(("command", "config", "card", "stop", "withdraw"), 4),
                Lane(("vote", "review", "home"), 4),
            )
        )

    def _wake(self, kind: str = "") -> None:
        self.worker.wake(kind)

    def _schedule(self) -> Schedule | None:
        if self.settings.learn_at is None:
            return None
        if not self.settings.admins:
            raise SettingsError("SLACK_LEARN_AT needs SLACK_ADMINS: the first of them is told")
        times, admin = Times.of(self.settings.learn_at), self.settings.admins[0]
        return Schedule(times, admin, self.inbox, on_accepted=self._wake)

    def _watching(self, workspace: Workspace, background: StoppablePool) -> Watching:
        return Watching(
            self._engine.installation,
            Shadowing(self._engine.candidates, self.inbox, background),
            self._database,
            workspace,
            admins=self.settings.admins,
            every_s=self._timings.look_s,
        )

    def _metrics(self) -> list[web.RouteDef]:
        if not self.settings.metrics:
            return []
        jobs, installation = self._jobs, self._engine.installation
        monitoring = Monitoring(self.inbox, installation, jobs.learner, jobs.syncer)
        return [metrics_route(monitoring.text)]

    async def _open_door(
        self,
        stack: AsyncExitStack,
        app: AsyncApp,
        client: AsyncWebClient,
        api: Api | None,
    ) -> None:
        health = health_routes(self.is_ready)
        if self.settings.health_port:
            host, port = self.settings.health_host, self.settings.health_port
            await listening(
                stack,
                [*health, *self._metrics()],
                host,
                port,
                setting="SLACK_HEALTH_PORT (0: none)",
            )
        if self.settings.app_token is not None:
            ping_s = self._timings.ping_s
            self._sockets = await connected(stack, app, client, self.settings, ping_s=ping_s)
        else:
            routes = [slack_route(app), *health]
            if api is not None and not self._is_behind:
                routes += api.routes
            self.port = await listening(stack, routes, self._host, self.port, setting="--port")
        if api is not None and (self._is_behind or self._sockets):
            self.api_port = await api.listen(stack)
        logger.info("serving mode=%s", self.settings.mode)
