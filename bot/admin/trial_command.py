"""`/whimbrel trial`: how the model on trial does, and the two ways in which an admin ends it."""

from __future__ import annotations

import logging

from bot.admin.commands import CommandRequest
from bot.admin.trial_cards import trial_card
from bot.slack.outgoing.cards import Card, notice
from bot.store.database import Database
from bot.strings import Strings
from bot.trials.arms import read_arms
from retrieval.registry.trials import Trial
from retrieval.serving.installation import Installation

logger = logging.getLogger(__name__)


class TrialCommand:
    """Shows, completes and stops trials. Done twice, each has its effect once."""

    def __init__(self, installation: Installation, database: Database) -> None:
        self._installation = installation
        self._database = database

    async def run(self, request: CommandRequest) -> Card:
        """Do what was asked of the trial that was meant, if it is still under way."""
        return await self._database.run(self._run, request)

    def _run(self, request: CommandRequest) -> Card:
        strings, trial = request.strings, self._installation.trial()
        wanted, meant = (*request.arguments, "", "")[:2]
        # What is typed is in lower case; without an id, the one trial that there is is meant.
        if trial is None or meant not in ("", trial.run.lower()):
            return notice(strings.trial.none)
        if wanted == "publish":
            return self._publish(request, trial)
        if wanted == "stop":
            return self._stop(request, trial)
        return trial_card(trial, read_arms(self._database, trial), strings)

    def _publish(self, request: CommandRequest, trial: Trial) -> Card:
        if trial.mode != "all":
            self._installation.complete_trial(
                trial, reason="an admin has published it from its trial"
            )
            logger.info("published by=%s run=%s", request.job.user, trial.run)
        return _said(request.strings.trial.published, trial, request.strings)

    def _stop(self, request: CommandRequest, trial: Trial) -> Card:
        if not self._installation.end_trial(trial, reason="an admin has stopped its trial"):
            return notice(request.strings.trial.none)
        logger.info("stopped by=%s run=%s", request.job.user, trial.run)
        return _said(request.strings.trial.stopped, trial, request.strings)


def _said(words: str, trial: Trial, strings: Strings) -> Card:
    return notice(words.format(kind=strings.models.trained_kinds[trial.kind], run=trial.run))
