"""Reads a Slack export: each thread, and the rest of each day of a channel, is a document."""

from __future__ import annotations

import html
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from retrieval.documents.loaders.blocks import Block, FilePath, Loaded, one_line, sections_of
from retrieval.documents.loaders.slack_words import files_of, is_whole, message_words
from retrieval.errors import UnreadableError
from retrieval.linking import bare_address
from retrieval.records import PUBLIC

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\.json")
_TARGET = re.compile(r" \(\w+:\S+\)")
_MARKUP = re.compile(r"<([@#!]?)([^<>|\s][^<>|]*)?(?:\|([^<>]*))?>")
# fmt: off
NOISE = frozenset((
    "channel_join", "channel_leave", "channel_topic", "channel_purpose", "channel_name",
    "channel_archive", "channel_unarchive", "channel_convert_to_private", "group_join",
    "group_leave", "group_topic", "group_purpose", "group_name", "group_archive",
    "group_unarchive", "bot_add", "bot_remove", "bot_enable", "bot_disable", "pinned_item",
    "unpinned_item", "reminder_add", "tombstone", "message_deleted",
))
# fmt: on
"""The kinds of messages in which nobody says anything."""

_PRIVATE = ("is_private", "is_group", "is_mpim", "is_im")
_OTHERS = ("groups", "mpims", "dms")
_MAX_NAMED = 5

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
    threads: dict[str, list[SlackMessage]] = defaultdict(list)
    for message in _as_they_are_now(_messages(data)):
        is_threaded = "thread_ts" in message
        threads[str(message["thread_ts"]) if is_threaded else ""].append(message)
    documents = (_document(key, thread, path) for key, thread in threads.items())
    return [document for document in documents if document]


def _messages(data: bytes) -> list[SlackMessage]:
    try:
        messages = json.loads(data)
    except ValueError as error:
        raise UnreadableError("is not valid JSON") from error
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        raise UnreadableError("is not a day of a Slack export")
    return messages


def _as_they_are_now(messages: Iterable[SlackMessage]) -> list[SlackMessage]:
    """What was said, as it was last edited, without what was deleted; some exports tell of both."""
    said: dict[str, SlackMessage] = {}
    for number, message in enumerate(messages):
        subtype, key = message.get("subtype"), str(message.get("ts", number))
        if subtype == "message_changed" and isinstance(message.get("message"), dict):
            message = message["message"]
            key = str(message.get("ts", number))
        elif subtype == "message_deleted":
            said.pop(str(message.get("deleted_ts")), None)
        elif said.get(key, message) != message:
            key = f"{key} {number}"
        if message.get("subtype") in NOISE:
            said.pop(key, None)
        else:
            said[key] = message
    return list(said.values())


def _document(key: str, messages: list[SlackMessage], path: FilePath) -> Loaded | None:
    """A thread, or what else was said on a day; None if it has no words."""
    export, channel, day = path.parent.parent, path.parent.name, path.stem
    names, is_public = _names_in(export), channel in _public_channels(export)
    hidden = _private_channels(export) if is_public else frozenset()
    readable = [without(hidden, message) for message in messages]
    said = [(message, said_words(message, names, hidden)) for message in readable]
    said = [(message, words) for message, words in said if words]
    if not said:
        return None
    subject = subject_of(said[0][1]) if key else day
    title = names.direct.get(channel) or f"#{channel}"
    return Loaded(
        sections_of(Block(f"{author(message, names)}: {words}") for message, words in said),
        title=one_line(f"{title}: {subject}"),
        usual_audience=PUBLIC if is_public else f"slack:{channel}",
        part=f"thread-{key}" if key else "day",
        gaps=_gaps(messages),
    )


def without(hidden: frozenset[str], message: SlackMessage) -> SlackMessage:
    """A message without what Slack shows of links to private channels only to their members."""
    attachments = message.get("attachments")
    if not hidden or not isinstance(attachments, list):
        return message
    shown = [a for a in attachments if not (isinstance(a, dict) and _is_hidden(a, hidden))]
    return {**message, "attachments": shown}


def _is_hidden(attachment: Mapping[str, Any], hidden: frozenset[str]) -> bool:
    return attachment.get("channel_id") in hidden and not attachment.get("is_share")


