"""Keys of the HTTP API: who may ask with them, for whom, how often, and how often they did."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from bot.store.database import Database
from bot.store.log import utc
from retrieval.errors import DataError
from retrieval.labels import label_of
from retrieval.records import PUBLIC

API = "api:"
"""Begins the name of a place where a key asks, and of a person who asks there. Nobody in Slack is
called so."""

PERSON = rf"{API}[a-z0-9-]+:[0-9a-f]{{16}}"
"""How a person is called who asked or rated with a key."""

Use = Literal["questions", "searches", "feedback"]
"""What calls are counted by."""

PENDING_S = 600.0
"""A request that began so long ago and has no result was broken off."""

REPEATED_S = 86_400.0
"""A request may be repeated by its Idempotency-Key for so long."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_KEY = re.compile(r"whimbrel_([0-9a-f]{12})_[\w-]{43}", re.ASCII)
_MINUTE, _MONTH = "%Y-%m-%dT%H:%M", "%Y-%m"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret. `audience` are the labels of what it may see, `public` among them.

    Calls are limited by the minute and by the month, None for no limit. What is rated with a key
    that `is_expert` decides, and what is asked and rated with one that `may_learn` may be learned
    from. `expires` is the last day on which it holds, in UTC.
    """

    id: str
    name: str
    audience: frozenset[str]
    per_minute: int | None
    per_month: int | None
    is_expert: bool
    may_learn: bool
    created: str
    expires: str | None
    revoked: str | None

    @property
    def place(self) -> str:
        """Where its questions are asked, as the log calls it."""
        return f"{API}{self.name}"

    def person(self, user: str) -> str:
        """Who asked or rated: what the client calls somebody, so that only who knows can tell."""
        return person_of(self.place, user)

    def state(self, now: float) -> Literal["valid", "expired", "revoked"]:
        """Whether it opens anything at a time in Unix seconds."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and utc(now)[:10] > self.expires else "valid"


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """What a key was used for in a month, such as `2026-11`."""

    name: str
    month: str
    questions: int
    searches: int
    feedback: int
    prompt_tokens: int
    answer_tokens: int


@dataclass(frozen=True, slots=True)
class Charge:
    """A call that was counted, in these spans of time."""

    key: ApiKey
    use: Use
    periods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """A request that bears an Idempotency-Key: new, going on, done before, or another one.

    `turn_id` is what came of one that is done.
    """

    state: Literal["new", "pending", "done", "other"]
    turn_id: str = ""


class OverLimitError(Exception):
    """A key has been used as often as it may be, for so many seconds from now on."""

    def __init__(self, limit: int, period: str, retry_after_s: int) -> None:
        super().__init__(f"this key may be used {limit} times a {period}")
        self.retry_after_s = retry_after_s


def person_of(place: str, user: str) -> str:
    """How somebody is called whom a client of a key calls `user`; empty for nobody in particular.

    A hash of the name, so that neither an address stands in the log, nor one name within another.
    """
    digest = hashlib.sha256(f"{place}:{user}".encode()).hexdigest()
    return f"{place}:{digest[:16]}"


