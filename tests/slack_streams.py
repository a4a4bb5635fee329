"""Streamed messages and modals of the Slack on localhost, with their lifetimes and limits."""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

STREAM_BYTES = 11_000
MARKDOWN_CHARS = 12_000
TIERS = {"chat.startStream": 20, "chat.appendStream": 100, "chat.stopStream": 20}
"""Calls a minute."""


class StreamError(Exception):
    """What Slack says is wrong."""


class Throttle:
    """Refuses more calls of a method in a minute than its tier allows."""

    def __init__(self) -> None:
        self._calls: dict[str, deque[float]] = defaultdict(deque)

    def wait_s(self, method: str) -> int:
        """0 if Slack takes a further call now, else the seconds until it does."""
        calls, now = self._calls[method], time.monotonic()
        while calls and calls[0] < now - 60:
            calls.popleft()
        if len(calls) >= TIERS.get(method, len(calls) + 1):
            return max(1, math.ceil(60 - (now - calls[0])))
        calls.append(now)
        return 0


@dataclass
class Stream:
    """A message that text is appended to. `ended` is why it takes no more, empty while it does."""

    message: Json
    began: float
    text: str = ""
    ended: str = ""


class Streams:
    """chat.startStream, appendStream and stopStream for messages kept elsewhere."""

    def __init__(self) -> None:
        self.life_s = 300.0
        self._streams: dict[tuple[str, str], Stream] = {}

    def start(self, message: Json, args: Json) -> None:
        if not args.get("thread_ts"):
            raise StreamError("missing_thread_ts")
        for field in ("recipient_user_id", "recipient_team_id"):
            if args["channel"][0] != "D" and not args.get(field):
                raise StreamError(f"missing_{field}")
        stream = Stream(message, time.monotonic())
        self._append(stream, args, is_required=False)
        self._streams[args["channel"], message["ts"]] = stream

    def append(self, args: Json) -> None:
        self._append(self._live(args), args, is_required=True)

    def stop(self, args: Json) -> None:
        stream = self._live(args)
        self._append(stream, args, is_required=False)
        stream.message["blocks"] += args.get("blocks") or []
        if "metadata" in args:
            stream.message["metadata"] = args["metadata"]
        stream.ended = "message_not_in_streaming_state"

    def press_stop(self, channel: str, ts: str) -> None:
        """A person presses the stop button."""
        self._streams[channel, ts].ended = "stopped_by_user"

    def is_live(self, channel: str, ts: str) -> bool:
        stream = self._streams.get((channel, ts))
        return stream is not None and not self._end(stream)

    def _live(self, args: Json) -> Stream:
        stream = self._streams.get((args["channel"], args["ts"]))
        ended = "message_not_found" if stream is None else self._end(stream)
        if stream is None or ended:
            raise StreamError(ended)
        return stream

    def _end(self, stream: Stream) -> str:
        if time.monotonic() - stream.began > self.life_s:
            stream.ended = stream.ended or "message_not_in_streaming_state"
        return stream.ended

    def _append(self, stream: Stream, args: Json, *, is_required: bool) -> None:
        text = args.get("markdown_text", "")
        if is_required and not text:
            raise StreamError("no_text")
        whole = stream.text + text
        if len(text) > MARKDOWN_CHARS or len(whole.encode()) > STREAM_BYTES:
            raise StreamError("msg_too_long")
        stream.text = whole
        stream.message["blocks"] = [{"type": "markdown", "text": whole}] if whole else []
        stream.message["text"] = whole[:700]


class Triggers:
    """Trigger ids: each opens one modal, within `life_s` of the click; Slack gives it three."""

    def __init__(self) -> None:
        self.life_s = 10.0
        self._given: dict[str, float] = {}

    def give(self, trigger_id: str) -> None:
        """A person's click comes with this trigger."""
        self._given[trigger_id] = time.monotonic()

    def spend(self, trigger_id: str) -> None:
        given = self._given.pop(trigger_id, None)
        if given is None:
            raise StreamError("invalid_trigger_id")
        if time.monotonic() - given > self.life_s:
            raise StreamError("expired_trigger_id")
