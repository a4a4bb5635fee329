"""What Slack sees of several workspaces: one app, whose deliveries go to each workspace's bot."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.request.internals import extract_team_id
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError, SlackTokenRotationError
from slack_sdk.signature import SignatureVerifier

from bot.app.doors import connected, is_reached, listening
from bot.app.parts import Timings
from bot.serving import Serving
from bot.settings import SlackSettings, secret
from bot.slack.incoming.payloads import Body
from bot.slack.incoming.web import SLACK_PATH, health_routes, slack_route
from bot.slack.outgoing.reaching import SlackUnreachableError, reached, reason
from bot.workspaces.installed import Installed
from bot.workspaces.installing import Installing, client_of
from bot.workspaces.places import Place
from bot.workspaces.processes import HOST, ServedBot
from retrieval.errors import SettingsError

logger = logging.getLogger(__name__)

ACK_S = 2.5
"""What a bot has not taken in this time is refused; Slack waits for three seconds."""
RENEW_S = 1.0
"""How long a delivery waits for a new token: its bot takes it with the old one, too."""
LOOK_S = 60.0
_RETRIES = ("x-slack-retry-num", "x-slack-retry-reason")
_GONE = frozenset(("account_inactive", "invalid_auth", "token_revoked"))
"""What Slack says of the token of a workspace that the app was removed from."""


class Front(Serving):
    """Serves every workspace that the app is installed in, from `async with` to its end.

    Each delivery is handed to the bot of the workspace that it is of, and to no other. Entering it
    raises SettingsError if Slack refuses the app's token.
    """

    def __init__(
        self,
        settings: SlackSettings,
        installed: Installed,
        start_bot: Callable[[Place], ServedBot],
        *,
        host: str,
        port: int,
        timings: Timings = Timings(),  # noqa: B008 - it is frozen
        look_s: float = LOOK_S,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.port = port
        self._installed = installed
        self._start_bot = start_bot
        self._host = host
        self._timings = timings
        self._look_s = look_s
        self._bots: dict[str, ServedBot] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._begun: set[asyncio.Task[None]] = set()

    @property
    def teams(self) -> set[str]:
        """The workspaces that are served."""
        return set(self._bots)

    async def _start(self, stack: AsyncExitStack) -> None:
        timeout = aiohttp.ClientTimeout(total=ACK_S)
        # A session for Slack, which may be behind a proxy, and one for what never leaves us.
        self._slack = await stack.enter_async_context(aiohttp.ClientSession())
        self._inside = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        self._client = client_of(self.settings, self._slack)
        stack.push_async_callback(self._end_all)
        await asyncio.gather(*map(self._begin, map(self._installed.place, self._installed.teams())))
        flow = Installing(self.settings, self._slack, self._installed, self._begin)
        app = AsyncApp(
            client=self._client,
            oauth_flow=flow,
            signing_secret=secret(self.settings.signing_secret),
            before_authorize=self._deliver,
        )
        looking = asyncio.create_task(self._look())
        stack.callback(looking.cancel)
        await self._open_door(stack, app, flow)

    async def _open_door(self, stack: AsyncExitStack, app: AsyncApp, flow: Installing) -> None:
        settings, routes, sockets = self.settings, flow.routes(), []
        if settings.app_token is not None:
            ping_s = self._timings.ping_s
            sockets = await connected(stack, app, self._client, settings, ping_s=ping_s)
        else:
            routes.append(slack_route(app))
        self.port = await listening(stack, routes, self._host, self.port, setting="--port")
        if settings.health_port:
            health, host = health_routes(lambda: is_reached(sockets)), settings.health_host
            name = "SLACK_HEALTH_PORT (0: none)"
            await listening(stack, health, host, settings.health_port, setting=name)
        logger.info("serving mode=%s workspaces=%d", settings.mode, len(self._bots))

    async def _deliver(
        self,
        req: AsyncBoltRequest,
        body: dict[str, Any],
        next_: Callable[[], Any],
    ) -> BoltResponse | None:
        """Bolt's one middleware, once the signature is found to be Slack's."""
        if body.get("type") == "url_verification" or "ssl_check" in body:
            await next_()
            return None
        # Not the context's, which is made before `read_request` mends a form.
        team = extract_team_id(body) or ""
        bot = self._bots.get(team)
        if _says_goodbye(body) and (bot or self._installed.token(team)):
            self._say_goodbye(team, body)
            return BoltResponse(status=200)
        if bot is None:
            logger.warning("a delivery for a workspace that is not served team=%.20r", team)
            return BoltResponse(status=200)
        retried = {name: req.headers[name][0] for name in _RETRIES if name in req.headers}
        try:
            async with asyncio.timeout(ACK_S):
                if self._installed.has_expired(team):
                    await asyncio.wait({self._renewing(team)}, timeout=RENEW_S)
                return await self._hand_over(bot, json.dumps(body), retried)
        except (TimeoutError, aiohttp.ClientError) as error:
            logger.warning("a bot did not take what Slack delivered: %r", error)
            return BoltResponse(status=503)

    async def _hand_over(self, bot: ServedBot, text: str, retried: dict[str, str]) -> BoltResponse:
        url = f"http://{HOST}:{await bot.port()}{SLACK_PATH}"
        headers = retried | _signed(text, bot.secret)
        async with self._inside.post(url, data=text.encode(), headers=headers) as response:
            said, kind = await response.text(), response.content_type
        return BoltResponse(status=response.status, body=said, headers={"content-type": kind})

    def _say_goodbye(self, team: str, body: Body) -> None:
        """Drop a workspace, served or not, unless the app was installed again since."""
        if body.get("event_time", float("inf")) < self._installed.since(team):
            return
        logger.warning("removed team=%s; its data stays until it is forgotten", team)
        self._installed.drop(team)
        if (bot := self._bots.pop(team, None)) is not None:
            self._see_through(self._end(team, bot))

    async def _begin(self, place: Place) -> None:
        """Serve a workspace from now on, unless it may not be or is not installed any more."""
        team, allowed = place.team, self.settings.allowed_teams
        if allowed and team not in allowed:
            logger.warning("not served, as it is not in SLACK_ALLOWED_TEAMS team=%s", team)
            return
        try:
            async with self._turns[team]:  # one that was removed may be ending still
                await asyncio.shield(self._renewing(team))
                if team not in self._bots and await self._is_there(team):
                    self._bots[team] = self._start_bot(place)
        except SettingsError as error:
            logger.error("not served team=%s: %s", team, error)  # noqa: TRY400 - it says all
        except Exception:  # whatever it is, the others are served
            logger.exception("not served team=%s", team)

    async def _is_there(self, team: str) -> bool:
        token = self._installed.token(team)
        if token is None:
            return False
        try:
            await reached(client_of(self.settings, self._slack, token.bot_token).auth_test())
        except SlackUnreachableError:
            pass  # its bot waits for Slack, and tells
        except SlackApiError as error:
            if reason(error) in _GONE:
                logger.warning("the app was removed there team=%s: %s", team, reason(error))
                self._installed.drop(team)
        return self._installed.token(team) is not None  # it may have said goodbye meanwhile

    def _renewing(self, team: str) -> asyncio.Task[None]:
        # A refresh token is spent once Slack has been asked: whoever waits may leave, this goes on.
        return self._see_through(self._renew(team))

    def _see_through(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let something go on until it is done, also where we are told to end."""
        task = asyncio.create_task(work)
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        return task

    async def _renew(self, team: str) -> None:
        try:
            await self._installed.renew(team, self._client)
        except (SlackTokenRotationError, aiohttp.ClientError, TimeoutError) as error:
            logger.error("no new token team=%s: %s", team, error)  # noqa: TRY400 - it says all

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._look_s)
            try:
                self._installed.drop_stale_states()
                await asyncio.gather(*(asyncio.shield(self._renewing(t)) for t in self.teams))
            except Exception:  # it never ends: whatever it is, the next time may do
                logger.exception("cannot look after tokens")

    async def _end(self, team: str, bot: ServedBot) -> None:
        async with self._turns[team]:
            await bot.end()

    async def _end_all(self) -> None:
        bots, self._bots = self._bots, {}
        ends = [self._end(team, bot) for team, bot in bots.items()]
        await asyncio.gather(*ends, *self._begun)


def _says_goodbye(body: Body) -> bool:
    """Whether an event tells that the app was removed, or its token revoked."""
    event = body.get("event") or {}
    is_revoked = event.get("type") == "tokens_revoked" and (event.get("tokens") or {}).get("bot")
    return event.get("type") == "app_uninstalled" or bool(is_revoked)


def _signed(text: str, key: str) -> dict[str, str]:
    verifier = SignatureVerifier(key)
    at = str(int(verifier.clock.now()))
    signature = verifier.generate_signature(timestamp=at, body=text) or ""
    return {
        "content-type": "application/json",
        "x-slack-request-timestamp": at,
        "x-slack-signature": signature,
    }
