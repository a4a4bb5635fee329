"""Has a candidate answer, in quiet moments and for nobody to see, what was just asked."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from bot.pool import StoppablePool
from bot.slack.audience import of_documents
from bot.store.channels import Channels
from bot.store.inbox import Inbox
from bot.store.log import utc
from bot.store.outdated import Outdated
from bot.store.turns import LoggedTurn, Turns
from retrieval.errors import NotReadyError, QuestionError
from retrieval.records import Answer, AnswerRequest
from retrieval.registry.trials import Trial

logger = logging.getLogger(__name__)

RECENT = timedelta(hours=1)
AT_ONCE = 5
MAX_SHADOWS = 200
"""So many questions of a trial are enough to compare."""


class Candidates(Protocol):
    """What follows the published models and the candidate. Called from several threads at once."""

    def refresh(self) -> None:
        """Follow what was published or put on trial; takes as long as loading a model."""

    def shadow(self, request: AnswerRequest, *, should_stop: Callable[[], bool]) -> Answer | None:
        """What the candidate would answer; None if there is none."""


class Shadowing:
    """Asks the candidate on trial, one question after the other, while nobody waits for us.

    A question that comes meanwhile stops the candidate at its next word; it is asked again later.
    """

    def __init__(
        self,
        candidates: Candidates,
        inbox: Inbox,
        pool: StoppablePool,
    ) -> None:
        self._candidates = candidates
        self._inbox = inbox
        self._database = inbox.database
        self._channels = Channels(inbox.database)
        self._turns = Turns(inbox.database)
        self._outdated = Outdated(inbox.database)
        self._pool = pool

    async def check(self, trial: Trial) -> int:
        """Ask the candidate what is due; how many questions that were."""
        if trial.mode != "shadow":
            return 0
        done = 0
        for turn in await self._database.run(self._due, trial):
            done += await self._pool.run(self._ask, turn, trial)
        return done

    def _due(self, trial: Trial) -> list[LoggedTurn]:
        since = max(utc(time.time() - RECENT.total_seconds()), trial.since[:19])
        count = self._database.connection.execute(
            "SELECT count(*) FROM shadows WHERE trial = ?", (trial.run,)
        ).fetchone()[0]
        limit = min(AT_ONCE, MAX_SHADOWS - count)
        return self._turns.unshadowed(trial.run, since=since, limit=limit) if limit > 0 else []

    def _must_pause(self) -> bool:
        return self._pool.is_stopping or self._inbox.is_busy("question")

    def _ask(self, turn: LoggedTurn, trial: Trial) -> bool:
        """Ask the candidate and write down what it says; False if it must be asked again."""
        if self._must_pause():
            return False
        began = time.perf_counter()
        answer: Answer | None = None
        try:
            answer = self._answer(turn)
            kind: str = answer.kind if answer else "unasked"
        except NotReadyError:
            return False
        except QuestionError:
            kind = "unasked"  # it can no longer be asked like this
        except Exception:
            logger.exception("the candidate failed in the shadow run=%s", trial.run)
            kind = "failed"
        if answer is not None and answer.stopped:
            return False
        self._write(turn, trial, kind, answer, time.perf_counter() - began)
        return True

    def _answer(self, turn: LoggedTurn) -> Answer | None:
        config = self._channels.of(turn.channel)
        request = AnswerRequest(
            turn.query,
            audience=of_documents(turn.audience),
            sources=config.sources,
            threshold=config.threshold,
            outdated=self._outdated.lowered(),
        )
        return self._candidates.shadow(request, should_stop=self._must_pause)

    def _write(
        self, turn: LoggedTurn, trial: Trial, kind: str, answer: Answer | None, seconds: float
    ) -> None:
        row = {"turn_id": turn.id, "trial": trial.run, "kind": kind, "seconds": seconds}
        with self._database.transaction() as db:
            if self._turns.get(turn.id) is None:
                return  # its asker was forgotten meanwhile
            if answer is not None:
                row |= {
                    "answer": answer.text,
                    "confidence": answer.confidence,
                    "is_cited": int(bool(answer.citations)),
                    "overlap": self._overlap(turn, answer),
                }
            db.table("shadows").insert(row | {"at": utc(time.time())}, ignore=True)

    def _overlap(self, turn: LoggedTurn, answer: Answer) -> float:
        """The share of the passages that both have found."""
        rows = self._database.connection.execute(
            "SELECT passage_id FROM hits WHERE turn_id = ?", (turn.id,)
        )
        shown = {row[0] for row in rows}
        found = {hit.passage.id for hit in answer.hits}
        return len(shown & found) / max(1, len(shown | found))
