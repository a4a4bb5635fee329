"""The bodies of the facade, as OpenAI's API has them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.api.messages import CitationTold, Name, Said, Told


class Lenient(BaseModel):
    """A body of clients that are not ours; what else is in it is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class TextPart(Lenient):
    """A part of a chat message; what is no text is passed over."""

    type: str
    text: Said = ""


class ChatMessage(Lenient):
    """A message of a chat."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Said | list[TextPart] | None = None

    @property
    def words(self) -> str:
        """What it says."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text")
        return self.content or ""


class StreamOptions(Lenient):
    """What a stream tells besides words."""

    include_usage: bool | None = None


class ChatAsked(Lenient):
    """A chat as OpenAI's API has it; what tunes a model is passed over."""

    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    model: Name = ""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: Name | None = None


class ChatMessageTold(Told):
    """The answer of a chat, with its sources."""

    role: Literal["assistant"]
    content: str
    citations: list[CitationTold]


class ChatChoice(Told):
    """The one answer that there is."""

    index: int
    message: ChatMessageTold
    finish_reason: Literal["stop"]


class ChatUsage(Told):
    """What a model at an endpoint has read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatTold(Told):
    """An answer as OpenAI's API has it; `id` is the answer's, for feedback."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage
    citations: list[CitationTold]


class ModelTold(Told):
    """What a chat may name as its model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelsTold(Told):
    """The one model that there is."""

    object: Literal["list"]
    data: list[ModelTold]
