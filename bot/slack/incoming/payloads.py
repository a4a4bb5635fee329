"""What the inbox keeps of a delivery for the handler of its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from bot.store.inbox import PAYLOAD_VERSION, Job
from bot.store.log import RatingSource, Value

Body = Mapping[str, Any]
"""A request from Slack, decoded."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question as asked. With a `response_url` the answer is for the asker's eyes only.

    With a `private_url` it becomes so where the bot cannot post. If the answer `replaces` the
    message that the `response_url` came with, that is ours. One that was `is_overheard` was
    not put to the bot: it is answered or left alone, without a word about it; `triage` is the id
    of the model that took it for a question. `files` are as Slack describes them. `text` is what
    the message says itself, `forwarded` what it shows of others, both in Slack's mrkdwn. One that
    `is_automated` was posted by an app, which nothing can be said to in private.
    """

    text: str
    ts: str | None = None
    thread_ts: str | None = None
    channel_type: str | None = None
    is_shared: bool = False
    response_url: str | None = None
    private_url: str | None = None
    replaces: bool = False
    is_overheard: bool = False
    triage: str = ""
    files: Sequence[Mapping[str, Any]] = ()
    forwarded: Sequence[str] = ()
    is_automated: bool = False

    @property
    def said(self) -> str:
        """What the message says itself; if nothing, what it forwards."""
        return self.text or "\n".join(self.forwarded)


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
    source: RatingSource
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
    on, where there is one, and so are `forwarded` and `files`, as in `Question`, if it was made to
    ask about it; a `response_url` changes that message or answers in private.
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
    forwarded: Sequence[str] = ()
    files: Sequence[Mapping[str, Any]] = ()


class PayloadError(Exception):
    """What the inbox keeps was stored by a release whose payloads this one cannot read."""


T = TypeVar("T", Question, MessageChange, Stop, Command, RatingGiven, Interaction)


def read(job: Job, shape: type[T]) -> T:
    """What a job's payload says.

    Raises:
        PayloadError: If another release has stored it, and this one cannot read it.
    """
    if job.version > PAYLOAD_VERSION:
        raise PayloadError(f"version is {job.version}; wanted {PAYLOAD_VERSION} or an earlier one")
    try:
        return shape(**job.payload)
    except TypeError as error:
        raise PayloadError(f"no {shape.__name__} of this release: {error}") from error


def read_in_part(job: Job, blank: T) -> T:
    """`blank` with what can be read of a job's payload, whoever has stored it: for an apology."""
    names = {part.name for part in fields(blank)}
    known: dict[str, Any] = {
        name: value
        for name, value in job.payload.items()
        if name in names and isinstance(value, str | bool)
    }
    return replace(blank, **known)