class ApiKeys:
    """Keeps keys by the hash of their secret, and counts their calls. Writes join a transaction."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def create(
        self,
        name: str,
        *,
        audience: Iterable[str] = (),
        per_minute: int | None = None,
        per_month: int | None = None,
        expires: date | None = None,
        is_expert: bool = False,
        may_learn: bool = False,
    ) -> tuple[ApiKey, str]:
        """A new key and its secret, which is not kept.

        Raises:
            DataError: If it cannot be called so, or there was one of this name; or if a label is
                none.
        """
        if not _NAME.fullmatch(name):
            raise DataError(f"found {name!r}; wanted a name such as intranet-search")
        try:
            labels = sorted({PUBLIC, *map(label_of, audience)})
        except ValueError as error:
            raise DataError(str(error)) from error
        id_ = secrets.token_hex(6)
        secret = f"whimbrel_{id_}_{secrets.token_urlsafe(32)}"
        row = {
            "id": id_,
            "name": name,
            "sha256": _hash(secret),
            "audience": json.dumps(labels),
            "per_minute": per_minute,
            "per_month": per_month,
            "is_expert": int(is_expert),
            "may_learn": int(may_learn),
            "created": utc(self._clock()),
            "expires": expires.isoformat() if expires else None,
            "revoked": None,
        }
        with self._database.transaction() as db:
            if self.named(name) is not None:
                # What was asked with that one is not for who asks with this one.
                raise DataError(f"there is, or was, a key {name}; choose another name")
            db.table("api_keys").insert(row)
        return _key(row), secret

    def find(self, secret: str) -> ApiKey | None:
        """The key of this secret, if it holds now."""
        found = _KEY.fullmatch(secret)
        row = self._row("id = ?", found[1] if found else "")
        is_right = hmac.compare_digest(row["sha256"] if row else "0" * 64, _hash(secret))
        key = _key(row) if row and is_right else None
        return key if key is not None and key.state(self._clock()) == "valid" else None

    def holds(self, key: ApiKey) -> bool:
        """Whether a key that was found a while ago opens anything still."""
        now = self.named(key.name)
        return now is not None and now.state(self._clock()) == "valid"

    def named(self, name: str) -> ApiKey | None:
        """The key of this name, whether it holds or not."""
        row = self._row("name = ?", name)
        return None if row is None else _key(row)

    def all(self) -> list[ApiKey]:
        """Every key there ever was, oldest first."""
        rows = self._database.connection.query("SELECT * FROM api_keys ORDER BY created, name")
        return [_key(row) for row in rows]

    def has_valid(self) -> bool:
        """Whether any key opens anything now."""
        now = self._clock()
        return any(key.state(now) == "valid" for key in self.all())

    def revoke(self, name: str) -> bool:
        """Let a key open nothing from now on; False if it did so before, or there is none."""
        with self._database.transaction() as db:
            revoked = db.execute(
                "UPDATE api_keys SET revoked = ? WHERE name = ? AND revoked IS NULL",
                (utc(self._clock()), name),
            )
            return revoked.rowcount == 1

    def charge(self, key: ApiKey, use: Use) -> Charge:
        """Count a call.

        Raises:
            OverLimitError: If that were one too many; then it is not counted.
        """
        now = datetime.fromtimestamp(self._clock(), UTC)
        minute, month = now.strftime(_MINUTE), now.strftime(_MONTH)
        next_month = (now.replace(day=1) + timedelta(days=32)).replace(
            day=1, hour=0, minute=0, second=0, microsecond=0
        )
        with self._database.transaction() as db:
            db.lock(key.id)  # another worker may count a call of this key
            if key.per_minute is not None and self._calls(key, minute) >= key.per_minute:
                raise OverLimitError(key.per_minute, "minute", 60 - now.second)
            if key.per_month is not None and self._calls(key, month) >= key.per_month:
                left_s = int((next_month - now).total_seconds()) + 1
                raise OverLimitError(key.per_month, "month", left_s)
            db.execute(
                "DELETE FROM api_usage WHERE key_id = ? AND length(period) = ? AND period != ?",
                (key.id, len(minute), minute),
            )
            self._add(key, minute, use, 1)
            self._add(key, month, use, 1)
        return Charge(key, use, (minute, month))

    def give_back(self, charge: Charge) -> None:
        """Take back that a call was counted."""
        with self._database.transaction():
            for period in charge.periods:
                self._count(charge.key, period, charge.use, -1)

    def count_tokens(self, key: ApiKey, prompt_tokens: int, answer_tokens: int) -> None:
        """Add the tokens that an endpoint's model has read and written for a key."""
        month = datetime.fromtimestamp(self._clock(), UTC).strftime(_MONTH)
        with self._database.transaction():
            self._add(key, month, "prompt_tokens", prompt_tokens)
            self._add(key, month, "answer_tokens", answer_tokens)

    def usage(self, *, month: str | None = None) -> list[KeyUsage]:
        """What keys were used for, by month and name; all months, or the one."""
        rows = self._database.connection.query(
            "SELECT name, period AS month, questions, searches, feedback, prompt_tokens,"
            " answer_tokens FROM api_usage JOIN api_keys ON api_keys.id = key_id"
            " WHERE length(period) = 7 ORDER BY period, name"
        )
        usages = [KeyUsage(**row) for row in rows]
        return [usage for usage in usages if month in (None, usage.month)]

    def claim(self, key: ApiKey, name: str, request: bytes) -> Claim:
        """Begin a request of a name that the client gives it, unless it was begun before."""
        now, digest = self._clock(), hashlib.sha256(request).hexdigest()
        with self._database.transaction() as db:
            db.execute(
                "DELETE FROM api_requests WHERE at < ? OR (at < ? AND turn_id IS NULL)",
                (now - REPEATED_S, now - PENDING_S),
            )
            new = {"key_id": key.id, "name": name, "digest": digest, "at": now}
            if db.table("api_requests").insert(new, ignore=True):
                return Claim("new")
            row = db.execute(
                "SELECT digest, turn_id FROM api_requests WHERE key_id = ? AND name = ?",
                (key.id, name),
            ).fetchone()
        if row[0] != digest:
            return Claim("other")
        return Claim("pending") if row[1] is None else Claim("done", row[1])

    def settle(self, key: ApiKey, name: str, turn_id: str) -> None:
        """What came of a request that was claimed."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE api_requests SET turn_id = ? WHERE key_id = ? AND name = ?",
                (turn_id, key.id, name),
            )

    def release(self, key: ApiKey, name: str) -> None:
        """Nothing came of a request that was claimed; it may be begun again."""
        with self._database.transaction() as db:
            db.execute(
                "DELETE FROM api_requests WHERE key_id = ? AND name = ? AND turn_id IS NULL",
                (key.id, name),
            )

    def _row(self, where: str, value: str) -> dict[str, Any] | None:
        rows = self._database.connection.query(f"SELECT * FROM api_keys WHERE {where}", (value,))  # noqa: S608 - written here
        return next(rows, None)

    def _calls(self, key: ApiKey, period: str) -> int:
        row = self._database.connection.execute(
            "SELECT questions + searches + feedback FROM api_usage WHERE key_id = ? AND period = ?",
            (key.id, period),
        ).fetchone()
        return 0 if row is None else int(row[0])

    def _add(self, key: ApiKey, period: str, column: str, count: int) -> None:
        new = {"key_id": key.id, "period": period}
        self._database.connection.table("api_usage").insert(new, ignore=True)
        self._count(key, period, column, count)

    def _count(self, key: ApiKey, period: str, column: str, count: int) -> None:
        self._database.connection.execute(
            f"UPDATE api_usage SET {column} = {column} + ? WHERE key_id = ? AND period = ?",  # noqa: S608 - names of this module
            (count, key.id, period),
        )


def _hash(secret: str) -> str:
    # It is as long as the hash and made by chance, so that nobody finds it by trying.
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _key(row: dict[str, Any]) -> ApiKey:
    return ApiKey(
        id=row["id"],
        name=row["name"],
        audience=frozenset(json.loads(row["audience"])),
        per_minute=row["per_minute"],
        per_month=row["per_month"],
        is_expert=bool(row["is_expert"]),
        may_learn=bool(row["may_learn"]),
        created=row["created"],
        expires=row["expires"],
        revoked=row["revoked"],
    )
