"""The facade that clients of OpenAI's API can ask: a chat in, an answer with its sources out."""

from __future__ import annotations

import json
import time
from typing import Literal

from aiohttp import web

from bot.api.calls import Call
from bot.api.chat_messages import (
    ChatAsked,
    ChatChoice,
    ChatMessage,
    ChatMessageTold,
    ChatTold,
    ChatUsage,
    ModelsTold,
    ModelTold,
)
from bot.api.http import EventStream, OnText, is_gone, json_response, parsed
from bot.api.messages import (
    CitationTold,
    QuestionAsked,
    SaidBefore,
    citations_told,
)
from bot.api.problems import UnaskableError
from bot.api.service import Service
from bot.store.keys import ApiKey
from retrieval.answering.addresses import sanitise_answer
from retrieval.answering.phrases import phrase
from retrieval.answering.questions import clean
from retrieval.errors import QuestionError
from retrieval.linking import LinkRules
from retrieval.records import Answer, Citation, Passage

MODEL = "whimbrel"
"""What a client may name as its model; another name is answered all the same."""


class Chats:
    """Answers chats whose last word is a question; what was said before it is read with it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def models(self) -> ModelsTold:
        """What a client may choose from."""
        whimbrel = ModelTold(id=MODEL, object="model", created=0, owned_by=MODEL)
        return ModelsTold(object="list", data=[whimbrel])

    async def complete(self, request: web.Request, key: ApiKey, body: bytes) -> web.StreamResponse:
        """The answer to a chat, whole or in chunks; of what is no question it says so."""
        chat = parsed(ChatAsked, body)
        call = Call(key, chat.user or "")

        async def answer(on_text: OnText | None = None) -> ChatTold:
            try:
                reply = await self._service.answer(
                    call, _question(chat), on_text=on_text, is_gone=lambda: is_gone(request)
                )
            except UnaskableError as error:
                return _completion(call.event_id, error.detail, [], (0, 0))
            return _told(reply.answer, self._service.links)

        if not chat.stream:
            return json_response(await answer())
        stream, shown = EventStream(request), list[str]()

        async def say(text: str) -> None:
            await stream.send(_chunk(call, {"role": "assistant", "content": text}))
            shown.append(text)

        async def conclude(told: ChatTold) -> None:
            await self._end(stream, call, chat, told, "".join(shown))

        return await stream.tell(answer, say=say, conclude=conclude)

    async def _end(
        self, stream: EventStream, call: Call, chat: ChatAsked, told: ChatTold, shown: str
    ) -> None:
        """Send what was not shown yet, the citations, and what ends a stream of chunks."""
        rest = _rest(told.choices[0].message.content, shown)
        await stream.send(_chunk(call, {"role": "assistant", "content": rest}))
        last = {"citations": [c.model_dump() for c in told.citations], "answer_id": told.id}
        await stream.send(_chunk(call, {}, finish_reason="stop", **last))
        if chat.stream_options and chat.stream_options.include_usage:
            await stream.send(_chunk(call, None, usage=told.usage.model_dump()))
        await stream.send("[DONE]")


def _question(chat: ChatAsked) -> QuestionAsked:
    """The last that a person says in a chat, after what was said before it.

    Raises:
        UnaskableError: If that is no question.
    """
    said = [message for message in chat.messages if message.role in ("user", "assistant")]
    while said and said[-1].role != "user":
        said.pop()
    text = said[-1].words if said else ""
    try:
        clean(text, max_chars=len(text))
    except QuestionError as error:
        raise UnaskableError(str(error)) from error
    history = [_said(message) for message in said[:-1]]
    return QuestionAsked.model_construct(question=text, history=history)


def _said(message: ChatMessage) -> SaidBefore:
    role: Literal["user", "assistant"] = "user" if message.role == "user" else "assistant"
    return SaidBefore.model_construct(role=role, text=message.words)


def _told(answer: Answer, links: LinkRules) -> ChatTold:
    citations = citations_told(answer, links)
    return _completion(answer.id, _with_sources(answer, links), citations, answer.tokens)


def _completion(
    id_: str, text: str, citations: list[CitationTold], tokens: tuple[int, int]
) -> ChatTold:
    message = ChatMessageTold(role="assistant", content=text, citations=citations)
    prompt, written = tokens
    return ChatTold(
        id=id_,
        object="chat.completion",
        created=int(time.time()),
        model=MODEL,
        choices=[ChatChoice(index=0, message=message, finish_reason="stop")],
        usage=ChatUsage(
            prompt_tokens=prompt, completion_tokens=written, total_tokens=prompt + written
        ),
        citations=citations,
    )


def _with_sources(answer: Answer, links: LinkRules) -> str:
    """An answer's text with the list of its sources, which such clients show with it."""
    numbered = [(f"[{c.number}] ", c.passage) for c in answer.citations]
    named = numbered or [("", passage) for passage in answer.nearest]
    if not named:
        return answer.text
    lines = [f"- {number}{_place(passage, answer.language, links)}" for number, passage in named]
    head = phrase("sources" if numbered else "nearest", answer.language)
    shown = [Citation(0, passage, "", 0.0) for _, passage in named]
    listed = sanitise_answer("\n".join(lines), shown, links)
    return f"{answer.text}\n\n{head}\n\n{listed}"


def _place(passage: Passage, language: str, links: LinkRules) -> str:
    names = dict.fromkeys(name for name in (passage.source.title, *passage.headings) if name)
    page = f", {phrase('page', language).format(passage.page)}" if passage.page else ""
    address = links.address(passage.link)
    return " › ".join(names) + page + (f" ({address})" if address else "")


def _rest(whole: str, shown: str) -> str:
    """What a stream has not said yet; the whole, if other words have come of what it said."""
    return whole.removeprefix(shown) if whole.startswith(shown) else f"\n\n{whole}"


def _chunk(call: Call, delta: dict[str, str] | None, **more: object) -> str:
    finish = more.pop("finish_reason", None)
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return json.dumps(
        {
            "id": call.event_id,
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": MODEL,
            "choices": choices,
            **more,
        }
    )
