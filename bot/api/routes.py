"""What is served at which path of the API."""

from __future__ import annotations

import json
import re
from http import HTTPStatus

from aiohttp import web

from bot.api.calls import Call
from bot.api.chat import Chats
from bot.api.http import (
    EventStream,
    OnText,
    bearer,
    guarded,
    is_gone,
    json_response,
    not_served,
    parsed,
    read_body,
)
from bot.api.messages import (
    AnswerTold,
    FeedbackGiven,
    HitsTold,
    QuestionAsked,
    SearchAsked,
    answer_told,
    hit_told,
)
from bot.api.openapi import REQUEST_NAME, document
from bot.api.problems import ProblemError
from bot.api.service import Reply, Service
from bot.store.keys import ApiKey


class Routes:
    """The paths of the API, over one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._chats = Chats(service)

    def all(self) -> list[web.RouteDef]:
        """Every route, and one that says what else there is."""
        served = {
            "/v1/answers": ("POST", self._answers),
            "/v1/search": ("POST", self._search),
            "/v1/feedback": ("POST", self._feedback),
            "/v1/chat/completions": ("POST", self._chat),
            "/v1/models": ("GET", self._models),
            "/v1/openapi.json": ("GET", self._openapi),
        }
        routes = [
            web.route(method, path, guarded(handler)) for path, (method, handler) in served.items()
        ]
        allowed = {path: method for path, (method, _) in served.items()}
        return [*routes, web.route("*", "/v1/{rest:.*}", guarded(not_served(allowed)))]

    async def _answers(self, request: web.Request) -> web.StreamResponse:
        key, body = await self._opened(request)
        asked = parsed(QuestionAsked, body)
        call = Call(key, asked.user, _request_name(request), _request(request, body))
        if not asked.stream:
            reply = await self._service.answer(call, asked, is_gone=lambda: is_gone(request))
            return json_response(self._told(reply))
        stream = EventStream(request)

        async def answer(on_text: OnText) -> Reply:
            return await self._service.answer(
                call, asked, on_text=on_text, is_gone=lambda: is_gone(request)
            )

        async def say(text: str) -> None:
            await stream.send(json.dumps({"text": text}), event="text")

        async def conclude(reply: Reply) -> None:
            await stream.send(self._told(reply).model_dump_json(), event="answer")

        return await stream.tell(answer, say=say, conclude=conclude)

    def _told(self, reply: Reply) -> AnswerTold:
        return answer_told(reply.answer, reply.conversation, self._service.links)

    async def _search(self, request: web.Request) -> web.StreamResponse:
        key, body = await self._opened(request)
        asked = parsed(SearchAsked, body)
        hits = await self._service.search(
            Call(key),
            asked.query,
            limit=asked.limit,
            sources=asked.sources,
            is_gone=lambda: is_gone(request),
        )
        return json_response(HitsTold(hits=[hit_told(hit, self._service.links) for hit in hits]))

    async def _feedback(self, request: web.Request) -> web.StreamResponse:
        key, body = await self._opened(request)
        given = parsed(FeedbackGiven, body)
        call = Call(key, given.user, _request_name(request), _request(request, body))
        return json_response(await self._service.feedback(call, given))

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        key, body = await self._opened(request)
        return await self._chats.complete(request, key, body)

    async def _models(self, request: web.Request) -> web.StreamResponse:
        await self._service.key(bearer(request))
        return json_response(self._chats.models())

    async def _openapi(self, _: web.Request) -> web.StreamResponse:
        return web.json_response(document())

    async def _opened(self, request: web.Request) -> tuple[ApiKey, bytes]:
        """The key of a call, before its body is looked at, and that."""
        key = await self._service.key(bearer(request))
        return key, await read_body(request)


def _request_name(request: web.Request) -> str:
    name = request.headers.get("Idempotency-Key", "")
    if not re.fullmatch(REQUEST_NAME, name):
        wanted = "Idempotency-Key: wanted up to 255 letters, digits and signs of ASCII"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, wanted)
    return name


def _request(request: web.Request, body: bytes) -> bytes:
    return request.path.encode() + b"\n" + body
