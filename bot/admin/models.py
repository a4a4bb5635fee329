"""Which models and which index answer, and the way back to the index before."""

from __future__ import annotations

import logging
import time

from bot.admin.admin_cards import learned_lines, model_line, models_card, rollback_card
from bot.admin.commands import CommandRequest
from bot.admin.trial_cards import trial_card
from bot.slack.outgoing.cards import Card, notice
from bot.store.database import Database
from bot.store.inbox import Job
from bot.store.log import utc
from bot.strings import Strings
from bot.trials.arms import read_arms
from retrieval.index.generation import Rollback
from retrieval.registry.runs import KINDS, ModelKind
from retrieval.serving.installation import Installation

logger = logging.getLogger(__name__)


class Models:
    """`/whimbrel models` and `/whimbrel rollback`."""

    def __init__(self, installation: Installation, database: Database) -> None:
        self._installation = installation
        self._database = database

    async def show(self, request: CommandRequest) -> Card:
        """The models and generations."""
        return await self._database.run(self._card, request.strings)

    def _card(self, strings: Strings) -> Card:
        served, previous = self._installation.generations()
        history = learned_lines(
            self._installation.learned(), self._installation.deployments(), strings
        )
        card = models_card(self._installation.models(), served, previous, history, strings)
        trial = self._installation.trial()
        if trial is None:
            return card
        tried = trial_card(trial, read_arms(self._database, trial), strings)
        return Card(f"{card.text}\n{tried.text}", (*card.blocks, *tried.blocks))

    async def roll_back(self, request: CommandRequest) -> Card:
        """Serve the generation before, and say what that changes; or a kind's model before."""
        kinds = (kind for kind in KINDS if kind in request.arguments)
        kind: ModelKind = next(kinds, "retriever")
        if kind != "retriever":
            return await self._database.run(self._roll_back_model, kind, request)
        done = await self._database.run(self._roll_back, request.job)
        logger.info("rolled back by=%s to=%s", request.job.user, done.after.name)
        return rollback_card(done, request.strings)

    def _roll_back_model(self, kind: ModelKind, request: CommandRequest) -> Card:
        """Once for each command: a second time would go back further."""
        reason, strings = _reason(request.job), request.strings
        known = [done for done in self._installation.deployments() if done.reason == reason]
        done = known[0] if known else self._installation.roll_back_model(kind, reason=reason)
        logger.info("rolled back by=%s kind=%s to=%s", request.job.user, kind, done.after)
        return notice(model_line(kind, done.before, done.after, strings))

    def _roll_back(self, job: Job) -> Rollback:
        """Serve the generation before, once for each command: a second time would go forward."""
        served, previous = self._installation.generation_names()
        with self._database.transaction() as db:
            db.lock("rollback", job.event_id)
            known = db.execute(
                "SELECT before FROM rollbacks WHERE event_id = ?", (job.event_id,)
            ).fetchone()
            if known is None:
                row = {"event_id": job.event_id, "at": utc(time.time())}
                db.table("rollbacks").insert(row | {"before": served, "after": previous or ""})
        if known is None or known[0] == served:
            return self._installation.rollback(reason=_reason(job))
        after, before = self._installation.generations()
        return Rollback(known[0], before.recipe.embedder if before else "", after, None)


def _reason(job: Job) -> str:
    """What the history of models says; no other command has it."""
    return f"/whimbrel rollback {job.event_id}"
