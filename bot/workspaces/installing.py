"""How the app is installed in one more workspace: Slack's OAuth, and whom we take."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urljoin

from aiohttp import ClientSession, web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.error import BoltError
from slack_bolt.oauth.async_callback_options import (
    AsyncCallbackOptions,
    AsyncFailureArgs,
    AsyncSuccessArgs,
)
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store import Installation as AppInstallation

from bot.settings import SlackSettings, secret
from bot.slack.counted import CountedClient
from bot.slack.incoming.events import SCOPES
from bot.slack.outgoing.reaching import SlackUnreachableError, reached, reason
from bot.slack.workspace import REQUEST_S
from bot.workspaces.installed import Installed
from bot.workspaces.places import Place

logger = logging.getLogger(__name__)

_FLOW = logging.getLogger(f"{__name__}.flow")
"""What Bolt says of it, which quotes the code of an installation that failed."""


class RefusedError(BoltError):
    """An installation that is not taken; the message is for who tried it."""


class Installing(AsyncOAuthFlow):
    """Bolt's flow, which tells `on_installed` of each workspace once its token is kept."""

    def __init__(
        self,
        slack: SlackSettings,
        session: ClientSession,
        installed: Installed,
        on_installed: Callable[[Place], Awaitable[None]],
    ) -> None:
        _FLOW.setLevel(logging.ERROR)
        settings = AsyncOAuthSettings(
            client_id=slack.client_id,
            client_secret=secret(slack.client_secret),
            scopes=SCOPES,
            user_scopes=(),
            redirect_uri=slack.redirect_uri,
            authorization_url=urljoin(slack.api_url, "/oauth/v2/authorize"),
            state_store=installed.states,
            callback_options=AsyncCallbackOptions(success=_done, failure=_told),
            logger=_FLOW,
        )
        super().__init__(client=client_of(slack, session), settings=settings, logger=_FLOW)
        self._slack, self._session = slack, session
        self._installed, self._on_installed = installed, on_installed

    def routes(self) -> list[web.RouteDef]:
        """The page where an installation begins, and the one that Slack leads back to."""

        def answered_by(
            handle: Callable[[AsyncBoltRequest], Awaitable[BoltResponse]],
        ) -> Callable[[web.Request], Awaitable[web.Response]]:
            async def answer(request: web.Request) -> web.Response:
                try:
                    response = await reached(handle(await to_bolt_request(request)))
                except SlackUnreachableError as error:
                    logger.warning("cannot install: %s", error)
                    return web.Response(status=503, text="Slack does not answer; try again later\n")
                return await to_aiohttp_response(response)

            return answer

        return [
            web.get(self.install_path, answered_by(self.handle_installation)),
            web.get(self.redirect_uri_path, answered_by(self.handle_callback)),
        ]

    async def store_installation(
        self,
        request: AsyncBoltRequest,  # noqa: ARG002 - Bolt's signature
        installation: AppInstallation,
    ) -> None:
        """Keep an installation in a workspace that may have one; of others the token is revoked."""
        if refusal := self._refusal(installation):
            await self._revoke(installation.bot_token or "")
            raise RefusedError(refusal)
        await self._on_installed(self._installed.keep(installation))

    def _refusal(self, installation: AppInstallation) -> str:
        team, allowed = installation.team_id, self._slack.allowed_teams
        if installation.is_enterprise_install or not team:
            return "This app is installed in workspaces, one by one, not in a whole organisation."
        if allowed and team not in allowed:
            return f"The workspace {team} is not among those that may install this app."
        return ""

    async def _revoke(self, token: str) -> None:
        try:
            await client_of(self._slack, self._session, token).auth_revoke()
        except SlackApiError as error:
            logger.warning("a token that is not taken was not revoked: %s", reason(error))


def client_of(
    slack: SlackSettings, session: ClientSession, token: str | None = None
) -> CountedClient:
    """Slack's client with a token, or without one for what needs none."""
    base_url = slack.api_url.rstrip("/") + "/"
    return CountedClient(lambda: token, base_url=base_url, timeout=REQUEST_S, session=session)


async def _done(done: AsyncSuccessArgs) -> BoltResponse:
    logger.info("installed team=%s", done.installation.team_id)
    return await done.default.success(done)


async def _told(failed: AsyncFailureArgs) -> BoltResponse:
    if isinstance(failed.error, RefusedError):
        logger.warning("not installed: %s", failed.error)
        return BoltResponse(status=403, body=f"{failed.error}\n")
    logger.warning("not installed: %.80r", failed.reason)
    return await failed.default.failure(failed)
