"""Slash commands, turned into deliveries for the inbox."""

from __future__ import annotations

from dataclasses import asdict

from bot.slack.incoming.payloads import Body, Command, Question
from bot.store.inbox import Delivery, JobKind

ASK = "/ask"
WHIMBREL = "/whimbrel"
COMMANDS = (ASK, WHIMBREL)
"""The commands that slack-manifest.json creates."""

_SLOW: dict[str, JobKind] = {
    "reindex": "reindex",
    "report": "report",
    "learn": "learn",
    "replay": "replay",
}
"""The sub-commands that the others must not wait for."""


def read_slash_command(body: Body) -> Delivery | None:
    """The delivery in a slash command; None if the command is not ours."""
    if body["command"] not in COMMANDS:
        return None
    # Slack sends a command once and gives it no event id; its trigger is as unique.
    event_id, text = f"command:{body['trigger_id']}", body.get("text", "").strip()
    kind: JobKind
    payload: Question | Command
    if body["command"] == ASK:
        kind, thread_key = "question", event_id
        payload = Question(text=text, response_url=body["response_url"])
    else:
        kind, thread_key = _SLOW.get(text.lower().partition(" ")[0], "command"), event_id
        payload = Command(
            text=text, response_url=body["response_url"], trigger_id=body["trigger_id"]
        )
    return Delivery(
        event_id=event_id,
        kind=kind,
        team=body["team_id"],
        channel=body["channel_id"],
        user=body["user_id"],
        thread_key=thread_key,
        payload=asdict(payload),
    )
