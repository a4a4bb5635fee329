"""A Slack on localhost: the Web API with its limits, Socket Mode, signed HTTP, and its bad days."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Self
from urllib.parse import urlencode

import aiohttp
from aiohttp import WSMsgType, web

from tests.slack_asking import ASKING_SCOPES, AskingMethods
from tests.slack_forms import is_button, is_distinct, is_input
from tests.slack_installs import InstallingMethods
from tests.slack_streams import Json, StreamError, Streams, Throttle, Triggers
from tests.slack_uploads import UPLOAD_SCOPES, Uploads

BOT_USER, BOT_ID, TEAM = "UBOT", "BBOT", "T1"
BOT_TOKEN, APP_TOKEN, SECRET = "xoxb-test", "xapp-test", "shh"
WAIT_S = 60
"""A safety net: what is waited for comes at once, unless the machine is busy."""

OF_ANY_TEAM = ("auth.test", "auth.revoke")
"""What Slack answers of whatever token; all else is about the one workspace that this one plays."""

METHOD_SCOPES = {
    "chat.postMessage": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.update": "chat:write",
    "chat.delete": "chat:write",
    "chat.startStream": "chat:write",
    "chat.appendStream": "chat:write",
    "chat.stopStream": "chat:write",
    "users.info": "users:read",
    "conversations.info": "groups:read",
    "conversations.members": "groups:read",
    "conversations.list": "channels:read",
    "conversations.history": "channels:history",
    "usergroups.list": "usergroups:read",
    "usergroups.users.list": "usergroups:read",
    "users.list": "users:read",
    "conversations.replies": "channels:history",
    "reactions.add": "reactions:write",
    **ASKING_SCOPES,
    **UPLOAD_SCOPES,
}
"""What each method needs; `conversations.*` by the kind of channel that the tests use it for."""


@dataclass(frozen=True)
class Call:
    """One request to the Web API or to a response_url."""

    method: str
    args: Json


@dataclass(frozen=True)
class Fault:
    """What happens to the next call of a method instead of, or after, what should."""

    kind: Literal["throttled", "broken", "dropped", "dropped_after"]
    retry_after_s: int = 0


@dataclass(frozen=True)
class Delivered:
    """How the app took a delivery. `status` 0 means that nothing was filtered of it."""

    status: int
    payload: Json

    @property
    def is_acked(self) -> bool:
        return self.status == 200


class ApiError(Exception):
    """Slack's `{"ok": false}`."""


