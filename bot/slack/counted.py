"""Slack's client and the calls that it makes, counted by method."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot import metrics


class CountedClient(AsyncWebClient):
    """Slack's own client; each call is counted once, however often it is repeated.

    Each is made with the token as it is then, since tokens may be rotated.
    """

    def __init__(
        self,
        read_token: Callable[[], str | None],
        **options: Any,  # noqa: ANN401 - as they are there
    ) -> None:
        super().__init__(**options)
        self._read_token = read_token

    async def api_call(
        self,
        api_method: str,
        **arguments: Any,  # noqa: ANN401 - as they are there
    ) -> AsyncSlackResponse:
        """As Slack's client does."""
        outcome, self.token = "unreachable", self._read_token()
        try:
            response = await super().api_call(api_method, **arguments)
            outcome = "ok"
        except SlackApiError:
            outcome = "refused"
            raise
        finally:
            metrics.SLACK_CALLS.labels(api_method, outcome).inc()
        return response


def counting(api_url: str) -> aiohttp.TraceConfig:
    """What counts, in a session, each time that Slack's API wants a call later."""

    async def ended(
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        ended: aiohttp.TraceRequestEndParams,
    ) -> None:
        if ended.response.status == 429 and str(ended.url).startswith(api_url):
            metrics.SLACK_THROTTLED.labels(ended.url.name).inc()

    config = aiohttp.TraceConfig()
    config.on_request_end.append(ended)
    return config
