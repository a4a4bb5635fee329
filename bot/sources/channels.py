"""Slack's channels as a source: each thread, and the rest of each day, is a document."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import groupby
from pathlib import Path

from pydantic import Field

from bot.privacy.forgotten import ForgottenPeople
from bot.settings import read_slack_settings
from bot.slack.directory import person_of
from bot.sources.slack_reader import REFUSED, SlackInfo, SlackReader
from bot.sources.told import Teller, Told
from bot.store.channels import Channels
from bot.store.opening import has_database, open_database
from retrieval.errors import SettingsError, SourceError
from retrieval.private import make_private, write_private
from retrieval.settings import Settings, load_settings
from retrieval.sources.connector import Omission, Options, Page, Readers, Remote, SourceSettings
from retrieval.sources.vendors import path_part

MEMORY = "known.json"
DAY_S = 86_400
SAVED_EVERY = 100
"""So many new documents are noted together."""

_MARKS = ("text", "subtype", "edited", "reply_count", "latest_reply")
_OTHER_CONVERSATIONS = ("is_im", "is_mpim")


class SlackOptions(Options):
    """What `[sources.NAME]` says of Slack. For `days` after its last message a thread is read anew.

    `channels` are ids of channels that are read besides those that admins chose in Slack.
    """

    channels: tuple[str, ...] = ()
    days: float = Field(default=30, ge=0)


@dataclass(frozen=True, slots=True)
class KnownDocument:
    """A document as it was read last: `version` is empty for a thread that says nothing.

    `mark` differs when its channel shows that the thread is another one. `begins` is the `ts` of
    its first message.
    """

    version: str = ""
    mark: str = ""
    subject: str = ""
    modified: str = ""
    people: list[str] = field(default_factory=list)
    begins: str = ""


@dataclass(slots=True)
class KnownChannel:
    """What was listed of a channel, which may be for its members alone."""

    is_private: bool
    documents: dict[str, KnownDocument] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadableChannel:
    """A channel that can be read now, and by whom; None is everybody."""

    id: str
    name: str
    readers: Readers | None

    @property
    def is_private(self) -> bool:
        """Whether it is for its members alone."""
        return self.readers is not None


def connect(settings: SourceSettings) -> SlackChannels:
    """The channels that admins chose, read with the bot's token.

    Raises:
        SettingsError: If that is not set, or nobody has said for whom public channels are.
    """
    settings.need_audience()
    options, slack = settings.read(SlackOptions), read_slack_settings()
    if not slack.token:
        raise SettingsError(f"SLACK_BOT_TOKEN is not set; {settings.title} is read with it")
    reader = SlackReader(slack.token, api_url=slack.api_url)
    return SlackChannels(options, reader, load_settings(), settings.folder)


class SlackChannels:
    """Lists channels as they are now. What is in none of them any more has gone."""

    def __init__(
        self,
        options: SlackOptions,
        reader: SlackReader,
        installation: Settings,
        folder: Path,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._options, self._slack, self._installation = options, reader, installation
        self._forgotten = ForgottenPeople(installation.home)
        self._memory = Memory(folder)
        self._clock = clock
        self._bodies: dict[str, str] = {}

    def close(self) -> None:
        """Nothing is held between requests."""

    @cached_property
    def _teller(self) -> Teller:
        return Teller(
            bot_user=self._bot["user_id"],
            bot_id=self._bot.get("bot_id") or "",
            people=self._slack.people(),
            public_channels=self._slack.public_channels(),
            forgotten=self._who_was_forgotten,
        )

    @cached_property
    def _bot(self) -> SlackInfo:
        return self._slack.bot()

    def _who_was_forgotten(self, people: Iterable[str]) -> list[str]:
        return self._forgotten.since("", people)

    def pages(self, cursor: str | None) -> Iterator[Page]:  # noqa: ARG002 - nothing says what has changed
        """First what may not be shown any more, then each channel, a page for each day."""
        chosen = self._chosen()
        yield Page(gone=self._memory.withdraw(lambda id_, _: id_ not in chosen))
        found = [self._look_at(channel) for channel in sorted(chosen)]
        readable = {c.id: c for c in found if isinstance(c, ReadableChannel)}
        yield Page(
            gone=self._memory.withdraw(
                lambda id_, known: (
                    id_ not in readable or (readable[id_].is_private and not known.is_private)
                )
            ),
            left_out=[omission for omission in found if isinstance(omission, Omission)],
        )
        for channel in readable.values():
            try:
                yield from self._pages(channel)
            except SourceError as error:
                if error.status != REFUSED:
                    raise
                left = Omission(channel.id, f"#{channel.name}", str(error))
                yield Page(gone=self._memory.forget(channel.id), left_out=[left])
        self._memory.save()

    def _chosen(self) -> frozenset[str]:
        if not has_database(self._installation):
            return frozenset(self._options.channels)
        with closing(open_database(self._installation)) as database:
            return Channels(database).read() | frozenset(self._options.channels)

    def _look_at(self, channel: str) -> ReadableChannel | Omission:
        """The channel, if it is for sure who may read it."""
        self._teller  # noqa: B018 - whoever cannot be asked for this cannot be asked at all
        try:
            info = self._slack.channel(channel)
            name = f"#{info.get('name') or channel}"
            if any(info.get(kind) for kind in _OTHER_CONVERSATIONS) or channel.startswith("D"):
                return Omission(channel, channel, "direct messages are not read")
            if info.get("is_archived"):
                return Omission(channel, name, "is archived")
            if info.get("is_member") is False:
                return Omission(channel, name, "the bot is not in it; invite it there")
            readers = self._members(channel) if info.get("is_private", True) else None
        except SourceError as error:
            return Omission(channel, channel, f"cannot tell who may read it now: {error}")
        return ReadableChannel(channel, name.removeprefix("#"), readers)

    def _members(self, channel: str) -> Readers:
        infos = (self._teller.people.get(id_, {}) for id_ in self._slack.members(channel))
        people = (person_of(info, team=self._bot["team_id"]) for info in infos if info)
        return frozenset(person.email for person in people if person.email)

    def _pages(self, channel: ReadableChannel) -> Iterator[Page]:
        known = self._memory.of(channel)
        listed = set()
        for day, messages in groupby(self._slack.history(channel.id), key=_day):
            found = list(self._day(channel, known, day, list(messages)))
            listed |= {key for key, _ in found}
            self._memory.note(known, dict(found))
            workspace = self._bot["url"]
            yield Page([_remote(channel, *pair, workspace) for pair in found if pair[1].version])
            self._bodies.clear()
        known.documents = {key: known.documents[key] for key in listed}

    def _day(
        self, channel: ReadableChannel, known: KnownChannel, day: str, messages: list[SlackInfo]
    ) -> Iterator[tuple[str, KnownDocument]]:
        """The documents that begin on a day, by their keys."""
        # A reply that was also sent to the channel is in its thread.
        own = [m for m in messages if m.get("thread_ts", m["ts"]) == m["ts"]]
        rest = [message for message in own if not _is_thread(message)]
        for message in own:
            if _is_thread(message):
                key = f"{channel.id}/{message['ts']}"
                yield key, self._thread(channel.id, message, key, known.documents.get(key))
        if told := self._teller.day(channel.id, rest):
            key = f"{channel.id}/{day}"
            yield key, self._read(key, told, subject=day)

    def _thread(
        self, channel: str, root: SlackInfo, key: str, known: KnownDocument | None
    ) -> KnownDocument:
        """A thread, asked for only if it may be another one than it was."""
        mark = hashlib.sha256(json.dumps([root.get(name) for name in _MARKS]).encode()).hexdigest()
        latest = float(root.get("latest_reply") or root["ts"])
        is_old = latest < self._clock() - self._options.days * DAY_S
        if known and is_old and known.mark == mark and not self._who_was_forgotten(known.people):
            return known
        told = self._teller.thread(channel, self._slack.thread(channel, root["ts"]))
        return self._read(key, told, mark=mark) if told else KnownDocument(mark=mark)

    def _read(self, key: str, told: Told, *, mark: str = "", subject: str = "") -> KnownDocument:
        self._bodies[key] = told.text
        return KnownDocument(
            version=told.version,
            mark=mark,
            subject=subject or told.subject,
            modified=told.modified,
            people=sorted(told.people),
            begins=told.begins,
        )

    def body(self, document: Remote) -> bytes:
        """The text of a thread or a day."""
        if document.key not in self._bodies:
            channel, _, rest = document.key.partition("/")
            told = self._told_again(channel, rest)
            if told is None:
                raise SourceError("has gone", status=REFUSED)
            return told.text.encode()
        return self._bodies[document.key].encode()

    def _told_again(self, channel: str, rest: str) -> Told | None:
        if "." in rest:
            return self._teller.thread(channel, self._slack.thread(channel, rest))
        begins = datetime.fromisoformat(rest).replace(tzinfo=UTC).timestamp()
        messages = self._slack.history(
            channel, oldest=f"{begins:.6f}", latest=f"{begins + DAY_S:.6f}"
        )
        return self._teller.day(channel, [m for m in messages if not _is_thread(m)])


class Memory:
    """What was listed before, in a file of the source's own."""

    def __init__(self, folder: Path) -> None:
        make_private(folder)
        self._path = folder / MEMORY
        self._unsaved = 0
        try:
            self._channels = _channels(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError):
            self._channels = {}  # everything is asked for again

    def withdraw(self, is_gone: Callable[[str, KnownChannel], bool]) -> list[str]:
        """The keys of what was listed of such channels, of which nothing is known any more."""
        gone = [id_ for id_, known in self._channels.items() if is_gone(id_, known)]
        return [key for id_ in gone for key in self._channels.pop(id_).documents]

    def forget(self, channel: str) -> list[str]:
        """The keys of what was listed of one channel, of which nothing is known any more."""
        return self.withdraw(lambda id_, _: id_ == channel)

    def of(self, channel: ReadableChannel) -> KnownChannel:
        """What is known of a channel."""
        known = self._channels.setdefault(channel.id, KnownChannel(channel.is_private))
        known.is_private = channel.is_private
        return known

    def note(self, known: KnownChannel, documents: dict[str, KnownDocument]) -> None:
        """Remember documents of a channel."""
        self._unsaved += sum(known.documents.get(key) != new for key, new in documents.items())
        known.documents |= documents
        if self._unsaved >= SAVED_EVERY:
            self.save()

    def save(self) -> None:
        """Write what is known to the file."""
        rows = {id_: asdict(channel) for id_, channel in self._channels.items()}
        beside = self._path.with_suffix(".new")
        write_private(beside, json.dumps(rows))
        beside.replace(self._path)
        self._unsaved = 0


def _channels(text: str) -> dict[str, KnownChannel]:
    return {
        id_: KnownChannel(
            row["is_private"],
            {key: KnownDocument(**known) for key, known in row["documents"].items()},
        )
        for id_, row in dict(json.loads(text)).items()
    }


def _is_thread(message: SlackInfo) -> bool:
    return bool(message.get("reply_count") or message.get("thread_ts"))


def _day(message: SlackInfo) -> str:
    return datetime.fromtimestamp(float(message["ts"]), UTC).date().isoformat()


def _remote(channel: ReadableChannel, key: str, known: KnownDocument, workspace: str) -> Remote:
    part = key.partition("/")[2]
    is_thread = "." in part
    name = f"{_day({'ts': part})} {path_part(known.subject)}" if is_thread else part
    permalink = (part if is_thread else known.begins).replace(".", "")
    return Remote(
        key=key,
        version=known.version,
        name=f"{path_part(channel.name)}/{name}.txt",
        title=f"#{channel.name}: {known.subject}",
        modified=known.modified,
        url=f"{workspace}archives/{channel.id}/p{permalink}",
        readers=channel.readers,
    )
