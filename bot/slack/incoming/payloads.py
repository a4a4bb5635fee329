"""What the inbox keeps of a delivery for the handler of its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.store.log import Value, VoteSource

Body = Mapping[str, Any]
"""A request from Slack, decoded."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question as asked. With a `response_url` the answer is for the asker's eyes only.

    With a `private_url` it becomes so where the bot cannot post. One that was `is_overheard` was
    not put to the bot: it is answered or left alone, without a word about it; `triage` is the id
    of the model that took it for a question. `files` are as Slack describes them.
    """

    text: str
    ts: str | None = None
    thread_ts: str | None = None
    channel_type: str | None = None
    is_shared: bool = False
    response_url: str | None = None
    private_url: str | None = None
    is_overheard: bool = False
    triage: str = ""
    files: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class MessageChange:
    """A person's message that is no more."""

    ts: str
    thread_ts: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody pressed the stop button of the answer that a thread is waiting for."""

    thread_ts: str


@dataclass(frozen=True, slots=True)
class Command:
    """What follows `/whimbrel`. A `trigger_id` opens one modal and lives for three seconds.

    What the clock has given has no `response_url`.
    """

    text: str
    response_url: str | None
    trigger_id: str | None = None


@dataclass(frozen=True, slots=True)
class RatingGiven:
    """A click on a card (which names its turn) or a reaction to a message.

    `at` is when a reaction was made, in Unix seconds: events of one person may change places.
    """

    value: Value
    source: VoteSource
    is_withdrawn: bool = False
    turn_id: str | None = None
    ts: str | None = None
    trigger_id: str | None = None
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Interaction:
    """A click on a button, a submitted modal or a message shortcut.

    `value` is the button's value or the modal's private metadata; `inputs` the modal's fields or
    what a menu has selected, by action id, each as text. A `trigger_id` opens one modal and lives
    for three seconds. `ts`, `thread_ts`, `text` and `author` are of the message that it was made
    on, where there is one; a `response_url` changes that message or answers in private.
    """

    name: str
    value: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    trigger_id: str | None = None
    response_url: str | None = None
    ts: str | None = None
    thread_ts: str | None = None
    text: str = ""
    author: str | None = None
    is_ephemeral: bool = False
