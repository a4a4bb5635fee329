"""The inbox: what Slack delivered, kept until it is done. A leased queue in SQLite."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bot.store.database import Database

JobKind = Literal[
    "question",
    "refusal",
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

TALK: tuple[JobKind, ...] = ("question", "refusal", "overheard", "pointed")
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
        """A short id that a person can read to an admin; the same for every attempt."""
        return hashlib.sha256(self.event_id.encode()).hexdigest()[:8]


class Inbox:
    """Stores deliveries once and hands each to one worker at a time."""

    def __init__(
        self,
        database: Database,
        *,
        lease_s: float = LEASE_S,
        max_waiting: int = 200,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.database = database
        self.lease_s = lease_s
        self._max_waiting = max_waiting
        self._clock = clock

    def accept(self, delivery: Delivery) -> bool:
        """Store a delivery; False if it or its message is already here.

        Where too many questions wait, a new one is stored as a refusal, so that the person
        who asked is told.
        """
        with self.database.transaction() as db:
            kind, thread_key = delivery.kind, delivery.thread_key
            if kind == "question" and self.waiting("question") >= self._max_waiting:
                kind, thread_key = "refusal", delivery.event_id
            cursor = db.conn.execute(
                "INSERT INTO inbox (event_id, work_key, kind, team, channel, thread_key, user,"
                " payload, version, state, created)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'todo', ?)"
                " ON CONFLICT DO NOTHING",
                (
                    delivery.event_id,
                    delivery.work_key,
                    kind,
                    delivery.team,
                    delivery.channel,
                    thread_key,
                    delivery.user,
                    json.dumps(dict(delivery.payload), ensure_ascii=False),
                    delivery.version,
                    self._clock(),
                ),
            )
            return cursor.rowcount == 1

    def claim(self, owner: str, kinds: Sequence[JobKind]) -> Job | None:
        """Lease the oldest job of these kinds that is due and first in its thread.

        An expired lease makes a job due again. The attempt is counted here, so that a question
        that kills the process counts too.
        """
        now = self._clock()
        with self.database.transaction() as db:
            rows = db.conn.execute(
                "UPDATE inbox SET state = 'doing', attempts = attempts + 1, owner = ?,"
                " lease_until = ? WHERE id = (SELECT id FROM inbox AS job"
                " WHERE kind IN (SELECT value FROM json_each(?))"
                " AND (state = 'todo' AND not_before <= ? OR state = 'doing' AND lease_until <= ?)"
                " AND NOT EXISTS (SELECT 1 FROM inbox AS earlier"
                "  WHERE earlier.thread_key = job.thread_key AND earlier.id < job.id"
                "  AND earlier.state IN ('todo', 'doing'))"
                " ORDER BY id LIMIT 1)"
                " RETURNING id, event_id, kind, team, channel, user, CAST(payload AS BLOB),"
                " attempts, attempts - forgiven, owner, created, version",
                (owner, now + self.lease_s, json.dumps(list(kinds)), now, now),
            ).fetchall()
        return _job(rows[0]) if rows else None

    def bury_others(self, kinds: Sequence[JobKind]) -> int:
        """End what another release has stored and is of none of these kinds; how many jobs."""
        with self.database.transaction() as db:
            self.database.erase()
            buried = db.conn.execute(
                "UPDATE inbox SET state = 'dead', payload = '{}',"
                " error = 'of a kind that this release does not know'"
                " WHERE state IN ('todo', 'doing')"
                " AND kind NOT IN (SELECT value FROM json_each(?))",
                (json.dumps(list(kinds)),),
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
        row = self.database.connection.conn.execute(
            "SELECT reply_channel, reply_ts FROM inbox WHERE id = ?", (job.id,)
        ).fetchone()
        return None if row[1] is None else (row[0], row[1])

    def shows(self, channel: str, ts: str) -> bool:
        """Whether a job that is not done shows its progress in this message."""
        row = self.database.connection.conn.execute(
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
        kept = "payload" if is_kept else "'{}'"
        told = error.encode(errors="replace").decode()  # SQLite takes no half surrogate pairs
        with self.database.transaction():
            self._change(job, f"state = 'dead', payload = {kept}, error = ?", told)
            self._erase_talk(job)

    def forget(self, work_key: str) -> None:
        """Keep nothing of a question that was given up and that nobody will ask again."""
        with self.database.transaction() as db:
            db.conn.execute(
                "UPDATE inbox SET payload = '{}' WHERE work_key = ? AND state = 'dead'", (work_key,)
            )
            self.database.erase()

    def again(self, event_id: str, *, response_url: str | None) -> bool:
        """Ask a question anew that was given up, in its old message; False if that was done before.

        An answer in private goes to the given `response_url`, because the old one has expired.
        """
        with self.database.transaction() as db:
            row = db.conn.execute(
                "SELECT team, channel, user, thread_key, payload, reply_channel, reply_ts, version"
                " FROM inbox WHERE event_id = ? AND kind = 'question' AND state = 'dead'"
                " AND payload != '{}'",  # who asked it was forgotten meanwhile
                (event_id,),
            ).fetchone()
            if row is None:
                return False
            payload = _payload(row[4])
            if payload.get("response_url"):
                payload["response_url"] = response_url
            new_id = f"{event_id}:again"
            delivery = Delivery(
                new_id, "question", row[0], row[1], row[2], row[3], payload, version=row[7]
            )
            is_new = self.accept(delivery)
            db.conn.execute(
                "UPDATE inbox SET reply_channel = ?, reply_ts = ?"
                " WHERE event_id = ? AND reply_ts IS NULL",
                (row[5], row[6], new_id),
            )
            return is_new

    def release(self, owner: str) -> int:
        """Give back at once everything that this worker holds; how many jobs that were."""
        with self.database.transaction() as db:
            return db.conn.execute(
                "UPDATE inbox SET state = 'todo', forgiven = forgiven + 1"
                " WHERE state = 'doing' AND owner = ?",
                (owner,),
            ).rowcount

    def waiting(self, kind: JobKind) -> int:
        """How many jobs of this kind nobody has begun."""
        row = self.database.connection.conn.execute(
            "SELECT count(*) FROM inbox WHERE state = 'todo' AND kind = ?", (kind,)
        ).fetchone()
        return int(row[0])

    def is_busy(self, kind: JobKind) -> bool:
        """Whether a job of this kind waits or is being done."""
        row = self.database.connection.conn.execute(
            "SELECT EXISTS (SELECT 1 FROM inbox WHERE state IN ('todo', 'doing') AND kind = ?)",
            (kind,),
        ).fetchone()
        return bool(row[0])

    def counts(self) -> dict[str, int]:
        """How many jobs there are by state."""
        rows = self.database.connection.conn.execute(
            "SELECT state, count(*) FROM inbox GROUP BY state"
        )
        return dict(rows.fetchall())

    def _erase_talk(self, job: Job) -> None:
        """What people said may be said nowhere else: it is in no file any more with the commit."""
        if job.kind in TALK:
            self.database.erase()

    def _change(self, job: Job, assignments: str, *values: object) -> None:
        with self.database.transaction() as db:
            cursor = db.conn.execute(
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
