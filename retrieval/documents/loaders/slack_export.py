"""Reads a Slack export: each thread, and the rest of each day of a channel, is a document."""

from __future__ import annotations

import html
import json
import re
from collections import defaultdict
from functools import lru_cache
from typing import Any

from retrieval.documents.loaders.blocks import Block, FilePath, Loaded, one_line, sections_of
from retrieval.errors import UnreadableError
from retrieval.records import PUBLIC

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\.json")
_MENTION = re.compile(r"<@(\w+)(?:\|[^>]*)?>")
_LABELLED = re.compile(r"<[^<>|\s][^<>|]*\|([^<>]+)>")
_BARE = re.compile(r"<([^<>\s]+)>")
# fmt: off
_NOISE = frozenset((
    "channel_join", "channel_leave", "channel_topic", "channel_purpose", "channel_name",
    "channel_archive", "group_join", "group_leave", "bot_add", "bot_remove", "pinned_item",
    "reminder_add",
))
# fmt: on

_PRIVATE = ("is_private", "is_group", "is_mpim", "is_im")
_OTHERS = ("groups", "mpims", "dms")

SlackMessage = dict[str, Any]


def is_slack_day(path: FilePath) -> bool:
    """Whether a file is one day of a channel: `CHANNEL/YYYY-MM-DD.json` in an export."""
    return _DAY.fullmatch(path.name) is not None and _is_export(path.parent.parent)


def is_in_export(path: FilePath) -> bool:
    """Whether a file is in an export or in the folder of one of its channels."""
    return _is_export(path.parent) or _is_export(path.parent.parent)


def _is_export(folder: FilePath) -> bool:
    return all((folder / name).is_file() for name in ("channels.json", "users.json"))


def companions_of_day(path: FilePath) -> bytes:
    """The files that say who is called what, and which channels are private."""
    return _companions(path.parent.parent)


@lru_cache(maxsize=8)
def _companions(export: FilePath) -> bytes:
    names = ("users", "channels", *_OTHERS)
    files = [export / f"{name}.json" for name in names]
    return b"\n".join(file.read_bytes() for file in files if file.is_file())


def load_slack_day(data: bytes, path: FilePath) -> list[Loaded]:
    """The documents of a day. Only channels of which `channels.json` alone tells are public.

    Their usual audience is `slack:NAME`. A reply on a later day than its thread's beginning is
    a document of its own, so that a day depends on nothing but its file.

    Raises:
        UnreadableError: If the file is not a list of messages.
    """
    messages = [message for message in _messages(data) if _is_said(message)]
    threads: dict[str, list[SlackMessage]] = defaultdict(list)
    for message in messages:
        is_threaded = "thread_ts" in message
        threads[str(message["thread_ts"]) if is_threaded else ""].append(message)
    return [_document(key, thread, path) for key, thread in threads.items()]


def _messages(data: bytes) -> list[SlackMessage]:
    try:
        messages = json.loads(data)
    except ValueError as error:
        raise UnreadableError("is not valid JSON") from error
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        raise UnreadableError("is not a day of a Slack export")
    return messages


def _is_said(message: SlackMessage) -> bool:
    return bool(message.get("text")) and message.get("subtype") not in _NOISE


def _document(key: str, messages: list[SlackMessage], path: FilePath) -> Loaded:
    names = _names(path.parent.parent / "users.json")
    channel, day = path.parent.name, path.stem
    lines = [f"{_author(message, names)}: {_said(message, names)}" for message in messages]
    is_public = channel in _public_channels(path.parent.parent)
    subject = _said(messages[0], names) if key else day
    return Loaded(
        sections_of(Block(line) for line in lines),
        title=one_line(f"#{channel}: {subject}"),
        usual_audience=PUBLIC if is_public else f"slack:{channel}",
        part=f"thread-{key}" if key else "day",
    )


def _author(message: SlackMessage, names: dict[str, str]) -> str:
    user = str(message.get("user", ""))
    return names.get(user) or str(message.get("username") or user or "someone")


def _said(message: SlackMessage, names: dict[str, str]) -> str:
    text = _MENTION.sub(lambda match: f"@{names.get(match[1], match[1])}", str(message["text"]))
    return html.unescape(_BARE.sub(r"\1", _LABELLED.sub(r"\1", text))).strip()


@lru_cache(maxsize=8)
def _names(users: FilePath) -> dict[str, str]:
    return {user["id"]: _name(user) for user in _listed(users)}


def _name(user: dict[str, Any]) -> str:
    profile = user.get("profile") or {}
    found = profile.get("display_name") or profile.get("real_name") or user.get("real_name")
    return str(found or user.get("name") or user["id"])


@lru_cache(maxsize=8)
def _public_channels(export: FilePath) -> frozenset[str]:
    named = [channel for channel in _listed(export / "channels.json") if channel.get("name")]
    private = [channel for channel in named if any(channel.get(flag) for flag in _PRIVATE)]
    for others in (export / f"{kind}.json" for kind in _OTHERS):
        private += _listed(others) if others.is_file() else []
    return _names_of(named) - _names_of(private)


def _names_of(channels: list[dict[str, Any]]) -> frozenset[str]:
    # A folder of direct messages is called by their id.
    return frozenset(str(channel.get("name") or channel["id"]) for channel in channels)


def _listed(path: FilePath) -> list[dict[str, Any]]:
    try:
        rows = json.loads(path.read_bytes())
    except ValueError as error:
        raise UnreadableError(f"needs the export's {path.name}, which is not JSON") from error
    if not isinstance(rows, list):
        raise UnreadableError(f"needs the export's {path.name}, which is no list")
    return [row for row in rows if isinstance(row, dict) and "id" in row]
