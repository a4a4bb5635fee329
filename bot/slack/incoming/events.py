"""Events of the Events API, turned into deliveries for the inbox, or left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from bot.slack.incoming.payloads import (
    Body,
    Interaction,
    MessageChange,
    Question,
    RatingGiven,
    Stop,
)
from bot.slack.incoming.text import mentions
from bot.store.inbox import Delivery, JobKind
from bot.store.log import Value
from retrieval.documents.loaders.slack_words import files_of, forwarded_words, own_words

EVENTS = (
    "agent_session_stopped",
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "channel_shared",
    "channel_unshared",
    "member_joined_channel",
    "member_left_channel",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "reaction_added",
    "reaction_removed",
    "subteam_created",
    "subteam_members_changed",
    "subteam_updated",
    "team_join",
    "tokens_revoked",
    "user_change",
)
"""The event types that slack-manifest.json subscribes to.

Some only tell who may read what from now on; see `bot.slack.directory`. That the app was removed is
for `bot.workspaces` to know.
"""

SCOPES = (
    "app_mentions:read",
    "assistant:write",
    "channels:history",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "files:write",
    "groups:history",
    "groups:read",
    "im:history",
    "mpim:history",
    "mpim:read",
    "reactions:read",
    "usergroups:read",
    "users:read",
    "users:read.email",
)
"""The scopes that slack-manifest.json asks for, and who installs the app is asked for."""

_REACTIONS: dict[str, Value] = {"+1": 1, "thumbsup": 1, "-1": -1, "thumbsdown": -1}
_SAID = (None, "file_share", "thread_broadcast", "me_message", "bot_message")
"""The subtypes of messages that somebody wrote; others tell of joins, topics, edits."""


@dataclass(frozen=True, slots=True)
class Ourselves:
    """Who we are in a workspace: as the user who is mentioned, and as the app that posts."""

    user: str
    bot: str = ""


def read_event(body: Body, *, us: Ourselves, emoji: Mapping[str, JobKind]) -> Delivery | None:
    """The delivery in an event; None if it asks nothing of us.

    `emoji` says who handles which reaction, besides those that rate an answer.
    """
    event = body["event"]
    match event["type"]:
        case "reaction_added" | "reaction_removed":
            return _reaction(body, event, us.user, emoji)
        case "app_mention" | "message":
            return _message(body, event, us)
        case "agent_session_stopped":
            return _stop(body, event)
        case "app_home_opened" if event.get("tab") == "messages":
            return _delivery(body, event, "prompts", key=f"prompts:{event['user']}")
        case "app_home_opened" if event.get("tab") == "home":
            return _delivery(body, event, "home", key=f"home:{event['user']}")
    return None


def question_key(team: str, channel: str, ts: str) -> str:
    """What a message is known by, in whatever way it comes to be asked."""
    return f"{team}:{channel}:{ts}"


def question_delivery(
    question: Question, *, event_id: str, team: str, channel: str, user: str
) -> Delivery:
    """A question that is a message, asked once however often and in whatever way it comes."""
    return Delivery(
        event_id=event_id,
        kind="question",
        team=team,
        channel=channel,
        user=user,
        thread_key=question_key(team, channel, question.thread_ts or ""),
        work_key=question_key(team, channel, question.ts or ""),
        payload=asdict(question),
    )


def _message(body: Body, event: Body, us: Ourselves) -> Delivery | None:
    subtype = event.get("subtype")
    if subtype == "message_changed":
        return _edit(body, event, us)
    if subtype == "message_deleted":
        return _deletion(body, event, event.get("previous_message") or {}, us)
    author = _author(body, event, us)
    if subtype not in _SAID or author is None:
        return None
    question = _question(body, event)
    asked = question_delivery(
        question,
        event_id=body["event_id"],
        team=body["team_id"],
        channel=event["channel"],
        user=author,
    )
    if question.is_automated:
        return asked if mentions(question.text, us.user) else None
    if event["type"] == "app_mention" or event.get("channel_type") == "im":
        return asked
    if mentions(question.text, us.user):
        return asked
    key = asked.thread_key
    return _delivery(body, event, "overheard", key=key, payload=asdict(question))


def _author(body: Body, message: Body, us: Ourselves) -> str | None:
    """The person, or of another app the bot, who wrote a message; None for ourselves and Slack."""
    bot, user = message.get("bot_id"), message.get("user")
    if not bot and message.get("subtype") != "bot_message":
        return None if user in (None, us.user, "USLACKBOT") else str(user)
    app = message.get("app_id")
    is_ours = bot == us.bot or user == us.user or (app and app == body.get("api_app_id"))
    return None if not bot or is_ours or message.get("channel_type") == "im" else str(bot)


def _edit(body: Body, event: Body, us: Ourselves) -> Delivery | None:
    """An edit that adds our mention asks; any other is left alone."""
    after, before = event.get("message") or {}, event.get("previous_message") or {}
    if after.get("subtype") == "tombstone":  # what a deleted message with a thread turns into
        return _deletion(body, event, before, us)
    if not mentions(own_words(after), us.user) or mentions(own_words(before), us.user):
        return None
    said = {k: event[k] for k in ("type", "channel", "channel_type") if k in event}
    return _message(body, {**after, **said}, us)


def _deletion(body: Body, event: Body, before: Body, us: Ourselves) -> Delivery | None:
    author = _author(body, before, us)
    if author is None or (before.get("bot_id") and not mentions(own_words(before), us.user)):
        return None
    ts = event.get("deleted_ts") or before["ts"]
    change = MessageChange(ts=ts, thread_ts=before.get("thread_ts") or ts)
    # After the answer to it, if that is being written.
    key = question_key(body["team_id"], event["channel"], change.thread_ts)
    by = {**event, "user": author}
    return _delivery(body, by, "change", key=key, payload=asdict(change))


def _question(body: Body, event: Body) -> Question:
    return Question(
        text=own_words(event),
        ts=event["ts"],
        thread_ts=event.get("thread_ts") or event["ts"],
        channel_type=event.get("channel_type"),
        is_shared=bool(body.get("is_ext_shared_channel")),
        files=tuple(files_of(event)),
        forwarded=forwarded_words(event),
        is_automated=bool(event.get("bot_id")),
    )


def _stop(body: Body, event: Body) -> Delivery:
    # Not in the order of its thread: there it would wait for the very answer that it stops.
    key = f"stop:{body['event_id']}"
    return _delivery(body, event, "stop", key=key, payload=asdict(Stop(event.get("thread_ts", ""))))


def _reaction(
    body: Body, event: Body, bot_user: str, emoji: Mapping[str, JobKind]
) -> Delivery | None:
    item, name = event["item"], event["reaction"].partition("::")[0]
    if item["type"] != "message" or event["user"] == bot_user:
        return None
    is_withdrawn, is_ours = event["type"] == "reaction_removed", event.get("item_user") == bot_user
    if name in emoji and not is_withdrawn and not is_ours:
        said = Interaction(name=name, ts=item["ts"], author=event.get("item_user"))
        by = {**event, "channel": item["channel"]}
        key = f"{emoji[name]}:{event['user']}"
        return _delivery(body, by, emoji[name], key=key, payload=asdict(said))
    value = _REACTIONS.get(name)
    if value is None or event.get("item_user", bot_user) != bot_user:
        return None
    at = float(event.get("event_ts", 0))
    rating = RatingGiven(value, "reaction", is_withdrawn=is_withdrawn, ts=item["ts"], at=at)
    by = {**event, "channel": item["channel"]}
    return _delivery(body, by, "vote", key=f"vote:{event['user']}", payload=asdict(rating))


def _delivery(
    body: Body, event: Body, kind: JobKind, *, key: str, payload: Mapping[str, object] | None = None
) -> Delivery:
    return Delivery(
        event_id=body["event_id"],
        kind=kind,
        team=body["team_id"],
        channel=event.get("channel", ""),
        user=event.get("user", ""),
        thread_key=key,
        payload=payload or {},
    )
