"""What the Slack on localhost has for asking: sessions, prompts, history, files, more events."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from aiohttp import web

from tests.slack_streams import Json, StreamError

SESSION_STATUSES = ("active", "processing", "suspended", "closed")

ASKING_SCOPES = {
    "agents.sessions.setStatus": "assistant:write",
    "assistant.threads.setStatus": "assistant:write",
    "assistant.threads.setSuggestedPrompts": "assistant:write",
    "conversations.history": "channels:history",
}


class AskingMethods:
    """Methods of the Web API and downloads; mixed into the server, which keeps the messages."""

    messages: dict[str, list[Json]]

    def __init__(self) -> None:
        self.has_sessions = True
        self.statuses: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.prompts: dict[str, list[Json]] = {}
        self.files: dict[str, bytes] = {}
        self.file_tokens: list[str] = []

    def _agents_sessions_setstatus(self, args: Json) -> Json:
        if not self.has_sessions:
            raise StreamError("unknown_method")
        if args["status"] not in SESSION_STATUSES:
            raise StreamError("invalid_arguments")
        self.statuses[args["channel_id"], args["thread_ts"]].append(args["status"])
        return {}

    def _assistant_threads_setstatus(self, args: Json) -> Json:
        self.statuses[args["channel_id"], args["thread_ts"]].append(args["status"])
        return {}

    def _assistant_threads_setsuggestedprompts(self, args: Json) -> Json:
        prompts = args["prompts"]
        if not 1 <= len(prompts) <= 4 or any(not p["title"] or not p["message"] for p in prompts):
            raise StreamError("invalid_arguments")
        self.prompts[args["channel_id"]] = prompts
        return {}

    def _conversations_history(self, args: Json) -> Json:
        """Newest first, without what was said in threads."""
        is_inclusive = str(args.get("inclusive")).lower() in ("1", "true")
        oldest, latest = args.get("oldest", "0"), args.get("latest", "9")
        found = [
            message
            for message in reversed(self.messages[args["channel"]])
            if message.get("thread_ts") in (None, message["ts"])
            and (
                oldest < message["ts"] < latest
                or (is_inclusive and message["ts"] in (oldest, latest))
            )
        ]
        return {"messages": found[: int(args.get("limit", 100))]}

    async def _file(self, request: web.Request) -> web.Response:
        """A file, for who brings the token; anybody else is sent to the log-in page."""
        self.file_tokens.append(request.headers.get("authorization", ""))
        if not self.file_tokens[-1].startswith("Bearer xoxb-"):
            raise web.HTTPFound("/login")
        return web.Response(body=self.files[request.match_info["name"]])


def message(text: str, *, ts: str, channel: str = "C1", user: str = "U1", **more: Any) -> Json:
    """What somebody says in a channel, to nobody in particular."""
    said = {"type": "message", "channel_type": "channel", "channel": channel, "user": user}
    return {**said, "text": text, "ts": ts, **more}


def edited(after: Json, before: Json) -> Json:
    hidden = {"type": "message", "subtype": "message_changed", "hidden": True}
    where: Json = {key: before[key] for key in ("channel", "channel_type") if key in before}
    return {**hidden, **where, "ts": "1800000000.1", "message": after, "previous_message": before}


def deleted(before: Json) -> Json:
    hidden = {"type": "message", "subtype": "message_deleted", "hidden": True}
    where: Json = {key: before[key] for key in ("channel", "channel_type") if key in before}
    told = {"ts": "1800000000.2", "deleted_ts": before["ts"], "previous_message": before}
    return {**hidden, **where, **told}


def shortcut(said: Json, *, trigger_id: str, url: str, user: str = "U1") -> Json:
    """Somebody chooses "Ask Whimbrel about this" in a message's menu."""
    return {
        "type": "message_action",
        "callback_id": "ask_about_message",
        "trigger_id": trigger_id,
        "response_url": url,
        "team": {"id": "T1"},
        "user": {"id": user},
        "channel": {"id": said["channel"]},
        "message_ts": said["ts"],
        "message": {k: v for k, v in said.items() if k not in ("channel", "channel_type")},
    }
