"""Threads that the bot answered in: whose messages there are for it, and when it is to be quiet."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot.asking.triage import is_thanks, without_thanks
from bot.store.channels import ChannelConfig
from bot.store.database import Database
from bot.store.log import Turn
from retrieval.language import words

REST_S = 24 * 3_600.0
"""Nobody is still talking to us after this time."""
REPHRASED_S = 15 * 60.0
_ALIKE = 0.5
"""Share of common words, of all words, from which a question is another wording of the last."""

_ASKS = re.compile(
    r"[?？]|吗|呢|怎么|怎样|如何|什么|哪|几|多少|多久|谁|是否|能否|能不能|有没有|那么?[^，。]{1,8}$"
    r"|^\W*(?:(?:and|ok|so|but|then|also)\W+)*(?:what|how|why|who|whom|when|where|which|is|are|do|"
    r"does|did|can|could|should|would|will|may|must|tell me|explain|show me|for|if)\b",
    re.IGNORECASE,
)
# Behind thanks, "will ask HR" and "when I am back" ask nothing.
_ASKS_ON = re.compile(
    r"^\W*(?:(?:and|so|but|then|also)\W+)*(?:what|how|why|who|whom|where|which|and (?:for|if|when)|"
    r"(?:is|are|do|does|can|could|should|would|may|must) "
    r"(?:i|we|you|it|he|she|there|they|the|that|this|these|those|my|our))\b",
    re.IGNORECASE,
)
_OTHERS = re.compile(r"<@|<!subteam")

FollowUpVerdict = Literal["follow-up", "takeover", "nothing"]


@dataclass(frozen=True, slots=True)
class KnownThread:
    """What the log knows of a thread. `latest` is in Unix seconds."""

    askers: frozenset[str]
    turn_id: str
    latest: float


class Threads:
    """Reads the log and remembers where people have taken over. Writes join transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, channel: str, thread_ts: str) -> KnownThread | None:
        """What we know of a thread; None where we have answered nothing in it."""
        rows = self._database.connection.execute(
            "SELECT id, asker, created FROM turns WHERE channel = ? AND thread_ts = ?"
            " AND deleted IS NULL ORDER BY rowid DESC",
            (channel, thread_ts),
        ).fetchall()
        if not rows:
            return None
        latest = datetime.fromisoformat(rows[0][2]).timestamp()
        return KnownThread(frozenset(row[1] for row in rows), rows[0][0], latest)

    def is_open(self, channel: str, thread_ts: str, known: KnownThread) -> bool:
        """Whether we still take part: nobody has taken over and the thread does not rest."""
        taken = self._database.connection.execute(
            "SELECT 1 FROM takeovers WHERE channel = ? AND thread_ts = ?", (channel, thread_ts)
        ).fetchone()
        return taken is None and time.time() - known.latest < REST_S

    def take_over(self, channel: str, thread_ts: str, person: str) -> None:
        """A person answers here; we are quiet until we are mentioned again."""
        row = {"channel": channel, "thread_ts": thread_ts, "person": person, "at": time.time()}
        with self._database.transaction() as db:
            db.table("takeovers").insert(row, ignore=True)

    def reopen(self, channel: str, thread_ts: str | None) -> None:
        """We were asked again."""
        with self._database.transaction() as db:
            db.execute(
                "DELETE FROM takeovers WHERE channel = ? AND thread_ts = ?", (channel, thread_ts)
            )

    def rephrased(self, turn: Turn) -> str | None:
        """The id of the turn whose question this one, soon after and not yet logged, rewords."""
        row = self._database.connection.execute(
            "SELECT id, question, created FROM turns WHERE channel = ? AND asker = ?"
            " AND deleted IS NULL ORDER BY rowid DESC LIMIT 1",
            (turn.channel, turn.asker),
        ).fetchone()
        if row is None or time.time() - datetime.fromisoformat(row[2]).timestamp() > REPHRASED_S:
            return None
        before, now = set(words(row[1])), set(words(turn.answer.question))
        is_alike = len(before & now) >= _ALIKE * len(before | now)
        return str(row[0]) if is_alike else None


def asks(text: str) -> bool:
    """Whether somebody's words sound like a question, perhaps behind thanks."""
    return not is_thanks(text) and bool(_ASKS.search(text) or _ASKS_ON.search(without_thanks(text)))


def judge(text: str, person: str, known: KnownThread, config: ChannelConfig) -> FollowUpVerdict:
    """What a message without a mention means in a thread that we take part in."""
    is_asker = person in known.askers
    is_asking = asks(text)
    if person in config.experts and not is_asker:
        return "takeover"
    if not is_asker and not is_thanks(text) and not (is_asking and config.followups == "everyone"):
        return "takeover"
    if not is_asking or _OTHERS.search(text) or config.followups == "off":
        return "nothing"
    return "follow-up" if is_asker or config.followups == "everyone" else "nothing"
