"""Which models and which index answer, and the way back to the index before."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from bot.admin.admin_cards import learned_lines, model_line, models_card, rollback_card
from bot.admin.commands import CommandRequest
from bot.admin.trial_cards import trial_card
from bot.review.matching import QueryEmbedder
from bot.slack.outgoing.cards import Card, notice
from bot.store.database import Database
from bot.store.inbox import Job
from bot.store.log import utc
from bot.strings import Strings
from bot.trials.arms import read_arms
from retrieval.index.changes import Changes
from retrieval.index.generation import Manifest, Rollback
from retrieval.records import Source
from retrieval.registry.runs import KINDS, Deployment, ModelKind
from retrieval.registry.trials import Trial
from retrieval.serving.installation import LearnedModel

logger = logging.getLogger(__name__)


class Holdings(Protocol):
    """What admins see and steer of `retrieval`. It is called from several threads at once.

    All of it raises RetrievalError where there is no index, or where it cannot be read.
    """

    def models(self) -> Mapping[str, str]:
        """The ids of the models in use, by what they do."""

    def generations(self) -> tuple[Manifest, Manifest | None]:
        """The generation that is served, and the one that `rollback` would serve."""

    def rollback(self, *, reason: str) -> Rollback:
        """Serve the generation before, from the next question on."""

    def sources(self) -> Sequence[Source]:
        """The documents that are searched now."""

    def learned(self) -> Sequence[LearnedModel]:
        """Every model that was trained here, the oldest first."""

    def deployments(self) -> Sequence[Deployment]:
        """Every change of the trained models that serve, the oldest first."""

    def trial(self) -> Trial | None:
        """The trial that is under way."""

    def complete_trial(self, trial: Trial, *, reason: str) -> Deployment:
        """Let a candidate serve everybody."""

    def end_trial(self, trial: Trial, *, reason: str) -> bool:
        """Let what served before a trial answer everything again; False if it does already."""

    def roll_back_model(self, kind: ModelKind, *, reason: str) -> Deployment:
        """Let the model of a kind, other than a retriever, serve again that served before."""

    def take_back(self) -> bool:
        """Let no retired model serve from the next question on; True if one did."""

    @property
    def embedder(self) -> QueryEmbedder:
        """What turns questions into vectors."""


class Models:
    """`/whimbrel models` and `/whimbrel rollback`."""

    def __init__(
        self,
        holdings: Holdings,
        database: Database,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._holdings = holdings
        self._database = database
        self._clock = clock

    async def show(self, request: CommandRequest) -> Card:
        """The models and generations."""
        return await self._database.run(self._card, request.strings)

    def _card(self, strings: Strings) -> Card:
        served, previous = self._holdings.generations()
        history = learned_lines(self._holdings.learned(), self._holdings.deployments(), strings)
        card = models_card(self._holdings.models(), served, previous, history, strings)
        trial = self._holdings.trial()
        if trial is None:
            return card
        tried = trial_card(trial, read_arms(self._database, trial), strings)
        return Card(f"{card.text}\n{tried.text}", (*card.blocks, *tried.blocks))

    async def roll_back(self, request: CommandRequest) -> Card:
        """Serve the generation before, and say what that changes; or a kind's model before."""
        kinds = (each for each in KINDS if each in request.arguments)
        kind: ModelKind = next(kinds, "retriever")
        if kind != "retriever":
            return await self._database.run(self._roll_back_model, kind, request)
        before, after, changes = await self._database.run(self._roll_back, request.job)
        logger.info("rolled back by=%s to=%s", request.job.user, after.name)
        return rollback_card(before, after, changes, request.strings)

    def _roll_back_model(self, kind: ModelKind, request: CommandRequest) -> Card:
        """Once for each command: a second time would go back further."""
        reason, strings = _reason(request.job), request.strings
        known = [each for each in self._holdings.deployments() if each.reason == reason]
        done = known[0] if known else self._holdings.roll_back_model(kind, reason=reason)
        logger.info("rolled back by=%s kind=%s to=%s", request.job.user, kind, done.after)
        return notice(model_line(kind, done.before, done.after, strings))

    def _roll_back(self, job: Job) -> tuple[Manifest, Manifest, Changes | None]:
        """What served before, what serves now, and how their documents differ, if that is known.

        Once for each command: a second time would go forward again.
        """
        served, previous = self._holdings.generations()
        with self._database.transaction() as db:
            known = db.conn.execute(
                "SELECT before FROM rollbacks WHERE event_id = ?", (job.event_id,)
            ).fetchone()
            if known is None:
                after = previous.name if previous else ""
                row = {"event_id": job.event_id, "at": utc(self._clock())}
                db.table("rollbacks").insert(row | {"before": served.name, "after": after})
        if known is None or known[0] == served.name:
            done = self._holdings.rollback(reason=_reason(job))
            return done.before, done.after, done.changes
        assert previous is not None, "an earlier attempt has rolled back, so both are kept"
        return previous, served, None


def _reason(job: Job) -> str:
    """What the history of models says; no other command has it."""
    return f"/whimbrel rollback {job.event_id}"
