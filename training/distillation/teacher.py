"""A stronger model, asked each thing once: its replies are kept, since they cost something."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from retrieval.errors import RetrievalError
from retrieval.examples import content_id
from retrieval.jsonl import append_line, read_log, to_line
from retrieval.llm.generator import Generator
from retrieval.private import make_private
from training.cost import Cost

Messages = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a teacher wrote, and what it took. `key` is of the teacher and all that it was told."""

    key: str
    text: str
    prompt_tokens: int
    tokens: int
    is_cut: bool


class UnaskedError(RetrievalError):
    """The teacher was not asked this yet."""


class Teacher:
    """Asks a model, and knows what it has said; `ask` may be called from any thread.

    Replies are kept in a file in `home`, whatever becomes of them: who begins again pays for
    nothing twice. A teacher that `is_silent` only says what it has said before.
    """

    def __init__(self, model: Generator, home: Path, *, is_silent: bool = False) -> None:
        self.id, self.count_tokens = model.id, model.count_tokens
        self._model, self._is_silent = model, is_silent
        self._file = home / "replies.jsonl"
        self._lock = threading.Lock()
        self._known = {reply.key: reply for reply in read_log(self._file, _reply)}
        self._used: dict[str, Reply] = {}
        make_private(home)

    def ask(self, messages: Messages, *, max_tokens: int) -> Reply:
        """What the teacher says, or said before.

        Raises:
            UnaskedError: If it is silent, and was not asked this.
            EndpointError: If it is behind an endpoint, and that does not answer.
            PromptTooLongError: If the model cannot take so much.
        """
        told = (part for message in messages for part in message)
        key = content_id(self.id, str(max_tokens), *told)
        reply = self._known.get(key) or self._asked(key, messages, max_tokens)
        with self._lock:
            self._used[key] = reply
        return reply

    def _asked(self, key: str, messages: Messages, max_tokens: int) -> Reply:
        if self._is_silent:
            raise UnaskedError(key)
        said = self._model.generate(messages, max_tokens=max_tokens)
        is_cut = said.is_cut or said.tokens == max_tokens  # local models do not say
        reply = Reply(key, said.text, said.prompt_tokens, said.tokens, is_cut)
        with self._lock:
            append_line(self._file, to_line(asdict(reply)))
            self._known[key] = reply
        return reply

    @property
    def cost(self) -> Cost:
        """What the replies took that were asked for, now or before."""
        replies = self._used.values()
        return Cost(
            len(replies),
            sum(reply.prompt_tokens for reply in replies),
            sum(reply.tokens for reply in replies),
        )


def _reply(row: dict[str, Any]) -> Reply:
    return Reply(**{field.name: row[field.name] for field in fields(Reply)})