class SlackServer(AskingMethods, InstallingMethods):
    """Start it with `async with`; give `api_url` to the app and, for HTTP, set `app_url`."""

    def __init__(self, team: str = TEAM) -> None:
        AskingMethods.__init__(self)
        InstallingMethods.__init__(self)
        self.team = team
        self.tokens[BOT_TOKEN] = team
        self.ack_s = 10.0
        """Slack waits for three; a machine that others use too may be slower."""
        self.scopes: set[str] | None = None
        self.app_url: str | None = None
        self.users: dict[str, Json] = defaultdict(dict)
        self.hidden_users: set[str] = set()
        self.channels: dict[str, Json] = defaultdict(dict)
        self.groups: dict[str, Json] = {}
        self.members: dict[str, list[str]] = {}
        self.unreadable: set[str] = set()
        self.messages: dict[str, list[Json]] = defaultdict(list)
        self.responses: dict[str, list[Json]] = defaultdict(list)
        self.dead_urls: set[str] = set()
        self.calls: list[Call] = []
        self.connections = 0
        self.streams = Streams()
        self.triggers = Triggers()
        self.uploads = Uploads()
        self.views: dict[str, Json] = {}
        self.homes: dict[str, Json] = {}
        self._throttle = Throttle()
        self._originals: dict[str, Json] = {}
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._changed = asyncio.Condition()
        self._sockets: list[web.WebSocketResponse] = []
        self._acks: dict[str, asyncio.Future[Json]] = {}
        self._ids = itertools.count(1)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=4_000_000)
        app.router.add_route("*", "/api/{method}", self._call)
        app.router.add_post("/respond/{key}", self._respond)
        app.router.add_get("/socket", self._socket)
        app.router.add_get("/files/{name}", self._file)
        app.router.add_post("/upload/{id}", self.uploads.receive)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        for socket in self._sockets:
            await socket.close()
        await self._runner.cleanup()

    # What tests look at

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/api/"

    def response_url(self, key: str) -> str:
        return f"http://127.0.0.1:{self._port}/respond/{key}"

    def file_url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._port}/files/{name}"

    def fail(self, method: str, *faults: Fault) -> None:
        """The next calls of a method meet these faults, one each."""
        self._faults[method].extend(faults)

    def called(self, method: str) -> list[Json]:
        """The arguments of every call of a method, failed ones too."""
        return [call.args for call in self.calls if call.method == method]

    def posted(self, channel: str) -> list[Json]:
        """The bot's messages in a channel, as they are now."""
        return [m for m in self.messages[channel] if m.get("bot_id") == BOT_ID]

    def add_message(self, channel: str, ts: str, text: str, user: str, **more: str) -> None:
        """A person's message, so that it and threads under it can be read."""
        self.messages[channel].append({"ts": ts, "text": text, "user": user, **more})

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that happens here makes the condition true."""
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(condition)

    # Deliveries

    def next_id(self, prefix: str) -> str:
        return f"{prefix}{next(self._ids):06d}"

    def next_ts(self) -> str:
        return f"1700000000.{next(self._ids):06d}"

    async def deliver(self, body: Json, *, retry_num: int = 0, secret: str = SECRET) -> Delivered:
        """Send a payload to the app as Slack would, over the transport that it uses."""
        if "trigger_id" in body:
            self.triggers.give(body["trigger_id"])
        if body.get("type") == "message_action":
            # A URL of a shortcut belongs to the message that it was used on, whoever wrote it.
            key = body["response_url"].rpartition("/")[2]
            self._originals[key] = {"channel": body["channel"]["id"], "ts": body["message_ts"]}
        if self.app_url is not None:
            return await self._deliver_http(self.app_url, body, retry_num, secret)
        return await self._deliver_socket(body, retry_num)

    async def disconnect(self) -> None:
        """Tell the app that its connection is about to be closed, as Slack does daily."""
        await self._sockets[-1].send_json({"type": "disconnect", "reason": "refresh_requested"})

    async def hang_up(self) -> None:
        """Lose every connection without a word, as a network does."""
        for socket in list(self._sockets):
            assert socket._req is not None
            assert socket._req.transport is not None
            socket._req.transport.abort()

    async def _deliver_http(self, url: str, body: Json, retry_num: int, secret: str) -> Delivered:
        if "command" in body:
            raw, content_type = urlencode(body), "application/x-www-form-urlencoded"
        elif body["type"] != "event_callback":
            raw = urlencode({"payload": json.dumps(body)})
            content_type = "application/x-www-form-urlencoded"
        else:
            raw, content_type = json.dumps(body), "application/json"
        headers = {"content-type": content_type} | signature(raw, secret)
        if retry_num:
            headers |= {
                "x-slack-retry-num": str(retry_num),
                "x-slack-retry-reason": "http_timeout",
            }
        async with self._session.post(url, data=raw.encode(), headers=headers) as response:
            text = await response.text()
            return Delivered(response.status, json.loads(text) if text.startswith("{") else {})

    async def _deliver_socket(self, body: Json, retry_num: int) -> Delivered:
        kind = "slash_commands" if "command" in body else "interactive"
        if body.get("type") == "event_callback":
            kind = "events_api"
        envelope = {
            "envelope_id": self.next_id("env"),
            "type": kind,
            "payload": body,
            "accepts_response_payload": kind != "events_api",
        }
        if retry_num:
            envelope |= {"retry_attempt": retry_num, "retry_reason": "timeout"}
        ack = asyncio.get_running_loop().create_future()
        self._acks[str(envelope["envelope_id"])] = ack
        await self.until(lambda: bool(self._sockets))
        self._sockets.append(self._sockets.pop(0))  # each of them gets its share
        await self._sockets[-1].send_json(envelope)
        try:
            return Delivered(200, (await asyncio.wait_for(ack, self.ack_s)).get("payload", {}))
        except TimeoutError:
            return Delivered(0, {})

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1})
        self._sockets.append(socket)
        self.connections += 1
        await self._tell()
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                ack = json.loads(message.data)
                waiting = self._acks.pop(ack["envelope_id"], None)
                if waiting is not None and not waiting.done():  # else it came too late
                    waiting.set_result(ack)
        self._sockets.remove(socket)
        return socket

    # The Web API

    async def _call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        args = await _arguments(request)
        return await self._answer(request, method, args, lambda: self._perform(method, args))

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        key, args = request.match_info["key"], await _arguments(request)

        async def respond() -> Json:
            if key in self.dead_urls or len(self.responses[key]) >= 5:
                raise web.HTTPNotFound(text="expired_url")
            check_message(args, max_text=40_000)
            self.responses[key].append(args)
            original = self._originals.get(key)
            if _is_true(args, "replace_original") and original is not None:
                self._message(original).update({k: args[k] for k in ("text", "blocks")})
            return {}

        return await self._answer(request, "response_url", args, respond)

    async def _answer(
        self,
        request: web.Request,
        method: str,
        args: Json,
        perform: Callable[[], Awaitable[Json]],
    ) -> web.StreamResponse:
        self.calls.append(Call(method, args))
        fault = self._faults[method].popleft() if self._faults[method] else None
        try:
            if fault is not None and fault.kind != "dropped_after":
                return await _suffer(request, fault)
            if wait_s := self._throttle.wait_s(method):
                return await _suffer(request, Fault("throttled", retry_after_s=wait_s))
            try:
                answer = {"ok": True, **await perform()}
            except (ApiError, StreamError) as error:
                answer = {"ok": False, "error": str(error)}
            if fault is not None:
                return await _suffer(request, fault)
            return web.json_response(answer)
        finally:
            await self._tell()

    async def _perform(self, method: str, args: Json) -> Json:
        self._check_token(method, args)
        scope = METHOD_SCOPES.get(method)
        if self.scopes is not None and scope is not None and scope not in self.scopes:
            raise ApiError("missing_scope")
        handler = getattr(self, "_" + method.replace(".", "_").lower(), None)
        if handler is None:
            raise ApiError("unknown_method")
        answer: Json = handler(args)
        if args.get("grant_type") == "refresh_token":
            await self.may_refresh.wait()
        return answer

    def _check_token(self, method: str, args: Json) -> None:
        token = str((args.get if method in OF_ANY_TEAM else args.pop)("token", ""))
        if method == "apps.connections.open":
            is_ours = token == APP_TOKEN
        elif method == "oauth.v2.access":
            is_ours = not token
        elif method in OF_ANY_TEAM:
            is_ours = token in self.tokens
        else:
            is_ours = self.tokens.get(token) == self.team
        if not is_ours:
            raise ApiError("invalid_auth")
        if token in self.expired:
            raise ApiError("token_expired")

    def _auth_test(self, args: Json) -> Json:
        url, team = "https://example.slack.com/", self.tokens[args["token"]]
        return {"user_id": BOT_USER, "bot_id": BOT_ID, "team_id": team, "url": url}

    def _apps_connections_open(self, _: Json) -> Json:
        return {"url": f"ws://127.0.0.1:{self._port}/socket"}

    def _users_info(self, args: Json) -> Json:
        if args["user"] in self.hidden_users:
            raise ApiError("user_not_visible")
        return {"user": {"id": args["user"], "is_admin": False} | self._profile(args["user"])}

    def _users_lookupbyemail(self, args: Json) -> Json:
        for user in self.users:
            if (self._profile(user).get("profile") or {}).get("email") == args["email"]:
                return self._users_info({"user": user})
        raise ApiError("users_not_found")

    def _profile(self, user: str) -> Json:
        """Without the e-mail address where the app may not see it."""
        info = self.users[user]
        if self.scopes is None or "users:read.email" in self.scopes or "profile" not in info:
            return info
        return info | {"profile": {k: v for k, v in info["profile"].items() if k != "email"}}

    def _conversations_info(self, args: Json) -> Json:
        channel = args["channel"]
        return {"channel": {"id": channel, "is_private": False} | self.channels[channel]}

    def _conversations_members(self, args: Json) -> Json:
        if args["channel"] not in self.members:
            raise ApiError("fetch_members_failed")
        return _page(self.members[args["channel"]], "members", args)

    def _conversations_list(self, args: Json) -> Json:
        public = [
            {"id": id_, "name": id_.lower()} | info
            for id_, info in self.channels.items()
            if not info.get("is_private")
        ]
        return _page(public, "channels", args)

    def _conversations_history(self, args: Json) -> Json:
        """What is in no thread, and each thread's first message with what Slack says of it."""
        if args["channel"] in self.unreadable:
            raise ApiError("not_in_channel")
        messages = self.messages[args["channel"]]
        found = []
        for message in messages:
            replies = [m["ts"] for m in messages if m.get("thread_ts") == message["ts"] != m["ts"]]
            of_thread = {"reply_count": len(replies), "thread_ts": message["ts"]}
            of_thread |= {"latest_reply": max(replies, default="")}
            is_listed = message.get("thread_ts", message["ts"]) == message["ts"]
            if args.get("oldest", "") <= message["ts"] < (args.get("latest") or "A") and is_listed:
                found.append(message | (of_thread if replies else {}))
        found.sort(key=lambda message: str(message["ts"]), reverse=True)
        return _page(found, "messages", args)

    def _users_list(self, args: Json) -> Json:
        return _page([{"id": id_} | info for id_, info in self.users.items()], "members", args)

    def _usergroups_list(self, _: Json) -> Json:
        return {"usergroups": [{"id": id_} | group for id_, group in self.groups.items()]}

    def _usergroups_users_list(self, args: Json) -> Json:
        if args["usergroup"] not in self.groups:
            raise ApiError("no_such_subteam")
        return {"users": self.groups[args["usergroup"]]["users"]}

    def _conversations_replies(self, args: Json) -> Json:
        found = [
            {
                k: v
                for k, v in message.items()
                if k != "metadata" or _is_true(args, "include_all_metadata")
            }
            for message in self.messages[args["channel"]]
            if args["ts"] in (message["ts"], message.get("thread_ts"))
            and message["ts"] >= args.get("oldest", "")
        ]
        if not found:
            raise ApiError("thread_not_found")
        return {"messages": found}

    def _chat_postmessage(self, args: Json) -> Json:
        check_message(args, max_text=40_000)
        channel = (
            args["channel"].replace("U", "D", 1) if args["channel"][0] == "U" else args["channel"]
        )
        if self.channels[channel].get("is_member") is False:
            raise ApiError("not_in_channel")
        message = {**args, "ts": self.next_ts(), "bot_id": BOT_ID, "user": BOT_USER}
        self.messages[channel].append(message)
        return {"channel": channel, "ts": message["ts"], "message": message}

    def _chat_postephemeral(self, args: Json) -> Json:
        check_message(args, max_text=40_000)
        if self.channels[args["channel"]].get("is_member") is False:
            raise ApiError("not_in_channel")
        return {"message_ts": self.next_ts()}

    def _chat_startstream(self, args: Json) -> Json:
        message = {"channel": args["channel"], "thread_ts": args.get("thread_ts")}
        message |= {"ts": self.next_ts(), "bot_id": BOT_ID, "user": BOT_USER}
        self.streams.start(message, args)
        self.messages[args["channel"]].append(message)
        return {"channel": args["channel"], "ts": message["ts"]}

    def _chat_appendstream(self, args: Json) -> Json:
        self.streams.append(args)
        return {"channel": args["channel"], "ts": args["ts"]}

    def _chat_stopstream(self, args: Json) -> Json:
        check_blocks(args.get("blocks", []), max_blocks=50)
        self.streams.stop(args)
        return {"channel": args["channel"], "ts": args["ts"], "message": self._message(args)}

    def _views_open(self, args: Json) -> Json:
        self.triggers.spend(args["trigger_id"])
        check_view(args["view"])
        view: Json = {**args["view"], "id": self.next_id("V")}
        self.views[view["id"]] = view
        return {"view": view}

    def _views_update(self, args: Json) -> Json:
        check_view(args["view"])
        if args["view_id"] not in self.views:
            raise ApiError("not_found")
        self.views[args["view_id"]] = {**args["view"], "id": args["view_id"]}
        return {"view": self.views[args["view_id"]]}

    def _chat_update(self, args: Json) -> Json:
        check_message(args, max_text=4_000)
        message = self._message(args)
        if self.streams.is_live(args["channel"], args["ts"]):
            raise ApiError("streaming_state_conflict")
        message.update({k: v for k, v in args.items() if k in ("text", "blocks", "metadata")})
        return {"channel": args["channel"], "ts": args["ts"], "message": message}

    def _chat_delete(self, args: Json) -> Json:
        self.messages[args["channel"]].remove(self._message(args))
        return {"channel": args["channel"], "ts": args["ts"]}

    def _reactions_add(self, args: Json) -> Json:
        reactions = self._message({**args, "ts": args["timestamp"]}).setdefault("reactions", [])
        if args["name"] in reactions:
            raise ApiError("already_reacted")
        reactions.append(args["name"])
        return {}

    def _files_getuploadurlexternal(self, args: Json) -> Json:
        return self.uploads.begin(args, url=f"http://127.0.0.1:{self._port}/upload")

    def _files_completeuploadexternal(self, args: Json) -> Json:
        return self.uploads.complete(args)

    def _views_publish(self, args: Json) -> Json:
        check_view(args["view"])
        if args["view"]["type"] != "home":
            raise ApiError("invalid_arguments")
        self.homes[args["user_id"]] = args["view"]
        return {"view": args["view"]}

    def _message(self, args: Json) -> Json:
        for message in self.messages[args["channel"]]:
            if message["ts"] == args["ts"]:
                return message
        raise ApiError("message_not_found")

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


