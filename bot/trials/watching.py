"""Follows trials while the bot serves: loads candidates, compares the arms, and takes back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

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
    """Looks again and again how the trial goes, as long as one runs."""

    def __init__(
        self,
        installation: Installation,
        shadowing: Shadowing,
        database: Database,
        workspace: Workspace,
        *,
        admins: tuple[str, ...],
        every_s: float = 2.0,
    ) -> None:
        self._installation = installation
        self._shadowing = shadowing
        self._database = database
        self._outbox = workspace.outbox
        self._people = workspace.people
        self._admins = admins
        self._every_s = every_s

    async def run(self) -> None:
        """Look, in one process alone, until cancelled."""
        await asyncio.gather(*(repeat(look, self._every_s) for look in (self.shadow, self.watch)))

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


async def follow(candidates: Candidates, *, every_s: float) -> None:
    """Have answered with what is published and on trial, again and again, until cancelled."""
    await repeat(partial(asyncio.to_thread, candidates.refresh), every_s)


async def repeat(check: Callable[[], Awaitable[None]], every_s: float) -> None:
    """Check again and again, until cancelled; what goes wrong is logged."""
    while True:
        try:
            await check()
        except RetrievalError as error:
            logger.info("looked in vain: %s", error)
        except Exception:
            logger.exception("looked in vain")
        await asyncio.sleep(every_s)
