"""The HTTP API, put together: beside Slack in the bot's process, or by itself."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from aiohttp import web

from bot.admin import outdated
from bot.admin.syncing import SyncProcess, SyncSchedule
from bot.api.calls import Desk
from bot.api.routes import Routes
from bot.api.service import Service
from bot.app.doors import listening
from bot.app.parts import Engine, Timings
from bot.pool import StoppablePool
from bot.privacy.retention import Retention
from bot.review.curated import CuratedAnswerer, CuratedAnswers
from bot.serving import Serving
from bot.settings import ApiSettings, SlackSettings
from bot.slack.incoming.web import health_routes
from bot.store.audit import AuditLog
from bot.store.database import Database
from bot.store.keys import ApiKeys
from bot.store.leadership import Leadership, Work
from bot.trials.watching import follow

logger = logging.getLogger(__name__)


def is_served(settings: ApiSettings, database: Database) -> bool:
    """Whether a bot is to serve the API: as settings say, else if any key opens it."""
    return ApiKeys(database).has_valid() if settings.serve is None else settings.serve


class Api:
    """Answers calls on threads of its own, until its end."""

    def __init__(
        self, settings: ApiSettings, slack: SlackSettings, database: Database, engine: Engine
    ) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._pool = StoppablePool(settings.workers, name="api", stop=self._stop)
        self._desk = Desk(
            at_once=settings.workers,
            max_waiting=settings.max_waiting,
            max_waiting_per_key=settings.max_waiting_per_key,
        )
        curated = CuratedAnswers(database, engine.documents)
        self.service = Service(
            database,
            CuratedAnswerer(curated, engine.answerer, links=engine.links),
            engine.documents,
            self._pool,
            self._desk,
            AuditLog(database, keep_days=slack.audit_days),
            links=engine.links,
            answer_seconds=settings.answer_seconds,
        )
        self.routes = Routes(self.service).all()

    async def listen(self, stack: AsyncExitStack, others: list[web.RouteDef] | None = None) -> int:
        """Serve at the address of the settings, with other routes; the port."""
        routes, settings = [*self.routes, *(others or ())], self._settings
        host, name = settings.listen_host, "WHIMBREL_API_LISTEN_PORT"
        port = await listening(stack, routes, host, settings.listen_port, setting=name)
        logger.info("serving the API on %s:%d", host, port)
        return port

    async def end(self, *, grace_s: float) -> None:
        """Take no more calls, let those in progress end for a while, and break off the rest."""
        await self._desk.close(grace_s=grace_s)
        self._stop.set()
        await self._pool.shutdown()


class ApiServer(Serving):
    """Serves the API without Slack, from `async with` to its end.

    It follows what is published, syncs sources at their times, and deletes what is too old.
    """

    def __init__(
        self,
        settings: ApiSettings,
        slack: SlackSettings,
        database: Path,
        engine: Engine,
        syncer: SyncProcess,
        *,
        address: str | None = None,
        timings: Timings = Timings(),  # noqa: B008 - it is frozen
    ) -> None:
        super().__init__()
        self.port = settings.listen_port
        self._settings = settings
        self._slack = slack
        self._database_path = database
        self._address = address
        self._engine = engine
        self._syncer = syncer
        self._timings = timings

    async def _start(self, stack: AsyncExitStack) -> None:
        database = Database(
            self._database_path, address=self._address, redactor=self._slack.redactor
        )
        stack.callback(database.close)
        keys = ApiKeys(database)

        async def is_ready() -> bool:
            await database.run(keys.has_valid)
            return True

        if not keys.has_valid():
            logger.warning("no key holds; make one with `whimbrel keys create NAME`")
        api = Api(self._settings, self._slack, database, self._engine)
        self.service = api.service
        self.port = await api.listen(stack, health_routes(is_ready))
        stack.push_async_callback(api.end, grace_s=self._timings.grace_s)
        retention = Retention(database, self._slack.kept_days)
        following = follow(self._engine.candidates, every_s=self._timings.look_s)
        works: list[Work] = [partial(retention.run, every_s=self._timings.retain_s)]
        look_s = self._timings.look_s
        works.append(partial(outdated.watch, database, self._engine.documents, every_s=look_s))
        if self._syncer.has_schedule:
            works.append(SyncSchedule(self._syncer).run)
        leading = Leadership(database).run(*works)
        tasks = [asyncio.create_task(run) for run in (following, leading)]

        async def end() -> None:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        stack.push_async_callback(end)