# What Slack sends


def event(body: Json, event_id: str) -> Json:
    return {
        "type": "event_callback",
        "team_id": TEAM,
        "event_id": event_id,
        "event": body,
        "authorizations": [{"team_id": TEAM, "user_id": BOT_USER, "is_bot": True}],
    }


def mention(text: str, *, ts: str, channel: str = "C1", user: str = "U1", **more: Any) -> Json:
    text = f"<@{BOT_USER}> {text}"
    return {"type": "app_mention", "channel": channel, "user": user, "text": text, "ts": ts} | more


def direct_message(text: str, *, ts: str, user: str = "U1", **more: Any) -> Json:
    channel = user.replace("U", "D", 1)
    return {
        "type": "message",
        "channel_type": "im",
        "channel": channel,
        "user": user,
        "text": text,
        "ts": ts,
    } | more


def reaction(
    name: str, message: Json, *, channel: str, user: str = "U1", removed: bool = False
) -> Json:
    return {
        "type": "reaction_removed" if removed else "reaction_added",
        "user": user,
        "reaction": name,
        "item_user": message["user"],
        "item": {"type": "message", "channel": channel, "ts": message["ts"]},
        "event_ts": "1700000001.000001",
    }


def slash(
    command: str, text: str, *, trigger_id: str, url: str, user: str = "U1", channel: str = "C1"
) -> Json:
    return {
        "command": command,
        "text": text,
        "trigger_id": trigger_id,
        "response_url": url,
        "team_id": TEAM,
        "channel_id": channel,
        "user_id": user,
    }


