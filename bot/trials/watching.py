"""Follows trials while the bot serves: loads candidates, compares the arms, and takes back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from slack_sdk.errors import SlackApiError

from bot.slack.outgoing.cards import escape, notice
from bot.slack.outgoing.reaching import SlackUnreachableError
from bot.slack.workspace import Workspace
from bot.store.database import Database
from bot.trials.arms import read_arms
from bot.trials.harm import harm
from bot.trials.shadowing import Candidates, Shadowing
from retrieval.errors import RetrievalError
from retrieval.registry.trials import Trial
from retrieval.serving.installation import Installation

logger = logging.getLogger(__name__)


class Watching:
    """Looks again and again at what was published and at the trial, as long as it runs."""

    def __init__(
        self,
        candidates: Candidates,
        installation: Installation,
        shadowing: Shadowing,
        database: Database,
        workspace: Workspace,
        *,
        admins: tuple[str, ...],
        every_s: float = 2.0,
    ) -> None:
        self._candidates = candidates
        self._installation = installation
        self._shadowing = shadowing
        self._database = database
        self._outbox = workspace.outbox
        self._people = workspace.people
        self._admins = admins
        self._every_s = every_s

    async def run_here(self) -> None:
        """Follow, in every process, what is published and on trial, until cancelled."""
        await self._repeat(self.follow)

    async def run_once(self) -> None:
        """Look, in one process alone, how the trial goes, until cancelled."""
        await asyncio.gather(self._repeat(self.shadow), self._repeat(self.watch))

    async def follow(self) -> None:
        """Answer with what is published and on trial now."""
        await asyncio.to_thread(self._candidates.refresh)

    async def shadow(self) -> None:
        """Have the candidate answer in the shadow what is due."""
        trial = await asyncio.to_thread(self._installation.trial)
        if trial is not None:
            await self._shadowing.check(trial)

    async def watch(self) -> None:
        """Take the candidate back if it does harm, and tell the admins."""
        trial = await asyncio.to_thread(self._installation.trial)
        if trial is None:
            return
        arms = await self._database.run(read_arms, self._database, trial)
        reason = harm(arms)
        if reason is None:
            return
        if await asyncio.to_thread(self._installation.end_trial, trial, reason=reason):
            logger.warning("taken back kind=%s run=%s: %s", trial.kind, trial.run, reason)
            await self._tell(trial, reason)

    async def _tell(self, trial: Trial, reason: str) -> None:
        for admin in self._admins:
            try:
                _, strings = await self._people.look_up(admin)
                words = strings.trial.taken_back.format(
                    kind=strings.models.trained_kinds[trial.kind],
                    run=trial.run,
                    reason=escape(reason),
                )
                event_id = f"trial:{trial.run}:{trial.since}"
                await self._outbox.post(admin, notice(words), thread_ts=None, event_id=event_id)
            except (SlackApiError, SlackUnreachableError):
                logger.exception("could not tell admin=%s", admin)

    async def _repeat(self, check: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await check()
            except RetrievalError as error:
                logger.info("looked in vain: %s", error)
            except Exception:
                logger.exception("looked in vain")
            await asyncio.sleep(self._every_s)
