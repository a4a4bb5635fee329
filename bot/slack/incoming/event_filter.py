"""Tells which of all the messages in a channel concern us; the others are not even stored."""

from __future__ import annotations

import time
from collections.abc import Callable

from bot.slack.incoming.events import question_key
from bot.slack.incoming.payloads import Body
from bot.store.channels import Channels
from bot.store.database import Database
from bot.store.inbox import Delivery

APP_AN_HOUR = 20
"""So many posts of one app are answered in a channel in an hour."""


class EventFilter:
    """What nobody put to us is kept only in our threads and in channels that let us listen."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._channels = Channels(database)

    def concerns_us(self, delivery: Delivery) -> bool:
        """Whether a delivery is for us; a few lookups by key, for use before the ack."""
        if delivery.kind == "question" and delivery.payload.get("is_automated"):
            return self._may_answer_app(delivery)
        if delivery.kind == "overheard":
            return self._may_answer(delivery, delivery.payload)
        if delivery.kind == "change":
            ts = delivery.payload["ts"]
            return self._is_known(question_key(delivery.team, delivery.channel, ts))
        return True

    @staticmethod
    def may_follow(delivery: Delivery) -> bool:
        """Whether a delivery that does not concern us will if a certain question comes yet."""
        said = delivery.payload
        is_reply = delivery.kind == "overheard" and said["thread_ts"] != said["ts"]
        return delivery.kind == "change" or is_reply

    def _may_answer(self, delivery: Delivery, question: Body) -> bool:
        if question["thread_ts"] == question["ts"]:
            return delivery.channel in self._channels.listening()
        return self._is_our_thread(delivery, question["thread_ts"])

    def _may_answer_app(self, delivery: Delivery) -> bool:
        """Whether to answer what another app posts: at most once in a thread, and so often.

        It may well answer what we say, and would for ever.
        """
        config, post = self._channels.of(delivery.channel), delivery.payload
        if not config.apps or config.visibility == "asker":
            return False
        if post["thread_ts"] != post["ts"] and self._is_our_thread(delivery, post["thread_ts"]):
            return False
        asked = self._database.connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE thread_key = ?) FROM inbox"
            " WHERE kind = 'question' AND user = ? AND channel = ? AND created > ?",
            (delivery.thread_key, delivery.user, delivery.channel, self._clock() - 3_600),
        ).fetchone()
        return bool(asked[0] < APP_AN_HOUR and not asked[1])

    def _is_our_thread(self, delivery: Delivery, thread_ts: str) -> bool:
        row = self._database.connection.execute(
            "SELECT EXISTS (SELECT 1 FROM turns"
            "  WHERE channel = ? AND thread_ts = ? AND deleted IS NULL)"
            " OR EXISTS (SELECT 1 FROM inbox WHERE thread_key = ? AND kind = 'question'"
            "  AND state IN ('todo', 'doing'))",
            (delivery.channel, thread_ts, delivery.thread_key),
        ).fetchone()
        return bool(row[0])

    def _is_known(self, work_key: str) -> bool:
        row = self._database.connection.execute(
            "SELECT 1 FROM inbox WHERE work_key = ?", (work_key,)
        ).fetchone()
        return row is not None