def click(button: Json, *, trigger_id: str, user: str = "U1", channel: str = "C1") -> Json:
    return {
        "type": "block_actions",
        "team": {"id": TEAM},
        "user": {"id": user},
        "channel": {"id": channel},
        "trigger_id": trigger_id,
        "actions": [
            {"type": "feedback_buttons", "action_id": button["action_id"], "value": button["value"]}
        ],
    }


def signature(raw: str, secret: str, *, at: float | None = None) -> dict[str, str]:
    """The headers that prove a body comes from Slack."""
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), f"v0:{stamp}:{raw}".encode(), hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"}


# What Slack refuses


def check_message(args: Json, *, max_text: int) -> None:
    if not args.get("text") and not args.get("blocks"):
        raise ApiError("no_text")
    if len(args.get("text", "")) > max_text:
        raise ApiError("msg_too_long")
    blocks = args.get("blocks", [])
    check_blocks(blocks, max_blocks=50)
    if len(json.dumps(blocks, ensure_ascii=False)) - 60 * len(blocks) > 13_200:
        raise ApiError("msg_blocks_too_long")


def check_blocks(blocks: list[Json], *, max_blocks: int) -> None:
    if len(blocks) > max_blocks:
        raise ApiError("invalid_blocks")
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    if markdown > 12_000:
        raise ApiError("msg_too_long")
    for block in blocks:
        if not _BLOCK_RULES[block["type"]](block):
            raise ApiError("invalid_blocks")


