"""What Slack sends, turned into deliveries for the inbox, or left alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.slack.incoming.events import Ourselves, read_event
from bot.slack.incoming.interactions import read_interaction
from bot.slack.incoming.payloads import Body
from bot.slack.incoming.slash import read_slash_command
from bot.store.inbox import Delivery, JobKind

_GESTURES = ("block_actions", "view_submission", "message_action")


def read(
    body: Body,
    *,
    bot_user: str,
    bot_id: str = "",
    emoji: Mapping[str, JobKind] = MappingProxyType({}),
) -> Delivery | None:
    """The delivery in a request from Slack; None if it asks nothing of us.

    We are mentioned as `bot_user` and post as `bot_id`. `emoji` says who handles which reaction,
    besides those that rate an answer.
    """
    if "command" in body:
        return read_slash_command(body)
    if body.get("type") in _GESTURES:
        return read_interaction(body)
    if body.get("type") == "event_callback":
        return read_event(body, us=Ourselves(bot_user, bot_id), emoji=emoji)
    return None
