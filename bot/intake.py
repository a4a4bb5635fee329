"""What Slack sends, turned into deliveries for the inbox, or left alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bot.inbox import Delivery
from bot.log import Value, VoteSource

ASK = "/ask"
WHIMBREL = "/whimbrel"
COMMANDS = (ASK, WHIMBREL)
EVENTS = ("app_mention", "message.im", "reaction_added", "reaction_removed")
"""The event types that slack-manifest.json subscribes to."""
FEEDBACK_ACTION = "rate_answer"
GOOD, BAD = "good", "bad"

Body = Mapping[str, Any]

_REACTIONS: dict[str, Value] = {"+1": 1, "thumbsup": 1, "-1": -1, "thumbsdown": -1}
# Not after a letter or digit: 10:30:15 is a time.
_EMOJI = re.compile(r"(?<![A-Za-z0-9:]):[a-z0-9_+'-]+(?:::skin-tone-\d)?:(?![A-Za-z0-9])")
_MARKUP = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")


@dataclass(frozen=True, slots=True)
class Question:
    """A question as asked. With a `response_url` the answer is for the asker's eyes only."""

    text: str
    ts: str | None = None
    thread_ts: str | None = None
    channel_type: str | None = None
    is_shared: bool = False
    response_url: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """What follows `/whimbrel`."""

    text: str
    response_url: str


@dataclass(frozen=True, slots=True)
class Rating:
    """A click on a card (which names its turn) or a reaction to a message."""

    value: Value
    source: VoteSource
    is_withdrawn: bool = False
    turn_id: str | None = None
    ts: str | None = None


def read(body: Body, *, bot_user: str) -> Delivery | None:
    """The delivery in a request from Slack; None if it asks nothing of us."""
    if "command" in body:
        return _slash_command(body)
    if body.get("type") == "block_actions":
        return _click(body)
    if body.get("type") != "event_callback":
        return None
    event = body["event"]
    if event["type"] in ("reaction_added", "reaction_removed"):
        return _reaction(body, event, bot_user)
    if event["type"] in ("app_mention", "message") and _is_asked(event, bot_user):
        return _question(body, event)
    return None


def plain(text: str, *, bot_user: str) -> str:
    """A message's words: without our own mention, Slack's markup and emoji names."""

    def word(match: re.Match[str]) -> str:
        target, label = match.group(1), match.group(2)
        if target == f"@{bot_user}":
            return " "
        if target[0] in "#@!" and label:
            return target[0].replace("!", "@") + label.lstrip("@#")
        return label or target.removeprefix("!").removeprefix("mailto:")

    words = _EMOJI.sub(" ", _MARKUP.sub(word, text))
    words = words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return re.sub(r"[^\S\n]+", " ", words).strip()


def _is_asked(event: Body, bot_user: str) -> bool:
    if event.get("bot_id") or event.get("user") in (None, bot_user, "USLACKBOT"):
        return False
    if event.get("subtype") not in (None, "file_share"):
        return False
    if event["type"] == "app_mention" or event.get("channel_type") == "im":
        return True
    return f"<@{bot_user}" in event.get("text", "")


def _question(body: Body, event: Body) -> Delivery:
    team, channel, ts = body["team_id"], event["channel"], event["ts"]
    thread_ts = event.get("thread_ts") or ts
    question = Question(
        text=event.get("text", ""),
        ts=ts,
        thread_ts=thread_ts,
        channel_type=event.get("channel_type"),
        is_shared=bool(body.get("is_ext_shared_channel")),
    )
    return Delivery(
        event_id=body["event_id"],
        kind="question",
        team=team,
        channel=channel,
        user=event["user"],
        thread_key=f"{team}:{channel}:{thread_ts}",
        work_key=f"{team}:{channel}:{ts}",
        payload=asdict(question),
    )


def _slash_command(body: Body) -> Delivery | None:
    if body["command"] not in COMMANDS:
        return None
    # Slack sends a command once and gives it no event id; its trigger is as unique.
    event_id, text = f"command:{body['trigger_id']}", body.get("text", "").strip()
    payload: Question | Command
    if body["command"] == ASK:
        kind, thread_key = "question", event_id
        payload = Question(text=text, response_url=body["response_url"])
    else:
        is_reindex = text.lower().split()[:1] == ["reindex"]
        kind, thread_key = ("reindex", "reindex") if is_reindex else ("command", event_id)
        payload = Command(text=text, response_url=body["response_url"])
    return Delivery(
        event_id=event_id,
        kind=kind,  # type: ignore[arg-type]
        team=body["team_id"],
        channel=body["channel_id"],
        user=body["user_id"],
        thread_key=thread_key,
        payload=asdict(payload),
    )


def _click(body: Body) -> Delivery | None:
    action = body["actions"][0]
    if action["action_id"] != FEEDBACK_ACTION:
        return None
    verdict, _, turn_id = action["value"].partition(":")
    rating = Rating(value=1 if verdict == GOOD else -1, source="button", turn_id=turn_id)
    user = body["user"]["id"]
    return Delivery(
        event_id=f"click:{body['trigger_id']}",
        kind="vote",
        team=body["team"]["id"],
        channel=body.get("channel", {}).get("id", ""),
        user=user,
        thread_key=f"vote:{user}",
        payload=asdict(rating),
    )


def _reaction(body: Body, event: Body, bot_user: str) -> Delivery | None:
    value = _REACTIONS.get(event["reaction"].partition("::")[0])
    item = event["item"]
    if value is None or item["type"] != "message" or event["user"] == bot_user:
        return None
    if event.get("item_user", bot_user) != bot_user:
        return None
    rating = Rating(
        value=value,
        source="reaction",
        is_withdrawn=event["type"] == "reaction_removed",
        ts=item["ts"],
    )
    return Delivery(
        event_id=body["event_id"],
        kind="vote",
        team=body["team_id"],
        channel=item["channel"],
        user=event["user"],
        thread_key=f"vote:{event['user']}",
        payload=asdict(rating),
    )