def _gaps(messages: list[SlackMessage]) -> tuple[str, ...]:
    files = [file for message in messages for file in files_of(message)]
    named = [str(f.get("title") or f.get("name") or f.get("id")) for f in files if not is_whole(f)]
    if not named:
        return ()
    listed = ", ".join(one_line(name) for name in named[:_MAX_NAMED])
    more = ", …" if len(named) > _MAX_NAMED else ""
    return (
        f"{len(named)} of {len(files)} shared files are not in it, or not whole: {listed}{more}",
    )


def author(message: SlackMessage, names: Names) -> str:
    """What whoever wrote a message is called."""
    user, profile = str(message.get("user", "")), message.get("user_profile")
    known = names.people.get(user) or message.get("username")
    if not known and isinstance(profile, dict):
        known = profile.get("display_name") or profile.get("real_name") or profile.get("name")
    bot = message.get("bot_profile")
    if not known and isinstance(bot, dict):
        known = bot.get("name")
    return str(known or user or "someone")


def said_words(message: SlackMessage, names: Names, hidden: frozenset[str]) -> str:
    """A message's words without mrkdwn, with names for ids but those of hidden channels."""

    def word(match: re.Match[str]) -> str:
        sign, target, label = match[1], match[2] or "", match[3]
        if sign == "@":
            return f"@{names.people.get(target) or label or target}"
        if sign == "#":
            name = None if target in hidden else names.channels.get(target) or label or target
            return f"#{name}" if name else "a private channel"
        if sign == "!":
            is_call = not target.startswith("date^")
            return f"@{(label or target).lstrip('@')}" if is_call else label or target
        address = target.removeprefix("mailto:")
        is_said = not label or bare_address(address) in bare_address(label)
        return (label or address or match[0]) if is_said else f"{label} ({address})"

    return html.unescape(_MARKUP.sub(word, message_words(message))).strip()


def subject_of(words: str) -> str:
    """What a thread is called that begins with these words: no addresses behind labels."""
    return one_line(_TARGET.sub("", words))


@dataclass(frozen=True, slots=True)
class Names:
    """What people and channels are called by id, and direct messages by their folder."""

    people: Mapping[str, str]
    channels: Mapping[str, str]
    direct: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=8)
def _names_in(export: FilePath) -> Names:
    people = {user["id"]: person_name(user) for user in _listed(export / "users.json")}
    channels = [row for kind in ("channels", *_OTHERS) for row in _rows(export, kind)]
    direct = {
        str(row.get("name") or row["id"]): ", ".join(people.get(m, str(m)) for m in members)
        for kind in ("mpims", "dms")
        for row in _rows(export, kind)
        if isinstance(members := row.get("members"), list) and members
    }
    named = {row["id"]: str(row["name"]) for row in channels if row.get("name")}
    return Names(people, named, direct)


def person_name(user: Mapping[str, Any]) -> str:
    """What a person wants to be called."""
    profile = user.get("profile") or {}
    found = profile.get("display_name") or profile.get("real_name") or user.get("real_name")
    return str(found or user.get("name") or user["id"])


@lru_cache(maxsize=8)
def _public_channels(export: FilePath) -> frozenset[str]:
    named = [channel for channel in _rows(export, "channels") if channel.get("name")]
    return _names_of(named) - _names_of(_private(export))


@lru_cache(maxsize=8)
def _private_channels(export: FilePath) -> frozenset[str]:
    """The ids of the channels that an export calls private."""
    return frozenset(channel["id"] for channel in _private(export))


def _private(export: FilePath) -> list[dict[str, Any]]:
    listed = _rows(export, "channels")
    private = [channel for channel in listed if any(channel.get(flag) for flag in _PRIVATE)]
    return private + [row for kind in _OTHERS for row in _rows(export, kind)]


def _rows(export: FilePath, kind: str) -> list[dict[str, Any]]:
    """What an export lists of a kind; of channels that are not public, it may list none."""
    path = export / f"{kind}.json"
    return _listed(path) if kind == "channels" or path.is_file() else []


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
    dicts = [row for row in rows if isinstance(row, dict)]
    return [{**row, "id": str(row.get("id") or row.get("name"))} for row in dicts]
