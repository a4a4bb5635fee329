"""What was said in a thread or on a day, as the text of a document."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.sources.slack_reader import SlackInfo
from retrieval.documents.loaders.slack_export import (
    NOISE,
    Names,
    author,
    person_name,
    said_words,
    subject_of,
    without,
)

SUBJECT_CHARS = 80
NOBODY = "someone"
"""What stands for the name of somebody who was forgotten."""

_PERSON = re.compile(r'(?:<@|"(?:user|user_id|author_id)": ")([UW][A-Z0-9]+)')
_CHANNEL = re.compile(r"\b[CDG][A-Z0-9]+\b")


@dataclass(frozen=True, slots=True)
class Told:
    """A document's text and what is said of it.

    `people` are the ids of those who said it or are named in it. `modified` is ISO 8601 in UTC,
    `begins` the first message's `ts`.
    """

    text: str
    subject: str
    modified: str
    people: frozenset[str]
    begins: str

    @property
    def version(self) -> str:
        """Differs whenever the text does."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Teller:
    """Makes documents of messages, without what the bot said and what was asked of it.

    `forgotten` tells who of some people was forgotten: what they said is left out, and who is named
    is nobody then. Channels that are not among the `public_channels` have no name.
    """

    bot_user: str
    bot_id: str
    people: dict[str, SlackInfo]
    public_channels: dict[str, str]
    forgotten: Callable[[Iterable[str]], Iterable[str]]
    names: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        names = {id_: person_name(info) for id_, info in self.people.items()}
        object.__setattr__(self, "names", names)

    def thread(self, channel: str, messages: Sequence[SlackInfo]) -> Told | None:
        """A thread; None for one without words, or one in which somebody talks to the bot alone."""
        said = [message for message in messages if not self._is_own(message)]
        is_asked = len(said) < len(messages) or any(map(self._asks, said[:1]))
        if is_asked and len({message.get("user") for message in said}) < 2:
            return None
        return self._told(channel, said)

    def day(self, channel: str, messages: Sequence[SlackInfo]) -> Told | None:
        """What was said on a day outside threads; None for nothing."""
        ours = (message for message in messages if not self._is_own(message))
        return self._told(channel, [message for message in ours if not self._asks(message)])

    def _told(self, channel: str, messages: Sequence[SlackInfo]) -> Told | None:
        people = frozenset(_ids(_PERSON, messages))
        forgotten = frozenset(self.forgotten(people))
        readable = [
            _shown(message, forgotten)
            for message in sorted(messages, key=lambda message: str(message["ts"]))
            if message.get("subtype") not in NOISE and message.get("user") not in forgotten
        ]
        names = Names(self.names | dict.fromkeys(forgotten, NOBODY), self.public_channels)
        hidden = frozenset(_ids(_CHANNEL, readable)) - self.public_channels.keys() - {channel}
        said = [
            (message, words)
            for message in readable
            if (words := said_words(without(hidden, dict(message)), names, hidden))
        ]
        if not said:
            return None
        text = "\n\n".join(f"{author(dict(m), names)}: {words}" for m, words in said)
        subject = subject_of(said[0][1])[:SUBJECT_CHARS].strip()
        latest = max(float(_edited(message)) for message, _ in said)
        modified = datetime.fromtimestamp(latest, UTC).isoformat(timespec="seconds")
        return Told(f"{text}\n", subject, modified, people - forgotten, said[0][0]["ts"])

    def _is_own(self, message: SlackInfo) -> bool:
        return message.get("user") == self.bot_user or message.get("bot_id") == self.bot_id

    def _asks(self, message: SlackInfo) -> bool:
        return f"<@{self.bot_user}" in str(message.get("text"))


def _shown(message: SlackInfo, forgotten: frozenset[str]) -> SlackInfo:
    """A message without what it shows of what others said who were forgotten."""
    attachments = message.get("attachments") or ()
    shown = [shown for shown in attachments if shown.get("author_id") not in forgotten]
    return {**message, "attachments": shown} if len(shown) < len(attachments) else message


def _edited(message: SlackInfo) -> str:
    return str((message.get("edited") or {}).get("ts") or message["ts"])


def _ids(kind: re.Pattern[str], messages: Sequence[SlackInfo]) -> list[str]:
    return kind.findall(json.dumps(messages))
