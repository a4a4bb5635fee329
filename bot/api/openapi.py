"""The OpenAPI document: made from the very bodies that calls are read by and answered with."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from bot.api.chat_messages import (
    ChatAsked,
    ChatTold,
    ModelsTold,
)
from bot.api.messages import (
    AnswerTold,
    FeedbackGiven,
    FeedbackTold,
    HitsTold,
    ProblemTold,
    QuestionAsked,
    SearchAsked,
)
from bot.api.problems import PROBLEM_JSON

Json = dict[str, Any]

_SECURED = (401,)
_READ = (400, 408, 413, 415, 422)
_COUNTED = (429, 500, 503)
_RETRIED = frozenset((409, 429, 503))

_STREAM = (
    'With `stream`: events `text` with `{"text": …}`, one for each checked sentence, then `answer` '
    "with the whole, or `error` with a problem. Lines that begin with a colon say nothing."
)
_CHUNKS = "With `stream`: chunks as OpenAI's API has them; the last but one has `citations`."

_EVENT = {
    "type": "object",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["data"],
}

REQUEST_NAME = r"[\x21-\x7e]{0,255}"
"""What an Idempotency-Key may be."""

_REPEATABLE = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "names the request: sent again within a day, it is not done again",
    "schema": {"type": "string", "pattern": f"^{REQUEST_NAME}$"},
}


@cache
def document() -> Json:
    """The document; it holds no word of anybody's documents."""
    repeated = [_REPEATABLE]
    conflicts = (404, 409, 410)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Whimbrel",
            "version": version("whimbrel"),
            "description": "Answers from a team's own documents, with citations.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"key": []}],
        "paths": {
            "/v1/answers": {
                "post": _operation(
                    "answer", "Answer a question", QuestionAsked, AnswerTold,
                    streams=_STREAM, parameters=repeated, problems=(409, 410),
                )
            },
            "/v1/search": {
                "post": _operation("search", "Find passages", SearchAsked, HitsTold)
            },
            "/v1/feedback": {
                "post": _operation(
                    "feedback", "Say what an answer is worth", FeedbackGiven, FeedbackTold,
                    parameters=repeated, problems=conflicts,
                )
            },
            "/v1/chat/completions": {
                "post": _operation(
                    "chat", "Answer as OpenAI's API does", ChatAsked, ChatTold, streams=_CHUNKS
                )
            },
            "/v1/models": {"get": _operation("models", "The model to name", None, ModelsTold)},
            "/v1/openapi.json": {
                "get": {
                    "operationId": "openapi",
                    "summary": "This document",
                    "security": [],
                    "responses": {
                        "200": {
                            "description": "This document",
                            "content": {"application/json": {"schema": {"type": "object"}}},
                        }
                    },
                }
            },
        },
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "as `whimbrel keys create` shows it once",
                }
            },
            "schemas": _schemas(),
        },
    }  # fmt: skip


def _operation(
    name: str,
    summary: str,
    asked: type[BaseModel] | None,
    told: type[BaseModel],
    *,
    streams: str = "",
    parameters: list[Json] | None = None,
    problems: tuple[int, ...] = (),
) -> Json:
    content: Json = {"application/json": {"schema": _reference(told)}}
    if streams:
        content["text/event-stream"] = {"schema": {**_EVENT, "description": streams}}
    statuses = (*_SECURED, *(_READ if asked else ()), *problems, *_COUNTED)
    operation: Json = {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {"description": told.__doc__, "content": content},
            **{str(status): _problem(status) for status in sorted(statuses)},
        },
    }
    if parameters:
        operation["parameters"] = parameters
    if asked is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _reference(asked)}},
        }
    return operation


def _problem(status: int) -> Json:
    told: Json = {
        "description": HTTPStatus(status).phrase,
        "content": {PROBLEM_JSON: {"schema": _reference(ProblemTold)}},
    }
    if status in _RETRIED:
        seconds = {
            "description": "seconds to wait",
            "schema": {"type": "string", "pattern": "^[0-9]+$"},
        }
        told["headers"] = {"Retry-After": seconds}
    return told


def _reference(kind: type[BaseModel]) -> Json:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _schemas() -> Json:
    given: tuple[type[BaseModel], ...] = (QuestionAsked, SearchAsked, FeedbackGiven, ChatAsked)
    told: tuple[type[BaseModel], ...] = (
        AnswerTold, HitsTold, FeedbackTold, ChatTold, ModelsTold, ProblemTold,
    )  # fmt: skip
    kinds: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((kind, "validation") for kind in given),
        *((kind, "serialization") for kind in told),
    ]
    _, defined = models_json_schema(kinds, ref_template="#/components/schemas/{model}")
    schemas: Json = defined["$defs"]
    return schemas
