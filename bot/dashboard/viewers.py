"""Who looks at the dashboard, and what they may read: by a token, a proxy's word, or a login."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Protocol

from aiohttp import web
from slack_sdk.errors import SlackApiError

from bot.review.experts import Experts
from bot.slack.directory import REMEMBERED_S
from bot.slack.outgoing.reaching import SlackUnreachableError, reached
from bot.slack.remembered import Remembered
from bot.slack.workspace import Workspace
from bot.store.reviews import ReviewAccess
from retrieval.errors import SettingsError
from retrieval.records import PUBLIC

COOKIE = "whimbrel"
ENTER = "/enter"
LEAVE = "/leave"

LANGUAGES = ("en", "zh")
LANGUAGE_COOKIE = "language"

Networks = tuple[IPv4Network | IPv6Network, ...]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks. `labels` are of what they may read; `csrf` proves that a form was ours.

    Without an `access` nobody is named, and nothing can be decided. `person` is their id in Slack.
    """

    csrf: str
    labels: frozenset[str] = frozenset({PUBLIC})
    is_admin: bool = True
    person: str = ""
    access: ReviewAccess | None = None


class Door(Protocol):
    """Knows who asks."""

    async def viewer(self, request: web.Request) -> Viewer | None:
        """Who it is; None for who may not look."""

    async def enter(self, request: web.Request) -> web.Response:
        """What `ENTER` answers."""

    async def leave(self, request: web.Request) -> web.Response:
        """What `LEAVE` answers."""


class TokenDoor:
    """Lets in one browser on this machine: that with the address which holds the token.

    It sees what everybody may.
    """

    def __init__(self) -> None:
        self._token: str | None = secrets.token_urlsafe(32)
        self._session = secrets.token_urlsafe(32)
        self._viewer = Viewer(csrf=secrets.token_urlsafe(32))

    def path(self) -> str:
        """The path that lets in whoever opens it first."""
        return f"{ENTER}?token={self._token}"

    async def viewer(self, request: web.Request) -> Viewer | None:
        """Whoever has the cookie."""
        shown = cookie_of(request, own_name(COOKIE, request))
        return self._viewer if hmac.compare_digest(shown.encode(), self._session.encode()) else None

    async def enter(self, request: web.Request) -> web.Response:
        """Give the cookie for the token, once."""
        shown, token = request.query.get("token", ""), self._token
        if token is None or not hmac.compare_digest(shown.encode(), token.encode()):
            raise web.HTTPForbidden(text="This address was used already. Start it again.\n")
        self._token = None
        response = web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(
            own_name(COOKIE, request), self._session, httponly=True, samesite="Strict", path="/"
        )
        return response

    async def leave(self, request: web.Request) -> web.Response:  # noqa: ARG002 - as other doors
        """There is no login to close."""
        raise web.HTTPNotFound


class Members:
    """The full members of the workspace, by the e-mail address that somebody vouches for."""

    def __init__(self, workspace: Workspace, experts: Experts) -> None:
        self._workspace = workspace
        self._experts = experts
        self._ids: Remembered[str] = Remembered(REMEMBERED_S)
        self._secret = secrets.token_bytes(32)

    async def viewer(self, email: str) -> Viewer | None:
        """Who has an address; None if that is nobody, or a guest."""
        try:
            return await self._viewer(email.strip().lower())
        except SlackUnreachableError as error:
            raise web.HTTPServiceUnavailable(text="Slack does not say who you are.\n") from error

    async def _viewer(self, email: str) -> Viewer | None:
        workspace, person = self._workspace, await self._ids.ask(email, partial(self._id, email))
        # Only a full member's confirmed address is one.
        if not person or (await workspace.directory.person(person)).email != email:
            return None
        is_admin, _ = await workspace.people.look_up(person)
        return Viewer(
            csrf=hmac.new(self._secret, person.encode(), hashlib.sha256).hexdigest(),
            labels=await workspace.audiences.of_person(person),
            is_admin=is_admin,
            person=person,
            access=await self._experts.reader(person),
        )

    async def _id(self, email: str) -> str | None:
        try:
            found = await reached(self._workspace.client.users_lookupByEmail(email=email))
        except SlackApiError:
            return None  # Slack knows nobody of that address
        return str(found["user"]["id"])


class ProxyDoor:
    """Believes a proxy of the company that says who somebody is, by e-mail address."""

    def __init__(self, header: str, proxies: Iterable[str], members: Members) -> None:
        self._header = header
        self._proxies = networks(proxies)
        self._members = members

    async def viewer(self, request: web.Request) -> Viewer | None:
        """The full member of the workspace who has the address that a proxy names."""
        emails = request.headers.getall(self._header, [])
        if len(emails) != 1 or not self._is_proxy(request.remote or ""):
            return None
        return await self._members.viewer(emails[0])

    async def enter(self, request: web.Request) -> web.Response:  # noqa: ARG002 - as other doors
        """There is nothing to enter by."""
        raise web.HTTPNotFound

    async def leave(self, request: web.Request) -> web.Response:  # noqa: ARG002 - as other doors
        """The proxy has the session."""
        raise web.HTTPNotFound

    def _is_proxy(self, address: str) -> bool:
        try:
            peer = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return any(peer in network for network in self._proxies)


def is_from_here(request: web.Request) -> bool:
    """Whether a form was sent from a page of ours, as far as the browser says."""
    origin = request.headers.get("Origin")
    is_here = origin is None or origin.partition("://")[2].lower() == request.host.lower()
    return is_here and request.headers.get("Sec-Fetch-Site", "same-origin") in (
        "same-origin",
        "none",
    )


def language_of(request: web.Request) -> str:
    """The language that was chosen, or the browser's."""
    for chosen in (request.query.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if chosen in LANGUAGES:
            return chosen
    wanted = request.headers.get("Accept-Language", "")
    codes = [part.partition(";")[0].partition("-")[0].strip() for part in wanted.split(",")]
    return next((code for code in codes if code in LANGUAGES), "en")


def cookie_of(request: web.Request, name: str) -> str:
    """The value of a cookie; empty without one, or for bytes that we give to nobody."""
    value = request.cookies.get(name, "")
    return value if value.isascii() else ""


def own_name(cookie: str, request: web.Request) -> str:
    """A cookie's name for one dashboard: browsers tell hosts apart, but not their ports."""
    return f"{cookie}-{request.url.port}"


def networks(given: Iterable[str]) -> Networks:
    """Addresses and networks as such.

    Raises:
        SettingsError: If one is neither.
    """
    try:
        return tuple(ip_network(text) for text in given)
    except ValueError as error:
        raise SettingsError(f"SLACK_DASHBOARD_PROXIES: {error}") from error
