"""Asks again, in quiet moments, what was answered badly, and has people told what got better."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta

from bot.asking.questions import AnswerService
from bot.pool import StoppablePool
from bot.review.curated import CuratedAnswers
from bot.review.document_lookup import DocumentLookup
from bot.review.fixes import Fixes
from bot.slack.audience import of_documents, place
from bot.store.channels import Channels
from bot.store.inbox import Inbox
from bot.store.log import utc
from bot.store.outdated import Outdated
from bot.store.turns import LoggedTurn, Turns
from retrieval.errors import QuestionError, RetrievalError
from retrieval.records import Answer, AnswerRequest

logger = logging.getLogger(__name__)

RECENT = timedelta(days=14)
MAX_TURNS = 50
EVERY_S = 60.0

RecheckState = tuple[str, str, int]
"""The generator, the index generation and the newest curated answer."""


class Rechecker:
    """Looks for better answers whenever the index, the model or the curated answers have changed.

    An answer counts as better only where that is beyond doubt: the bot had abstained and now
    answers, or an expert has approved an answer. Questions that people wait for come first.
    """

    def __init__(
        self,
        answerer: AnswerService,
        curated: CuratedAnswers,
        documents: DocumentLookup,
        inbox: Inbox,
        pool: StoppablePool,
        *,
        on_found: Callable[[], None],
    ) -> None:
        self._answerer = answerer
        self._curated = curated
        self._documents = documents
        self._inbox = inbox
        self._channels = Channels(inbox.database)
        self._turns = Turns(inbox.database)
        self._fixes = Fixes(inbox.database, documents)
        self._outdated = Outdated(inbox.database)
        self._pool = pool
        self._on_found = on_found
        self._changed = asyncio.Event()
        self._seen: RecheckState | None = None

    def poke(self) -> None:
        """Something may be better now; do not wait for the next look."""
        self._changed.set()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            self._changed.clear()
            try:
                await self.check()
            except RetrievalError as error:
                logger.info("not rechecked: %s", error)
            except Exception:
                logger.exception("not rechecked")
            try:
                await asyncio.wait_for(self._changed.wait(), EVERY_S)
            except TimeoutError:
                continue

    async def check(self) -> int:
        """Recheck what is due and have people told; how many deliveries that were.

        Raises:
            RetrievalError: If the documents cannot be searched.
        """
        state = await self._pool.run(self._state)
        if state != self._seen:
            due = await self._inbox.database.run(self._due)
            checked = [await self._pool.run(self._recheck, turn, state) for turn in due]
            self._seen = state if all(checked) else None
        accepted = await self._inbox.database.run(self._tell)
        if accepted:
            self._on_found()
        return accepted

    def _state(self) -> RecheckState:
        return self._documents.generator, self._documents.held().generation, self._curated.latest()

    def _due(self) -> list[LoggedTurn]:
        since = utc(time.time() - RECENT.total_seconds())
        return self._turns.rated_down(since=since, limit=MAX_TURNS)

    def _must_pause(self) -> bool:
        return self._pool.is_stopping or self._inbox.waiting("question") > 0

    def _recheck(self, turn: LoggedTurn, state: RecheckState) -> bool:
        """Record what is better; False if it must be tried again."""
        audience = turn.audience | {place(turn.channel)}
        match = self._curated.match(AnswerRequest(turn.query, audience=audience))
        if match is not None and turn.generator != f"curated/{match.curated.id}":
            self._fixes.record(turn.id, match.curated.answer, curated_id=match.curated.id)
        elif turn.kind == "abstention" and not self._is_checked(turn, state):
            return self._ask_again(turn, state)
        return True

    def _ask_again(self, turn: LoggedTurn, state: RecheckState) -> bool:
        if self._must_pause():
            return False
        try:
            answer = self._answer_again(turn)
        except QuestionError:
            answer = None  # it can no longer be asked like this
        if answer is not None and answer.stopped:
            return False
        self._write(turn, state, answer)
        return True

    def _answer_again(self, turn: LoggedTurn) -> Answer:
        config = self._channels.of(turn.channel)
        request = AnswerRequest(
            turn.query,
            audience=of_documents(turn.audience),
            sources=config.sources,
            threshold=config.threshold,
            outdated=self._outdated.lowered(),
        )
        return self._answerer.answer(request, should_stop=self._must_pause)

    def _is_checked(self, turn: LoggedTurn, state: RecheckState) -> bool:
        generator, generation, _ = state
        if (turn.generator, turn.generation) == (generator, generation):
            return True
        row = self._inbox.database.connection.execute(
            "SELECT 1 FROM rechecks WHERE turn_id = ? AND generator = ? AND generation = ?",
            (turn.id, generator, generation),
        ).fetchone()
        return row is not None

    def _write(self, turn: LoggedTurn, state: RecheckState, answer: Answer | None) -> None:
        generator, generation, _ = state
        row = {"turn_id": turn.id, "generator": generator, "generation": generation}
        with self._inbox.database.transaction() as db:
            if self._turns.get(turn.id) is None:
                return  # its asker was forgotten meanwhile
            db.table("rechecks").insert(row | {"at": utc(time.time())}, ignore=True)
            if answer is not None and answer.kind == "answer":
                self._fixes.record(turn.id, answer.text, generator=generator, generation=generation)

    def _tell(self) -> int:
        return sum(self._inbox.accept(delivery) for delivery in self._fixes.untold())