def check_view(view: Json) -> None:
    if view["type"] not in ("modal", "home") or len(json.dumps(view)) > 250_000:
        raise ApiError("invalid_arguments")
    for name in ("title", "submit", "close"):
        if name in view and not _is_text(view[name], 24):
            raise ApiError("invalid_arguments")
    if view["type"] == "modal" and "title" not in view:
        raise ApiError("invalid_arguments")
    if len(view.get("private_metadata", "")) > 3_000:
        raise ApiError("invalid_arguments")
    if any(block["type"] == "markdown" for block in view["blocks"]):
        raise ApiError("invalid_blocks")
    if any(block["type"] == "input" for block in view["blocks"]) and "submit" not in view:
        raise ApiError("invalid_arguments")
    check_blocks(view["blocks"], max_blocks=100)


def _is_text(element: Json, max_chars: int) -> bool:
    return element["type"] in ("mrkdwn", "plain_text") and 0 < len(element["text"]) <= max_chars


def _is_feedback(element: Json) -> bool:
    buttons = (element["positive_button"], element["negative_button"])
    return (
        element["type"] == "feedback_buttons"
        and len(element["action_id"]) <= 255
        and all(_is_text(b["text"], 75) and len(b["value"]) <= 2_000 for b in buttons)
    )


def _within(elements: Iterable[Json], limit: int, rule: Callable[[Json], bool]) -> bool:
    listed = list(elements)
    return 0 < len(listed) <= limit and all(map(rule, listed))


