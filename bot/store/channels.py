"""What admins have set for each channel."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from bot.store.database import Database


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """How the bot behaves in one channel.

    In mode `questions` it also answers questions that do not mention it. `followups` says whose
    messages in a thread that it has answered in are questions too. `sources` are beginnings of
    document ids, none for all documents. `threshold` is the least confidence of an answer, None
    for the calibrated one. With visibility `asker` answers are for the asker's eyes only. Models
    on trial may answer where there are `trials`. Where `apps` is set, posts of workflows and other
    apps that mention the bot are answered. Where `reading` is set, what is said there becomes
    documents. `experts` are people's ids. Nothing is answered before `muted_until`, in Unix
    seconds.
    """

    mode: Literal["mentions", "questions"] = "mentions"
    followups: Literal["off", "asker", "everyone"] = "asker"
    sources: tuple[str, ...] = ()
    language: Literal["auto", "en", "zh"] = "auto"
    visibility: Literal["thread", "asker"] = "thread"
    threshold: float | None = None
    buttons: bool = True
    trials: bool = True
    apps: bool = False
    reading: bool = False
    experts: tuple[str, ...] = ()
    muted_until: float = 0.0


class Channels:
    """The configuration of each channel; the default where nobody has set one."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def of(self, channel: str) -> ChannelConfig:
        """What holds in a channel now."""
        row = self._database.connection.execute(
            "SELECT config FROM channels WHERE channel = ?", (channel,)
        ).fetchone()
        if row is None:
            return ChannelConfig()
        values = json.loads(row[0])
        lists = {name: tuple(values[name]) for name in ("sources", "experts") if name in values}
        return ChannelConfig(**values | lists)

    def set(self, channel: str, config: ChannelConfig, *, by: str) -> None:
        """Let this hold in a channel from now on."""
        row = {"channel": channel, "config": json.dumps(asdict(config)), "changed_by": by}
        with self._database.transaction() as db:
            db.table("channels").upsert(row | {"changed": self._clock()}, pk="channel")

    def mute(self, channel: str, *, seconds: float, by: str) -> None:
        """Answer nothing in a channel for so long; 0 ends it."""
        with self._database.transaction() as db:
            db.lock("channel", channel)
            config = replace(self.of(channel), muted_until=self._clock() + seconds)
            self.set(channel, config, by=by)

    def is_muted(self, channel: str) -> bool:
        """Whether questions in a channel are to be left alone."""
        return self.of(channel).muted_until > self._clock()

    def listening(self) -> frozenset[str]:
        """The channels where questions are answered that do not mention the bot."""
        return self._where(lambda values: values.get("mode") == "questions")

    def read(self) -> frozenset[str]:
        """The channels in which what is said becomes documents."""
        return self._where(lambda values: bool(values.get("reading")))

    def expert_in(self, person: str) -> frozenset[str]:
        """The channels for which a person is named as an expert."""
        return self._where(lambda values: person in values.get("experts", ()))

    def _where(self, holds: Callable[[dict[str, Any]], bool]) -> frozenset[str]:
        rows = self._database.connection.execute("SELECT channel, config FROM channels")
        return frozenset(channel for channel, config in rows if holds(json.loads(config)))
