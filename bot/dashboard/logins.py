"""Logins to the dashboard at the company's OpenID provider, and the sessions that they open."""

from __future__ import annotations

import hmac
import html
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import httpx2
from aiohttp import web

from bot.dashboard.oidc import Attempt, Provider, RefusedError, is_local
from bot.dashboard.viewers import (
    COOKIE,
    ENTER,
    LEAVE,
    Members,
    Viewer,
    cookie_of,
    is_from_here,
    language_of,
    own_name,
)
from bot.strings import strings_for

logger = logging.getLogger(__name__)

LOGIN_COOKIE = "whimbrel-login"
LOGIN_S = 600.0
"""So long somebody may take to log in."""

SESSION_S = 8 * 3600.0
"""After so long somebody has to log in again."""

MOST = 10_000
"""Of logins under way, and of sessions, no more are kept: the oldest go."""

HTML = "text/html"
OUT = f'<form method="post" action="{LEAVE}"><button>Log out</button></form>'

T = TypeVar("T")
R = TypeVar("R", web.HTTPForbidden, web.HTTPServiceUnavailable)


@dataclass(frozen=True, slots=True)
class Login:
    """A login under way: in which browser, since when, and to which page it leads."""

    attempt: Attempt
    browser: str
    page: str
    begun: float


@dataclass(frozen=True, slots=True)
class Session:
    """A browser in which somebody has logged in."""

    email: str
    begun: float


class OidcDoor:
    """Sends who is not logged in to the company's provider, and believes what that says."""

    def __init__(
        self, provider: Provider, members: Members, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._provider = provider
        self._members = members
        self._clock = clock
        self._logins: dict[str, Login] = {}
        self._sessions: dict[str, Session] = {}

    async def viewer(self, request: web.Request) -> Viewer | None:
        """The full member who has logged in; nobody else is shown more than where to do that."""
        session = self._sessions.get(cookie_of(request, _name(COOKIE, request)))
        if session is not None and self._clock() < session.begun + SESSION_S:
            viewer = await self._members.viewer(session.email)
            if viewer is None:
                texts = strings_for(language_of(request)).dashboard
                raise web.HTTPForbidden(text=_html(texts["forbidden"], OUT), content_type=HTML)
            return viewer
        if request.method != "GET":
            return None
        raise self._to_log_in(request)

    async def enter(self, request: web.Request) -> web.Response:
        """Where the provider sends back who has logged in: opens a session, once for each login."""
        given = request.query
        login = self._logins.pop(given.get("state", ""), None)
        browser = cookie_of(request, _name(LOGIN_COOKIE, request))
        if (
            login is None
            or self._clock() > login.begun + LOGIN_S
            or not hmac.compare_digest(browser.encode(), login.browser.encode())
        ):
            raise _refusal(web.HTTPForbidden, "This login was used already, or took too long.")
        try:
            email = await self._provider.email(login.attempt, given)
        except RefusedError as error:
            logger.warning("nobody was logged in: %s", error)
            told = "Nobody was logged in. The log tells why."
            raise _refusal(web.HTTPForbidden, told, login.page) from error
        except httpx2.HTTPError as error:
            logger.warning("the OpenID provider does not answer: %r", error)
            _keep(self._logins, given["state"], login)  # the same address may be tried again
            told = "Who you are cannot be asked now. Try again in a moment."
            raise _refusal(web.HTTPServiceUnavailable, told, login.page) from error
        secret = secrets.token_urlsafe(32)
        _keep(self._sessions, secret, Session(email, self._clock()))
        response = web.Response(status=303, headers={"Location": login.page})
        _give(response, COOKIE, secret, request)
        return response

    async def leave(self, request: web.Request) -> web.Response:
        """Close the session of a browser, for who wants to log in as somebody else."""
        if not is_from_here(request):
            raise web.HTTPForbidden
        self._sessions.pop(cookie_of(request, _name(COOKIE, request)), None)
        return web.Response(text=_html("You are logged out.", _again("/")), content_type=HTML)

    def _to_log_in(self, request: web.Request) -> web.HTTPSeeOther:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        scheme = "https" if _is_secure(request) else "http"
        attempt = Attempt(f"{scheme}://{request.host}{ENTER}", state, nonce, verifier)
        # Of one browser, which may open several pages at once.
        browser = cookie_of(request, _name(LOGIN_COOKIE, request)) or secrets.token_urlsafe(32)
        _keep(self._logins, state, Login(attempt, browser, request.path_qs, self._clock()))
        response = web.HTTPSeeOther(self._provider.address(attempt))
        _give(response, LOGIN_COOKIE, browser, request)
        return response


def _refusal(kind: type[R], told: str, page: str = "/") -> R:
    """What a browser is shown that has not got in: why, and where to begin anew."""
    return kind(text=_html(told, _again(page)), content_type=HTML)


def _again(page: str) -> str:
    return f'<p><a href="{html.escape(page)}">Log in again</a></p>'


def _html(told: str, way_on: str) -> str:
    told = html.escape(told)
    return f"<!doctype html>\n<title>{told}</title>\n<p>{told}</p>\n{way_on}\n"


def _keep(kept: dict[str, T], name: str, value: T) -> None:
    if len(kept) >= MOST:
        del kept[next(iter(kept))]
    kept[name] = value


def _give(response: web.Response, cookie: str, value: str, request: web.Request) -> None:
    """Let a browser keep a value, and show it also where the provider sends it."""
    response.set_cookie(
        _name(cookie, request),
        value,
        httponly=True,
        samesite="Lax",
        secure=_is_secure(request),
        path="/",
    )


def _name(cookie: str, request: web.Request) -> str:
    """A cookie's name; over TLS one that no neighbour of our host can set for us."""
    return f"{'__Host-' if _is_secure(request) else ''}{own_name(cookie, request)}"


def _is_secure(request: web.Request) -> bool:
    """Whether the browser came over TLS, which the proxy has taken off: elsewhere it has to."""
    return not is_local(request.url.host)
