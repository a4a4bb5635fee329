from __future__ import annotations

import json
from urllib.parse import quote_plus

import aiohttp
import pytest

from tests.bot.conftest import House
from tests.slack_server import SECRET, signature

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
DEEP = "[" * 50_000 + "]" * 50_000
VALUES = ["null", "1", "-1e999", "NaN", '"x"', "[]", "[1]", "{}", "true", DEEP, '"\\ud800"']
EVENTS = [
    {"type": "event_callback"},
    {"type": "event_callback", "event": None},
    {"type": "event_callback", "event": []},
    {"type": "event_callback", "event": "message"},
    {"type": "event_callback", "event": {"type": 1}},
    {"type": "event_callback", "event_id": {}, "event": {"type": "message", "text": []}},
    {"type": "event_callback", "event_id": 3, "event": {"type": "message", "channel": {}}},
    {"type": "event_callback", "event": {"type": "app_mention", "text": None, "user": {}}},
    {"type": "event_callback", "event": {"type": "reaction_added", "item": None}},
    {"type": "event_callback", "event": {"type": "reaction_added", "item": {"ts": []}}},
    {"type": "event_callback", "event": {"type": "message", "subtype": "message_deleted"}},
    {"type": "event_callback", "event": {"type": "app_home_opened", "user": []}},
    {"type": "event_callback", "authorizations": "x", "event": {"type": "message"}},
    {"type": "block_actions"},
    {"type": "block_actions", "actions": None},
    {"type": "block_actions", "actions": []},
    {"type": "block_actions", "actions": [1]},
    {"type": "block_actions", "actions": [{"action_id": []}], "user": "x"},
    {"type": "view_submission", "view": None},
    {"type": "view_submission", "view": {"callback_id": 1, "state": []}},
    {"type": "view_submission", "view": {"callback_id": "channel_form", "state": {"values": 1}}},
    {"type": "message_action", "message": None, "callback_id": "ask"},
    {"type": "shortcut", "callback_id": None},
    {"type": "url_verification", "challenge": []},
    {"type": []},
    {"command": "/ask", "text": "x"},
]


async def status(house: House, body: str | bytes, kind: str, **headers: str) -> int:
    assert house.slack.app_url is not None
    sent = body if isinstance(body, bytes) else body.encode(errors="surrogatepass")
    signed = signature(sent.decode(errors="replace"), SECRET)
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            house.slack.app_url, data=sent, headers={"content-type": kind} | signed | headers
        ) as response,
    ):
        return response.status


async def test_no_odd_body_is_our_fault(http: House, caplog: pytest.LogCaptureFixture) -> None:
    await http.start()
    odd: dict[str, int] = {}
    texts = [*VALUES, *map(json.dumps, EVENTS)]
    forms = [
        *(f"payload={quote_plus(text)}" for text in texts),
        *("", "payload", "payload=", "payload=%FF", "command=%2Fask", "command=%2Fask&text=%00"),
        "command=%2Fask&command=%2Fwhimbrel&user_id=&channel_id=",
        "command=%2Fwhimbrel&text=models&user_id=U1",
        "ssl_check=1",
    ]
    for kind, bodies in ((JSON, texts), (FORM, forms), ("text/plain", texts[:3])):
        for body in (*bodies, "\x00", "\ud800"):
            if not 200 <= (found := await status(http, body, kind)) < 500:
                odd[f"{kind} {body[:120]}"] = found
    for kind in ("application/json; charset=nonsense", "x/y/z", "application/json; charset=utf-16"):
        if not 200 <= (found := await status(http, b"{}\xff", kind)) < 500:
            odd[kind] = found
    assert await status(http, b"{}", JSON, **{"content-encoding": "gzip"}) == 400
    assert odd == {}
    assert "Traceback" not in caplog.text
