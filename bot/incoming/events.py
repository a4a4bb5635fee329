"""Events of the Events API, turned into deliveries for the inbox, or left alone."""

from __future__ import annotations

from dataclasses import asdict

from bot.incoming.payloads import Body, Question, Rating
from bot.store.inbox import Delivery
from bot.store.log import Value

EVENTS = ("app_mention", "message.im", "reaction_added", "reaction_removed")
"""The event types that slack-manifest.json subscribes to."""

_REACTIONS: dict[str, Value] = {"+1": 1, "thumbsup": 1, "-1": -1, "thumbsdown": -1}


def read_event(body: Body, *, bot_user: str) -> Delivery | None:
    """The delivery in an event; None if it asks nothing of us."""
    event = body["event"]
    if event["type"] in ("reaction_added", "reaction_removed"):
        return _reaction(body, event, bot_user)
    if event["type"] in ("app_mention", "message") and _is_asked(event, bot_user):
        return _question(body, event)
    return None


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