_BLOCK_RULES: dict[str, Callable[[Json], bool]] = {
    "markdown": lambda block: bool(block["text"]),
    "section": lambda block: (
        _is_text(block["text"], 3_000) and is_button(block.get("accessory"))
        if "text" in block
        else _within(block["fields"], 10, lambda field: _is_text(field, 2_000))
    ),
    "input": is_input,
    "header": lambda block: _is_text(block["text"], 150),
    "divider": lambda _: True,
    "context": lambda block: _within(block["elements"], 10, lambda e: _is_text(e, 2_000)),
    "context_actions": lambda block: _within(block["elements"], 5, _is_feedback),
    "actions": lambda block: _within(block["elements"], 25, is_button) and is_distinct(block),
}


async def _arguments(request: web.Request) -> Json:
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        args |= await request.json()
    else:
        args |= dict(await request.post())
    for key in ("blocks", "metadata", "view", "chunks"):
        if isinstance(args.get(key), str):
            args[key] = json.loads(args[key])
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme == "Basic":
        args |= {"client": base64.b64decode(token).decode()}
    return args | ({"token": token} if scheme == "Bearer" else {})


def _page(found: list[Any], key: str, args: Json) -> Json:
    """At most two at a time: the limit is a wish, and Slack gives fewer as it likes."""
    start = int(args.get("cursor") or 0)
    cursor = str(start + 2) if start + 2 < len(found) else ""
    return {key: found[start : start + 2], "response_metadata": {"next_cursor": cursor}}


def _is_true(args: Json, key: str) -> bool:
    return str(args.get(key)).lower() in ("1", "true")


async def _suffer(request: web.Request, fault: Fault) -> web.Response:
    if fault.kind == "throttled":
        body = {"ok": False, "error": "ratelimited"}
        headers = {"retry-after": str(fault.retry_after_s)}
        return web.json_response(body, status=429, headers=headers)
    if fault.kind == "broken":
        return web.json_response({"ok": False, "error": "internal_error"}, status=500)
    assert request.transport is not None
    request.transport.close()
    return web.Response()
