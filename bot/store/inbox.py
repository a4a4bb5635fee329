"""The inbox: what Slack delivered, kept until it is done. A leased queue."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from bot.store.connection import marks
from bot.store.database import Database
from retrieval.tracing import trace_of

JobKind = Literal[
    "question",
    "refusal",
    "queued",
    "withdraw",
    "overheard",
    "pointed",
    "prompts",
    "stop",
    "change",
    "command",
    "config",
    "reindex",
    "report",
    "learn",
    "replay",
    "vote",
    "card",
    "review",
    "home",
]
"""Who handles it: see `Bot`, which has one handler for each."""

PAYLOAD_VERSION = 1
"""Raised by a release whose payloads earlier ones would misread; none before told a version."""

WORTH_TELLING = 10
"""Who has so many questions before theirs is told."""

SUSPECT = 2
"""So many attempts came to no end, through no fault of others."""

TURN_S = 300.0
"""Whose questions were begun in this time lets others go first."""

NAMELESS = (
    "user = '', channel = '', team = '', thread_key = '', work_key = NULL, reply_channel = NULL,"
    " reply_ts = NULL, error = NULL"
)
"""What becomes of a job of which only what tells one delivery from another is to stay."""

_MENTION = re.compile(r"(<[@!#][^>]*>)")
_MARK = re.compile(r"<([A-Z]+_\d+)>")

_COUNTS = """
    WITH begun AS (SELECT user, channel FROM inbox WHERE kind = 'question' AND begun > :since),
    people AS (SELECT user, count(*) AS n FROM begun GROUP BY user),
    places AS (SELECT channel, count(*) AS n FROM begun GROUP BY channel)
"""

_ALONE = f"""
    (job.attempts - job.forgiven < {SUSPECT} OR NOT EXISTS (SELECT 1 FROM inbox AS other
      WHERE other.kind = job.kind AND other.state = 'doing' AND other.lease_until > :now
      AND other.attempts - other.forgiven > {SUSPECT}))
"""  # noqa: S608 - written in this module
"""Whether a job that was broken off before would be done beside no other such job."""

RefusalReason = Literal["full", "person", "channel"]
"""Why a question is not taken: too many wait, or too many of one person or channel do."""

TALK: tuple[JobKind, ...] = ("question", "refusal", "queued", "overheard", "pointed")
"""Deliveries that hold what people wrote in a channel."""

LEASE_S = 30.0
"""A job whose worker has not been filtered of for so long is given to another one."""


class LeaseLostError(Exception):
    """The job was given to another worker; what this one did must not be stored."""


class BrokenOffError(Exception):
    """The process is ending; the job is given back as it is."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing that Slack wants done, as the inbox stores it before the ack.

    `event_id` is Slack's and stays unique for ever. `work_key` names the message where one
    message can arrive as several events. Deliveries of one `thread_key` are done in order.
    """

    event_id: str
    kind: JobKind
    team: str
    channel: str
    user: str
    thread_key: str
    payload: Mapping[str, Any]
    work_key: str | None = None
    version: int = PAYLOAD_VERSION

    @property
    def trace_id(self) -> str:
        """The trace of all that is done for it."""
        return trace_of(self.event_id)


@dataclass(frozen=True, slots=True)
class Job:
    """A delivery that a worker holds.

    `attempts` counts every time it was claimed, this one too; `faults` leaves out those that are
    not the job's own fault. `created` is in Unix seconds. `version` is that of the payload, which
    is empty where what is stored is not JSON.
    """

    id: int
    event_id: str
    kind: JobKind
    team: str
    channel: str
    user: str
    payload: Mapping[str, Any]
    attempts: int
    faults: int
    owner: str
    created: float
    version: int

    @property
    def error_id(self) -> str:
        """A short id that a person can read to an admin; the beginning of its `trace_id`."""
        return self.trace_id[:8]

    @property
    def trace_id(self) -> str:
        """The trace of all that is done for it, the same for every attempt."""
        return trace_of(self.event_id)


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A job that was given up; `created` is in Unix seconds, `error` what an admin may need."""

    kind: str
    created: float
    error: str


