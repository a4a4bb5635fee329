"""What every way in besides Slack can do: answer, search, and keep what people make of answers.

It answers as Slack's questions are answered: approved answers first, then the documents that the
audience may see; logged, audited, and checked once more before it is handed out.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus

from bot.api.calls import Call, Desk, busy
from bot.api.messages import FeedbackGiven, FeedbackTold, QuestionAsked
from bot.api.opinions import Opinions
from bot.api.problems import ProblemError, UnaskableError
from bot.asking.disclosure import Disclosure
from bot.asking.questions import AnswerService
from bot.metrics import count_answer
from bot.pool import StoppablePool
from bot.review.document_lookup import DocumentLookup
from bot.slack.conversations import MAX_CHARS
from bot.store.audit import AuditLog, cited_in, passages_of
from bot.store.database import Database
from bot.store.keys import ApiKey, ApiKeys, Charge, OverLimitError, Use
from bot.store.log import ConversationLog, Turn, utc
from bot.store.outdated import Outdated
from bot.store.turns import DocumentRef, Turns
from retrieval.errors import (
    EndpointUnreachableError,
    IndexNotFoundError,
    QuestionError,
    RetrievalError,
)
from retrieval.linking import LinkRules
from retrieval.records import Answer, AnswerRequest, Hit, Message
from retrieval.tracing import trace_of, traced

logger = logging.getLogger(__name__)

REMEMBERED = 6
"""So many questions of a conversation, with their answers, are read with the next."""

NO_KEY = "this call needs a key that holds; send `Authorization: Bearer KEY`"
GONE = "what this answer was made of has changed, or may not be seen with this key any more"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer and the conversation that it belongs to."""

    answer: Answer
    conversation: str


class Hangup(Exception):  # noqa: N818 - nothing has gone wrong
    """Who asked has hung up before there was anything to tell."""


