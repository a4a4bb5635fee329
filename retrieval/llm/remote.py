"""Text from an endpoint that speaks as OpenAI's does: vLLM's, llama.cpp's or a hosted one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from retrieval.errors import (
    EndpointError,
    ModelNotFoundError,
    ModelUnsuitableError,
    PromptTooLongError,
    did_you_mean,
)
from retrieval.llm.endpoint_run import EndpointRun, read_endpoint_run
from retrieval.llm.thoughts import Spoken
from retrieval.models.client import Client, JsonObject, RefusedError, Stopped
from retrieval.models.endpoint import endpoint_of
from retrieval.models.listed import Listed, models_at, only_model
from retrieval.models.tokens import count_tokens
from retrieval.progress import Tell
from retrieval.records import Completion, Instructions
from retrieval.registry.runs import Run, serving
from retrieval.settings import Settings

CONTEXT_TOKENS = 8_192
"""What a model is taken to hold whose endpoint does not say."""

THOUGHT_TOKENS = 4_096
"""What a model that thinks first may write besides its answer."""

MESSAGE_TOKENS = 8
"""What a chat format adds to a message, about."""

# Families that think before they speak; their templates open the thought themselves.
_THINKERS = re.compile(r"think|reason|qwq|magistral|\br1\b|deepseek-r", re.IGNORECASE)


@dataclass
class _Reply:
    """A streamed completion as it grows."""

    spoken: Spoken
    on_text: Callable[[str], None] | None
    first_at: float | None = None
    id: str = ""
    usage: JsonObject = field(default_factory=dict)
    finish: str = ""
    has_thoughts: bool = False

    def take(self, event: JsonObject) -> bool:
        """Show what an event adds; true once the model has begun to write, or to think."""
        self.id = str(event.get("id") or self.id)
        self.usage = event.get("usage") or self.usage
        for choice in event.get("choices") or ():
            part = choice.get("delta") or choice.get("message") or {}
            if part.get("reasoning_content") or part.get("reasoning"):
                self.has_thoughts = True
            self.finish = str(choice.get("finish_reason") or self.finish)
            if text := part.get("content"):
                self.first_at = self.first_at or time.perf_counter()
                self._show(self.spoken.feed(str(text)))
        return self.first_at is not None or self.has_thoughts

    def close(self) -> None:
        """Show what was held back."""
        self._show(self.spoken.close())

    def _show(self, text: str) -> None:
        if text and self.on_text is not None:
            self.on_text(text)


class RemoteGenerator:
    """A model behind an endpoint. `parameters` is None where the endpoint does not say.

    `base` is the id of the model that the settings name, whatever takes its place.

    What it writes may be taken back: where the end of a thought comes without its beginning, the
    completion is only what follows.
    """

    kind: Literal["causal", "seq2seq"] = "causal"

    def __init__(
        self,
        client: Client,
        *,
        name: str,
        id_: str | None = None,
        context_tokens: int = CONTEXT_TOKENS,
        parameters: int | None = None,
        instructions: Instructions | None = None,
        base: str = "",
    ) -> None:
        self.id = id_ or f"{name}@endpoint"
        self.context_tokens, self.parameters = context_tokens, parameters
        self.instructions = instructions
        self.base = base or self.id
        self._client, self._name = client, name
        self._thinks = bool(_THINKERS.search(name))
        self._expects_end = self._thinks
        self._unknown: set[str] = set()

    def count_tokens(self, text: str) -> int:
        """How many tokens a text takes at most: an estimate, for the tokenizer is not here."""
        return count_tokens(text)

    def generate(
        self,
        messages: Sequence[tuple[str, str]],
        *,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        end: Sequence[str] = (),
    ) -> Completion:
        """Answer the messages, as `Generator.generate` says.

        Raises:
            EndpointError: If the endpoint does not answer.
        """
        started = time.perf_counter()
        size = sum(count_tokens(text) + MESSAGE_TOKENS for _, text in messages)
        if size + max_tokens > self.context_tokens:
            raise PromptTooLongError(
                f"about {size} prompt tokens and {max_tokens} answer tokens; "
                f"{self.id} takes {self.context_tokens} together"
            )
        body = {
            "model": self._name,
            "messages": [{"role": role, "content": text} for role, text in messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0,
            "max_tokens": max_tokens,
        }
        if end:
            body["stop"] = [*end]
        stopped = False
        reply = _Reply(Spoken(), on_text)
        try:
            reply = self._written(body, on_text, should_stop, room=self.context_tokens - size)
        except _StoppedWith as stop:
            reply, stopped = stop.reply, True
        now = time.perf_counter()
        return Completion(
            text=reply.spoken.text,
            tokens=reply.usage.get("completion_tokens") or count_tokens(reply.spoken.text),
            prompt_tokens=reply.usage.get("prompt_tokens") or size,
            first_token_s=(reply.first_at or now) - started,
            total_s=now - started,
            stopped=stopped,
            id=reply.id,
            is_cut=reply.finish == "length",
        )

    def close(self) -> None:
        """Nothing is kept open between two calls."""

    def check(self) -> str:
        """What one token from the endpoint tells of it.

        Raises:
            EndpointError: If none comes.
        """
        body: JsonObject = {
            "model": self._name,
            "messages": [{"role": "user", "content": "Hello"}],
            "max_tokens": 1,
        }
        self._adapting(body, lambda: self._client.post(self._chat, [body]))
        return f"{self.id} wrote a token; context {self.context_tokens}"

    @property
    def _chat(self) -> str:
        return self._client.endpoint.at("/chat/completions")

    def _written(
        self,
        body: JsonObject,
        on_text: Callable[[str], None] | None,
        should_stop: Callable[[], bool] | None,
        *,
        room: int,
    ) -> _Reply:
        """The whole reply; asked a second time if thinking left no room for an answer."""
        wanted = body["max_tokens"]
        for _ in range(2):
            if self._thinks:
                body["max_tokens"] = min(wanted + THOUGHT_TOKENS, room)
            reply = self._streamed(body, on_text, should_stop)
            had_room = self._thinks
            self._thinks = self._thinks or reply.has_thoughts or reply.spoken.was_thought
            if reply.spoken.text.strip():
                return reply
            if had_room or not (self._thinks and reply.finish == "length"):
                break
        raise EndpointError(
            f"{self._client.endpoint.url}: it wrote nothing"
            + (" but thoughts; raise WHIMBREL_ANSWER_TOKENS" if self._thinks else "")
        )

    def _streamed(
        self,
        body: JsonObject,
        on_text: Callable[[str], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> _Reply:
        reply = self._fresh(on_text)

        def take(event: JsonObject) -> bool:
            return reply.take(event)

        try:
            self._adapting(
                body,
                lambda: self._client.stream(
                    self._chat, body, on_event=take, should_stop=should_stop
                ),
            )
        except Stopped:
            raise _StoppedWith(reply) from None
        reply.close()
        self._expects_end = self._expects_end or reply.spoken.was_thought
        return reply

    def _fresh(self, on_text: Callable[[str], None] | None) -> _Reply:
        return _Reply(Spoken(is_thinking=self._expects_end), on_text)

    def _adapting(self, body: JsonObject, ask: Callable[[], Any]) -> None:
        """Ask; where the endpoint does not know a parameter, ask without it, now and later."""
        for _ in range(len(_DISPENSABLE) + 1):
            for name in self._unknown:
                _leave_out(body, name)
            try:
                ask()
            except RefusedError as error:
                new = (
                    _complained_of(str(error)) - self._unknown
                    if error.status in (400, 422)
                    else set()
                )
                if not new:
                    raise
                self._unknown |= new
            else:
                return


class _StoppedWith(Exception):  # noqa: N818 (no error: somebody wanted it)
    def __init__(self, reply: _Reply) -> None:
        super().__init__()
        self.reply = reply


_DISPENSABLE = ("max_tokens", "temperature", "stream_options")


def _complained_of(message: str) -> set[str]:
    return {name for name in _DISPENSABLE if re.search(rf"\b{name}\b", message)}


def _leave_out(body: JsonObject, name: str) -> None:
    """Take a parameter out of a request; the limit of tokens has a second name."""
    value = body.pop(name, None)
    if name == "max_tokens" and value is not None:
        body["max_completion_tokens"] = value


def load_remote(
    settings: Settings,
    *,
    role: Literal["generator", "teacher"] = "generator",
    run: Run | None = None,
    candidate: EndpointRun | None = None,
    on_progress: Tell | None = None,
) -> RemoteGenerator:
    """The generator, or the teacher, at the endpoint that the settings name.

    A run takes part if the endpoint has a model of its name, as vLLM has of a LoRA module, or if it
    names another model of the endpoint in place of the one in the settings.

    Args:
        settings: Which endpoint, and which model.
        role: A teacher has learned nothing here.
        run: The run to ask for; None for the one that is published, if the endpoint has it.
        candidate: What a run would name that is not there yet; then no other takes part.
        on_progress: Is told of an endpoint that does not answer yet, and of a run it does not have.

    Raises:
        SettingsError: If the address or key cannot be used, or endpoints are forbidden.
        ModelNotFoundError: If no model is named, and the endpoint does not have just one.
        ModelUnsuitableError: If the endpoint does not have the given run, or what it names.
        ModelCorruptError: If a file of the run is not what was written.
        RefusedError: If it does not accept the key.
    """
    client = Client(endpoint_of(role, settings))
    is_ours = role == "generator"
    say = on_progress or (lambda _: None)
    listed = _listed(client, say)
    known = [offered.name for offered in listed]
    name = client.endpoint.model or only_model(client.endpoint, listed)
    if known and name not in known:
        say(f"{client.endpoint.url} names no model {name}{did_you_mean(name, known)}")
    asked = base = _Asked(name, f"{name}@endpoint", name)
    try:
        if candidate is not None:
            asked = _named(candidate, client, known)
        elif is_ours and (chosen := run or serving(settings.runs_folder, "generator")):
            asked = _of_run(chosen, base, settings, client, known)
    except ModelUnsuitableError as error:
        if run is not None or candidate is not None:
            raise
        say(f"{error}; that run takes no part")
    unknown = Listed(asked.sized_as, None, None, None)
    model = next((offered for offered in listed if offered.name == asked.sized_as), unknown)
    given = settings.generator_context if is_ours else None
    context = given or model.context or _told_context(client)
    return RemoteGenerator(
        client,
        name=asked.name,
        id_=asked.id,
        context_tokens=context or CONTEXT_TOKENS,
        parameters=model.parameters,
        instructions=asked.instructions,
        base=base.id,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """A model by the name that it is asked by, our id of it, and whose size it has."""

    name: str
    id: str
    sized_as: str
    instructions: Instructions | None = None


def _named(found: EndpointRun, client: Client, known: Sequence[str]) -> _Asked:
    if known and found.model not in known:
        raise ModelUnsuitableError(
            f"{client.endpoint.url} has no model named {found.model}"
            f"{did_you_mean(found.model, known)}"
        )
    return _Asked(found.model, f"{found.model}@endpoint", found.model, found.instructions)


def _of_run(
    run: Run, base: _Asked, settings: Settings, client: Client, known: Sequence[str]
) -> _Asked:
    """What is asked for with a run: the model that it names, or one that has its name."""
    found = read_endpoint_run(settings.runs_folder, run)
    if found is None:
        if run.id not in known:
            raise ModelUnsuitableError(f"{client.endpoint.url} has no model named {run.id}")
        return _Asked(run.id, f"{base.id}+{run.id}", base.name)
    if run.facts.base != base.id:
        raise ModelUnsuitableError(f"run {run.id} is to replace {run.facts.base}, not {base.id}")
    asked = _named(found, client, known)
    return replace(asked, id=f"{asked.id}+{run.id}")


def _listed(client: Client, say: Tell) -> list[Listed]:
    """The endpoint's models. One that is named can be asked although the list is not to be had."""
    try:
        return models_at(client)
    except RefusedError as error:
        if error.status in (401, 403) or not client.endpoint.model:
            raise
        return []
    except EndpointError as error:
        if not client.endpoint.model:
            raise ModelNotFoundError(
                f"{error}; name the model with # after the address, or start the endpoint first"
            ) from error
        say(f"{error}; until it answers, the documents are quoted")
        return []


def _told_context(client: Client) -> int | None:
    """What llama.cpp or TGI says of its context, beside the paths of OpenAI."""
    for path, keys in (
        ("/props", ("default_generation_settings", "n_ctx")),
        ("/info", ("max_total_tokens",)),
    ):
        with suppress(EndpointError, KeyError, TypeError, ValueError):
            found = client.get(f"{client.endpoint.root}{path}")
            for key in keys:
                found = found[key]
            return int(found)
    return None
