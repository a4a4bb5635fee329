"""Where a process of ours listens, and its connections to Slack."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack

from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.settings import SlackSettings, secret
from bot.slack.incoming.web import listen
from bot.slack.outgoing.reaching import reason
from retrieval.errors import SettingsError


async def listening(
    stack: AsyncExitStack, routes: list[web.RouteDef], host: str, port: int, *, setting: str
) -> int:
    """The port on which the routes are served from now on, until the stack is unwound.

    Raises:
        SettingsError: If the address is taken or not ours; the message names the setting.
    """
    try:
        runner, port = await listen(routes, host, port)
    except OSError as error:
        raise SettingsError(f"{setting}: {error}") from error
    stack.push_async_callback(runner.cleanup)
    return port


async def connected(
    stack: AsyncExitStack,
    app: AsyncApp,
    client: AsyncWebClient,
    settings: SlackSettings,
    *,
    ping_s: float,
) -> list[AsyncSocketModeHandler]:
    """Connections over which Slack delivers from now on, until the stack is unwound.

    Slack sends each event over one of them; while one is renewed, another is open.

    Raises:
        SettingsError: If Slack refuses the token.
    """
    sockets = []
    for _ in range(settings.connections):
        token = secret(settings.app_token)
        socket = AsyncSocketModeHandler(app, token, web_client=client, ping_interval=ping_s)
        stack.push_async_callback(socket.client.close)
        try:
            # The client itself would log a wrong token for ever.
            socket.client.wss_uri = await socket.client.issue_new_wss_url()
            await socket.client.connect()  # type: ignore[no-untyped-call]
        except SlackApiError as error:
            raise SettingsError(f"SLACK_APP_TOKEN: Slack says {reason(error) or error}") from error
        sockets.append(socket)
    return sockets


async def is_reached(sockets: Iterable[AsyncSocketModeHandler]) -> bool:
    """Whether Slack reaches us over any of the connections, if there are any."""
    connected = [await socket.client.is_connected() for socket in sockets]
    return not connected or any(connected)