class Service:
    """Answers calls. What it raises is a `ProblemError`, or a bug."""

    def __init__(
        self,
        database: Database,
        answerer: AnswerService,
        documents: DocumentLookup,
        pool: StoppablePool,
        desk: Desk,
        audit: AuditLog,
        *,
        links: LinkRules,
        answer_seconds: float,
    ) -> None:
        self.links = links
        self._database = database
        self._answerer = answerer
        self._documents = documents
        self._pool = pool
        self._desk = desk
        self._audit = audit
        self._answer_s = answer_seconds
        self._keys = ApiKeys(database)
        self._log = ConversationLog(database)
        self._turns = Turns(database)
        self._disclosure = Disclosure(database, documents)
        self._opinions = Opinions(database)
        self._outdated = Outdated(database)

    async def key(self, secret: str) -> ApiKey:
        """The key of a secret, as it is at this moment."""
        key = await self._database.run(self._keys.find, secret)
        if key is None:
            raise ProblemError(HTTPStatus.UNAUTHORIZED, NO_KEY)
        return key

    async def answer(
        self,
        call: Call,
        asked: QuestionAsked,
        *,
        on_text: Callable[[str], None] | None = None,
        is_gone: Callable[[], bool] = lambda: False,
    ) -> Reply:
        """An answer or an abstention; what a repeated request was answered before.

        Raises:
            Hangup: If who asked `is_gone`, and had seen nothing yet.
        """
        if (done := await self._claim(call)) is not None:
            return await self._again(call, done)
        began = time.monotonic()
        async with self._claimed(call):
            async with self._counted(call, "questions", is_gone):
                with traced(trace_of(call.event_id)):
                    reply = await self._answered(call, asked, on_text, is_gone)
            await self._settle(call, reply.answer.id)
        answer = reply.answer
        count_answer(answer.kind, answer.timings, card_s=time.monotonic() - began)
        return reply

    async def search(
        self,
        call: Call,
        query: str,
        *,
        limit: int,
        sources: Sequence[str] = (),
        is_gone: Callable[[], bool] = lambda: False,
    ) -> list[Hit]:
        """The passages that suit a query best, of those that the key may see.

        Raises:
            Hangup: If who asked `is_gone` before it was their turn.
        """
        async with self._counted(call, "searches", is_gone):
            with _told():
                hits = await self._pool.run(
                    self._documents.search,
                    query,
                    k=limit,
                    audience=call.key.audience,
                    sources=tuple(sources),
                    outdated=await self._database.run(self._outdated.lowered),
                )
        return await self._database.run(self._found, call, hits)

    async def feedback(self, call: Call, given: FeedbackGiven) -> FeedbackTold:
        """Keep what somebody makes of an answer that the same key was given."""
        if await self._claim(call) is None:
            async with self._claimed(call):
                await self._charge(call, "feedback")
                await self._database.run(self._opinions.keep, call, given)
                await self._settle(call, given.answer_id)
        return await self._database.run(self._opinions.of, call, given.answer_id)

    async def _answered(
        self,
        call: Call,
        asked: QuestionAsked,
        on_text: Callable[[str], None] | None,
        is_gone: Callable[[], bool],
    ) -> Reply:
        conversation = asked.conversation or uuid.uuid4().hex[:12]
        ends = time.monotonic() + self._answer_s

        def should_stop() -> bool:
            return self._pool.is_stopping or is_gone() or time.monotonic() > ends

        request = await self._database.run(self._request, call, asked, conversation)
        if is_gone():
            raise Hangup
        said: list[str] = []

        def tell(text: str) -> None:
            if on_text is not None and self._keys.holds(call.key):
                said.append(text)
                on_text(text)

        with _told():
            answer = await self._pool.run(
                self._say, request, on_text=on_text and tell, should_stop=should_stop
            )
        if answer.stopped and not answer.text.strip():
            if is_gone():
                raise Hangup
            raise busy("the answer took too long; try again in a moment")
        shown = await self._database.run(self._write, call, answer, conversation, "".join(said))
        logger.info("answered turn=%s kind=%s place=%s", answer.id, answer.kind, call.key.place)
        if shown is None:
            raise busy("documents have changed meanwhile; ask again")
        return Reply(shown, conversation)

    def _request(self, call: Call, asked: QuestionAsked, conversation: str) -> AnswerRequest:
        latest = asked.history[-2 * REMEMBERED :]
        given = (Message(message.role, message.text[:MAX_CHARS]) for message in latest)
        return AnswerRequest(
            asked.question,
            history=(*self._said(call, conversation), *given),
            audience=call.key.audience,
            sources=tuple(asked.sources),
            language=asked.language,
        )

    def _say(
        self,
        request: AnswerRequest,
        *,
        on_text: Callable[[str], None] | None,
        should_stop: Callable[[], bool],
    ) -> Answer:
        """Answer; words go out early only as long as the documents are what they were."""
        generation = self._documents.served_generation()

        def say(text: str) -> None:
            if on_text is not None and self._documents.served_generation() == generation:
                on_text(text)

        return self._answerer.answer(
            request, on_text=None if on_text is None else say, should_stop=should_stop
        )

    def _said(self, call: Call, conversation: str) -> list[Message]:
        """What was asked and answered in a conversation, as far as it may be seen now."""
        ids = self._turns.latest_of(call.key.place, conversation, call.user, limit=REMEMBERED)
        shown = (self._disclosure.to(id_, readers=call.key.audience).answer for id_ in ids)
        return [
            message
            for answer in shown
            if answer is not None
            for message in (Message("user", answer.question), Message("assistant", answer.text))
        ]

    def _write(self, call: Call, answer: Answer, conversation: str, said: str) -> Answer | None:
        """Log a turn of which some was said already; the answer as it may be seen now.

        What nobody sees of it any more is not audited as shown.
        """
        key = call.key
        turn = Turn(
            answer=answer,
            event_id=call.event_id,
            team="",
            channel=key.place,
            thread_ts=conversation,
            asker=call.user,
            audience=key.audience,
            messages=(answer.id,),
            created=utc(time.time()),
        )
        with self._database.transaction():
            self._opinions.consent(call)
            self._log.add(turn)
            self._keys.count_tokens(key, *answer.tokens)
            shown = self._disclosure.to(answer.id, readers=key.audience).answer
            if not self._keys.holds(key):
                shown = None
            seen = cited_in(said, answer) if shown is None else passages_of(shown)
            self._audit.shown("shown", call, answer.id, seen, channel=key.place)
        self._check(call)
        if shown is None:
            return None
        nearest = {passage.id for passage in shown.nearest}
        return replace(answer, nearest=tuple(p for p in answer.nearest if p.id in nearest))

    def _shown(self, call: Call, turn_id: str) -> Answer | None:
        self._check(call)
        return self._disclosure.to(turn_id, readers=call.key.audience).answer

    def _check(self, call: Call) -> None:
        """Refuse a call whose key does not hold any more."""
        if not self._keys.holds(call.key):
            raise ProblemError(HTTPStatus.UNAUTHORIZED, NO_KEY)

    async def _again(self, call: Call, turn_id: str) -> Reply:
        answer = await self._database.run(self._shown, call, turn_id)
        turn = await self._database.run(self._turns.get, turn_id)
        if answer is None or turn is None:
            raise ProblemError(HTTPStatus.GONE, GONE)
        return Reply(answer, turn.thread_ts or "")

    def _found(self, call: Call, hits: list[Hit]) -> list[Hit]:
        """Log what is shown of some hits: what may be seen now with a key that still holds."""
        self._check(call)
        found = [DocumentRef(hit.passage.source.id, hit.passage.content_hash) for hit in hits]
        shown = [hits[n] for n in self._documents.readable(found, call.key.audience)]
        passages = [hit.passage for hit in shown]
        self._audit.shown("shown", call, "", passages, channel=call.key.place)
        return shown

    @asynccontextmanager
    async def _counted(
        self, call: Call, use: Use, is_gone: Callable[[], bool]
    ) -> AsyncIterator[None]:
        """Inside, a call is worked on; it is counted unless it has to be made again.

        Raises:
            Hangup: If who asked `is_gone` before it was their turn; that is not counted either.
        """
        async with self._desk.place(call.key) as place:
            charge = await self._charge(call, use)
            is_reached = False
            try:
                is_reached = await place.reach(is_gone)
            finally:
                if not is_reached:
                    await self._database.run(self._keys.give_back, charge)
            if not is_reached:
                raise Hangup
            try:
                yield
            except ProblemError as problem:
                if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
                    await self._database.run(self._keys.give_back, charge)
                raise

    async def _charge(self, call: Call, use: Use) -> Charge:
        try:
            return await self._database.run(self._keys.charge, call.key, use)
        except OverLimitError as error:
            raise ProblemError(
                HTTPStatus.TOO_MANY_REQUESTS, str(error), retry_after_s=error.retry_after_s
            ) from error

    async def _claim(self, call: Call) -> str | None:
        """What a request has come to before, if it has; None if it is to be worked on."""
        if not call.request_name:
            return None
        claim = await self._database.run(
            self._keys.claim, call.key, call.request_name, call.request
        )
        if claim.state == "other":
            raise ProblemError(
                HTTPStatus.CONFLICT,
                "this Idempotency-Key was sent with another request; choose a new one",
            )
        if claim.state == "pending":
            raise ProblemError(
                HTTPStatus.CONFLICT, "this very request is being worked on", retry_after_s=1
            )
        return claim.turn_id if claim.state == "done" else None

    @asynccontextmanager
    async def _claimed(self, call: Call) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            if call.request_name:
                await self._database.run(self._keys.release, call.key, call.request_name)
            raise

    async def _settle(self, call: Call, turn_id: str) -> None:
        if call.request_name:
            await self._database.run(self._keys.settle, call.key, call.request_name, turn_id)


def secret_in(authorization: str) -> str:
    """The secret in a header `Authorization: Bearer …`; empty in any other."""
    kind, _, secret = authorization.partition(" ")
    return secret.strip() if kind.lower() == "bearer" else ""


@contextmanager
def _told() -> Iterator[None]:
    """What cannot be asked or answered becomes a problem that says so."""
    try:
        yield
    except QuestionError as error:
        raise UnaskableError(str(error)) from error
    except EndpointUnreachableError as error:
        logger.warning("held up: %s", error)
        raise busy("the model does not answer now; try again in a moment") from error
    except IndexNotFoundError as error:
        raise busy("no documents are indexed yet") from error
    except RetrievalError as error:
        logger.exception("not answered")
        raise busy(
            "the documents cannot be searched now; whoever runs this finds why in its log"
        ) from error
