"""The dashboard as a whole: opened and closed as one, from the database to the port."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from ipaddress import ip_address

import aiohttp

from bot.dashboard.deciding import Deciding
from bot.dashboard.logins import OidcDoor
from bot.dashboard.oidc import Provider
from bot.dashboard.pages import Pages
from bot.dashboard.server import Dashboard
from bot.dashboard.viewers import Door, Members, ProxyDoor, TokenDoor
from bot.review.experts import Experts
from bot.serving import Serving
from bot.settings import SlackSettings, secret
from bot.slack.incoming.connections import Connections
from bot.slack.incoming.web import serve
from bot.slack.workspace import REQUEST_S, log_in
from bot.store.database import Database
from bot.store.inbox import Inbox
from bot.store.opening import open_database
from retrieval.errors import SettingsError
from retrieval.settings import Settings
from retrieval.sources.mirror import labels_held


class Window(Serving):
    """Serves from `async with` to its end; `address` is to be opened.

    Entering it raises SettingsError if the address cannot be listened on, if others than this
    machine could reach it and nobody would name them, or if Slack or the OpenID provider is wanted
    and not reached.
    """

    def __init__(
        self,
        settings: Settings,
        slack: SlackSettings,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        shows_text: bool = False,
        connections: Connections | None = None,
    ) -> None:
        super().__init__()
        self.address = ""
        self._settings = settings
        self._slack = slack
        self._host = host
        self._port = port
        self._shows_text = shows_text
        self._connections = connections

    async def _start(self, stack: AsyncExitStack) -> None:
        settings, slack = self._settings, self._slack
        database = open_database(settings, is_read_only=True)
        stack.callback(database.close)
        pages = Pages(database, settings)
        door: Door = TokenDoor()
        deciding = None
        if slack.names_viewers:
            door = await self._door(await self._members(stack, pages, database))
            deciding = self._deciding(stack)
        elif not is_loopback(self._host):
            raise SettingsError(
                f"--host {self._host}: others could reach it, and nobody would say who they are; "
                "set SLACK_DASHBOARD_OIDC_ISSUER, or SLACK_DASHBOARD_HEADER behind a proxy"
            )
        board = Dashboard(
            pages, database, door, deciding, hosts=self._hosts, shows_text=self._shows_text
        )
        try:
            runner, self._port = await serve(
                board.app(), self._host, self._port, connections=self._connections
            )
        except OSError as error:
            raise SettingsError(f"--host {self._host} --port {self._port}: {error}") from error
        stack.push_async_callback(runner.cleanup)
        path = door.path() if isinstance(door, TokenDoor) else "/"
        self.address = f"http://{_in_address(self._host)}:{self._port}{path}"

    def _hosts(self) -> frozenset[str]:
        """What browsers may call us."""
        if self._slack.names_viewers:
            return frozenset(host.lower() for host in self._slack.dashboard_hosts)
        names = ("127.0.0.1", "localhost", "[::1]", _in_address(self._host))
        return frozenset(f"{name}:{self._port}" for name in names)

    async def _door(self, members: Members) -> Door:
        """The door at which the proxy or the provider says who somebody is."""
        slack = self._slack
        header, issuer = slack.dashboard_header, slack.dashboard_oidc_issuer
        if issuer is None:
            return ProxyDoor(header or "", slack.dashboard_proxies, members)
        if header:
            raise SettingsError("SLACK_DASHBOARD_HEADER: unset it, or SLACK_DASHBOARD_OIDC_ISSUER")
        if not (client := slack.dashboard_oidc_client_id):
            raise SettingsError(
                "SLACK_DASHBOARD_OIDC_CLIENT_ID is not set; it is what the provider calls us"
            )
        client_secret = secret(slack.dashboard_oidc_client_password)
        return OidcDoor(await Provider.found(issuer, client, client_secret), members)

    async def _members(self, stack: AsyncExitStack, pages: Pages, database: Database) -> Members:
        slack = self._slack
        if not slack.dashboard_hosts:
            raise SettingsError(
                "SLACK_DASHBOARD_HOSTS names no host; set it to the name in the browser's address, "
                'such as ["whimbrel.example"]'
            )
        session = await stack.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REQUEST_S))
        )
        held = partial(labels_held, self._settings.sources_folder)
        workspace = await log_in(slack, session, held_at_sources=held)
        return Members(workspace, Experts(slack, database, workspace, pages.documents))

    def _deciding(self, stack: AsyncExitStack) -> Deciding:
        database = open_database(self._settings, redactor=self._slack.redactor)
        stack.callback(database.close)
        return Deciding(Inbox(database))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host