class Inbox:
    """Stores deliveries once and hands each to one worker at a time."""

    def __init__(
        self,
        database: Database,
        *,
        lease_s: float = LEASE_S,
        max_waiting: int = 200,
        max_per_person: int | None = None,
        max_per_channel: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.database = database
        self.lease_s = lease_s
        self._limits: tuple[tuple[RefusalReason, float], ...] = (
            ("full", max_waiting),
            ("person", math.inf if max_per_person is None else max_per_person),
            ("channel", math.inf if max_per_channel is None else max_per_channel),
        )
        self._clock = clock

    def accept(self, delivery: Delivery) -> bool:
        """Store a delivery; False if it or its message is already here.

        Where too many questions wait, a new one is stored as a refusal, so that the person
        who asked is told; who has to wait long is told of that.
        """
        with self.database.transaction() as db:
            db.lock("accept")  # so that ids have the order of commits, and limits hold
            reason = self._refusal(delivery) if delivery.kind == "question" else None
            if reason is not None:
                payload = {**delivery.payload, "refused": reason}
                return self._store(
                    replace(delivery, kind="refusal", thread_key=delivery.event_id, payload=payload)
                )
            is_new = self._store(delivery)
            if is_new and delivery.kind == "question" and self._is_worth_telling(delivery):
                event_id = f"queued:{delivery.event_id}"
                self._store(
                    replace(
                        delivery,
                        event_id=event_id,
                        kind="queued",
                        thread_key=event_id,
                        work_key=None,
                    )
                )
            return is_new

    def _refusal(self, delivery: Delivery) -> RefusalReason | None:
        row = self.database.connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE user = ?),"
            " count(*) FILTER (WHERE channel = ?)"
            " FROM inbox WHERE state = 'todo' AND kind = 'question'",
            (delivery.user, delivery.channel),
        ).fetchone()
        waiting, of_person, _ = row
        # A queue that others have filled still takes one question of who has none in it.
        is_spared = not of_person and waiting < 2 * self._limits[0][1]
        for (reason, limit), count in zip(self._limits, row, strict=True):
            if count >= limit and not (reason == "full" and is_spared):
                return reason
        return None

    def _is_worth_telling(self, delivery: Delivery) -> bool:
        """Whether somebody who has no other question waiting has many before theirs."""
        asked = delivery.payload
        if (
            asked.get("is_overheard")
            or asked.get("is_automated")
            or self.waiting("question") <= WORTH_TELLING
        ):
            return False
        others = self.database.connection.execute(
            "SELECT count(*) FROM inbox WHERE state = 'todo' AND kind = 'question' AND user = ?",
            (delivery.user,),
        ).fetchone()[0]
        return others == 1 and (self.before(delivery.event_id) or 0) >= WORTH_TELLING

    def _store(self, delivery: Delivery) -> bool:
        with self.database.transaction() as db:
            cursor = db.execute(
                "INSERT INTO inbox (event_id, work_key, kind, team, channel, thread_key, user,"
                " payload, version, state, created)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'todo', ?)"
                " ON CONFLICT DO NOTHING",
                (
                    delivery.event_id,
                    delivery.work_key,
                    delivery.kind,
                    delivery.team,
                    delivery.channel,
                    delivery.thread_key,
                    delivery.user,
                    json.dumps(dict(delivery.payload), ensure_ascii=False),
                    delivery.version,
                    self._clock(),
                ),
            )
            db.announce(delivery.kind)
            return cursor.rowcount == 1

    def claim(self, owner: str, kinds: Sequence[JobKind]) -> Job | None:
        """Lease the oldest job of these kinds that is due and first in its thread.

        Of questions, one goes first whose asker, and then whose channel, had the fewest begun
        lately: people take turns, however many questions somebody has waiting.

        What was broken off before is done beside no other such job. When a process dies, it cannot
        be told which of its jobs is why; so in the end only that one is held to be.

        An expired lease makes a job due again. The attempt is counted here, so that a question
        that kills the process counts too.
        """
        now = self._clock()
        values = {"now": now, "since": now - TURN_S, "owner": owner, "until": now + self.lease_s}
        of_kinds = {f"kind{n}": kind for n, kind in enumerate(kinds)}
        with self.database.transaction() as db:
            found = db.execute(
                f"{_COUNTS} SELECT job.id, job.attempts - job.forgiven FROM inbox AS job"  # noqa: S608 - written in this module
                " LEFT JOIN people ON job.kind = 'question' AND people.user = job.user"
                " LEFT JOIN places ON job.kind = 'question' AND places.channel = job.channel"
                f" WHERE job.kind IN ({', '.join(f':{name}' for name in of_kinds)})"
                " AND (job.state = 'todo' AND job.not_before <= :now"
                "  OR job.state = 'doing' AND job.lease_until <= :now)"
                " AND NOT EXISTS (SELECT 1 FROM inbox AS earlier"
                "  WHERE earlier.thread_key = job.thread_key AND earlier.id < job.id"
                f"  AND earlier.state IN ('todo', 'doing')) AND {_ALONE}"
                " ORDER BY coalesce(people.n, 0), coalesce(places.n, 0), job.id"
                f" LIMIT 1 {db.skipping_locked('job')}",
                values | of_kinds,
            ).fetchone()
            if found is None:
                return None
            id_, faults = found
            if faults >= SUSPECT:
                db.lock("suspects")  # another worker may have claimed one since we looked
            claimed = db.execute(
                "UPDATE inbox AS job SET state = 'doing', attempts = attempts + 1, owner = :owner,"  # noqa: S608 - written in this module
                " lease_until = :until, begun = coalesce(begun, :now)"
                f" WHERE job.id = :id AND {_ALONE}"
                " RETURNING id, event_id, kind, team, channel, user, payload, attempts,"
                " attempts - forgiven, owner, created, version",
                values | {"id": id_},
            ).fetchone()
        return None if claimed is None else _job(claimed)

    def bury_others(self, kinds: Sequence[JobKind]) -> int:
        """End what another release has stored and is of none of these kinds; how many jobs."""
        with self.database.erasing() as db:
            buried = db.execute(
                "UPDATE inbox SET state = 'dead', payload = '{}',"  # noqa: S608 - question marks
                " error = 'of a kind that this release does not know'"
                " WHERE state IN ('todo', 'doing')"
                f" AND kind NOT IN {marks(kinds)}",
                kinds,
            )
            return buried.rowcount

    def heartbeat(self, job: Job) -> None:
        """Extend the lease."""
        self._change(job, "lease_until = ?", self._clock() + self.lease_s)

    def set_reply(self, job: Job, channel: str, ts: str) -> None:
        """Remember the message that shows this job's progress, before the work begins."""
        self._change(job, "reply_channel = ?, reply_ts = ?", channel, ts)

    def reply(self, job: Job) -> tuple[str, str] | None:
        """Channel and ts of the message that shows this job's progress, if it is known."""
        row = self.database.connection.execute(
            "SELECT reply_channel, reply_ts FROM inbox WHERE id = ?", (job.id,)
        ).fetchone()
        return None if row[1] is None else (row[0], row[1])

    def shows(self, channel: str, ts: str) -> bool:
        """Whether a job that is not done shows its progress in this message."""
        row = self.database.connection.execute(
            "SELECT 1 FROM inbox WHERE reply_channel = ? AND reply_ts = ?"
            " AND state IN ('todo', 'doing')",
            (channel, ts),
        ).fetchone()
        return row is not None

    def finish(self, job: Job) -> None:
        """Done. What was asked stays only in the log, in the transaction of the caller."""
        with self.database.transaction():
            self._change(job, "state = 'done', payload = '{}'")
            self._erase_talk(job)

    def retry(self, job: Job, *, delay_s: float, is_fault: bool = True) -> None:
        """Give the job back, to be claimed after `delay_s`."""
        self._change(
            job,
            "state = 'todo', not_before = ?, forgiven = forgiven + ?",
            self._clock() + delay_s,
            int(not is_fault),
        )

    def bury(self, job: Job, error: str) -> None:
        """Give the job up; `error` is what an admin will want to know.

        What was said is kept only where somebody may ask it again.
        """
        is_kept = job.kind == "question" and not job.payload.get("is_overheard")
        payload = self._redacted(job.payload) if is_kept else {}
        told = error.encode(errors="replace").decode()  # SQLite takes no half surrogate pairs
        with self.database.transaction():
            stored = json.dumps(payload)  # in ASCII, for the same reason
            self._change(job, "state = 'dead', payload = ?, error = ?", stored, told)
            self._erase_talk(job)

    def forget(self, work_key: str) -> None:
        """Keep nothing of a question that was given up and that nobody will ask again."""
        with self.database.erasing() as db:
            db.execute(
                "UPDATE inbox SET payload = '{}' WHERE work_key = ? AND state = 'dead'", (work_key,)
            )

    def again(self, event_id: str, *, response_url: str | None) -> bool:
        """Ask a question anew that was given up, in its old message; False if that was done before.

        An answer in private goes to the given `response_url`, because the old one has expired.
        """
        with self.database.transaction() as db:
            row = db.execute(
                "SELECT team, channel, user, thread_key, payload, reply_channel, reply_ts, version"
                " FROM inbox WHERE event_id = ? AND kind = 'question' AND state = 'dead'"
                " AND payload != '{}'",  # who asked it was forgotten meanwhile
                (event_id,),
            ).fetchone()
            if row is None:
                return False
            payload = _payload(row[4])
            if payload.get("response_url"):
                payload |= {"response_url": response_url, "replaces": True}
            new_id = f"{event_id}:again"
            delivery = Delivery(
                new_id, "question", row[0], row[1], row[2], row[3], payload, version=row[7]
            )
            is_new = self.accept(delivery)
            db.execute(
                "UPDATE inbox SET reply_channel = ?, reply_ts = ?"
                " WHERE event_id = ? AND reply_ts IS NULL",
                (row[5], row[6], new_id),
            )
            return is_new

    def before(self, event_id: str) -> int | None:
        """How many waiting questions are likely to go before this one; None if it does not wait."""
        row = self.database.connection.execute(
            f"{_COUNTS}, waiting AS (SELECT id, event_id, coalesce(places.n, 0) AS place,"  # noqa: S608 - written in this module
            " coalesce(people.n, 0)"
            "  + row_number() OVER (PARTITION BY job.user ORDER BY job.id) AS turn"
            " FROM inbox AS job LEFT JOIN people ON people.user = job.user"
            " LEFT JOIN places ON places.channel = job.channel"
            " WHERE job.kind = 'question' AND job.state = 'todo')"
            " SELECT (SELECT count(*) FROM waiting AS other"
            "  WHERE (other.turn, other.place, other.id) < (mine.turn, mine.place, mine.id))"
            " FROM waiting AS mine WHERE mine.event_id = :event_id",
            {"event_id": event_id, "since": self._clock() - TURN_S},
        ).fetchone()
        return None if row is None else int(row[0])

    def withdraw(self, key: str, person: str) -> bool:
        """Take back a person's question that nobody has begun, by its event or its message.

        False if it has been begun, or there is none.
        """
        with self.database.erasing() as db:
            withdrawn = db.execute(
                "UPDATE inbox SET state = 'done', payload = '{}'"
                " WHERE (event_id = ? OR work_key = ?) AND user = ? AND kind = 'question'"
                " AND state = 'todo' AND reply_ts IS NULL",
                (key, key, person),
            )
            return withdrawn.rowcount == 1

    def release(self, owner: str) -> int:
        """Give back at once everything that this worker holds; how many jobs that were."""
        with self.database.transaction() as db:
            return db.execute(
                "UPDATE inbox SET state = 'todo', forgiven = forgiven + 1"
                " WHERE state = 'doing' AND owner = ?",
                (owner,),
            ).rowcount

    def release_left(self, has_ended: Callable[[str], bool]) -> int:
        """Give back at once what owners hold that have ended; how many jobs that were.

        The attempt counts: what a job was doing when its process ended may be why.
        """
        owners = self.database.connection.execute(
            "SELECT DISTINCT owner FROM inbox WHERE state = 'doing'"
        ).fetchall()
        ended = [owner for (owner,) in owners if has_ended(owner)]
        if not ended:
            return 0
        with self.database.transaction() as db:
            return db.execute(
                "UPDATE inbox SET state = 'todo'"  # noqa: S608 - question marks
                f" WHERE state = 'doing' AND owner IN {marks(ended)}",
                ended,
            ).rowcount

    def waiting(self, kind: JobKind) -> int:
        """How many jobs of this kind nobody has begun."""
        row = self.database.connection.execute(
            "SELECT count(*) FROM inbox WHERE state = 'todo' AND kind = ?", (kind,)
        ).fetchone()
        return int(row[0])

    def backlog(self) -> dict[str, tuple[int, float]]:
        """How many jobs of each kind nobody has begun, and for how many seconds the oldest waits.

        A kind of which none waits is not named.
        """
        rows = self.database.connection.execute(
            "SELECT kind, count(*), min(created) FROM inbox WHERE state = 'todo' GROUP BY kind"
        ).fetchall()
        now = self._clock()
        return {kind: (int(n), max(0.0, now - since)) for kind, n, since in rows}

    def is_busy(self, kind: JobKind) -> bool:
        """Whether a job of this kind waits or is being done."""
        row = self.database.connection.execute(
            "SELECT EXISTS (SELECT 1 FROM inbox WHERE state IN ('todo', 'doing') AND kind = ?)",
            (kind,),
        ).fetchone()
        return bool(row[0])

    def counts(self) -> dict[str, int]:
        """How many jobs there are by state."""
        rows = self.database.connection.execute("SELECT state, count(*) FROM inbox GROUP BY state")
        return dict(rows.fetchall())

    def given_up(self, count: int) -> list[GivenUp]:
        """The newest jobs that were given up, at most so many."""
        rows = self.database.connection.execute(
            "SELECT kind, created, error FROM inbox WHERE state = 'dead' ORDER BY id DESC LIMIT ?",
            (count,),
        )
        return [GivenUp(kind, created, error or "") for kind, created, error in rows.fetchall()]

    def _redacted(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """A payload whose text, in Slack's mrkdwn, holds marks in place of what is taken out."""
        text = payload.get("text")
        if not isinstance(text, str):
            return dict(payload)
        # Without its mentions the question would be another one, or none of ours.
        pieces = _MENTION.split(text)
        pieces[::2] = self.database.redactor.texts(*pieces[::2])
        return {**payload, "text": _MARK.sub(r"&lt;\1&gt;", "".join(pieces))}

    def _erase_talk(self, job: Job) -> None:
        """What people said may be said nowhere else: it is in no file any more with the commit."""
        if job.kind in TALK:
            self.database.erase()

    def _change(self, job: Job, assignments: str, *values: object) -> None:
        with self.database.transaction() as db:
            cursor = db.execute(
                f"UPDATE inbox SET {assignments}"  # noqa: S608 - written in this module
                # The owner alone is not enough: a worker that was asleep for longer than its
                # lease may have claimed the same job again.
                " WHERE id = ? AND owner = ? AND attempts = ? AND state = 'doing'",
                (*values, job.id, job.owner, job.attempts),
            )
            if cursor.rowcount != 1:
                raise LeaseLostError(f"job {job.id} is no longer held by {job.owner}")


def _job(row: tuple[Any, ...]) -> Job:
    id_, event_id, kind, team, channel, user, payload, *rest = row
    return Job(id_, event_id, kind, team, channel, user, _payload(payload), *rest)


def _payload(stored: bytes | str) -> dict[str, Any]:
    """What was stored, empty if it is not JSON: then its handler fails, and not who claims it."""
    try:
        payload = json.loads(stored)
    except (ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}
