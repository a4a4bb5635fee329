"""Asks Slack what a sync has to know: who there is, who is in a channel, what was said there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http.client import HTTPException
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import (
    ConnectionErrorRetryHandler,
    RateLimitErrorRetryHandler,
    ServerErrorRetryHandler,
)
from slack_sdk.web.client import WebClient

from bot.slack.outgoing.reaching import PASSING, reason
from retrieval.errors import SourceError

PAGE = 200
TIMEOUT_S = 30
WAITS = 20
"""How often one request waits as long as Slack wants."""
TRIES = 3
"""How often what broke off or failed within Slack is asked for again."""
REFUSED = 403
"""The status of an error when Slack says no."""

SlackInfo = Mapping[str, Any]
"""What Slack says of a person, a channel or a message."""


class SlackReader:
    """Reads a workspace with the bot's token.

    Every method raises SourceError: with the status REFUSED where Slack says no, without one where
    it may answer later.
    """

    def __init__(self, token: str, *, api_url: str, tries: int = TRIES) -> None:
        self._client = WebClient(
            token,
            base_url=api_url,
            timeout=TIMEOUT_S,
            retry_handlers=[
                ConnectionErrorRetryHandler(max_retry_count=tries),
                ServerErrorRetryHandler(max_retry_count=tries),
                RateLimitErrorRetryHandler(max_retry_count=WAITS),
            ],
        )

    def bot(self) -> SlackInfo:
        """Who the bot is, and where its workspace is."""
        return _asked(lambda: self._client.auth_test())

    def people(self) -> dict[str, SlackInfo]:
        """Everybody in the workspace, by id."""
        found = _paged(lambda **page: self._client.users_list(**page), "members")
        return {info["id"]: info for info in found}

    def public_channels(self) -> dict[str, str]:
        """What the public channels are called, by id."""
        public = "public_channel"
        found = _paged(
            lambda **page: self._client.conversations_list(types=public, **page), "channels"
        )
        return {info["id"]: info["name"] for info in found}

    def channel(self, channel: str) -> SlackInfo:
        """What Slack says of a channel."""
        answer = _asked(lambda: self._client.conversations_info(channel=channel))
        info: SlackInfo = answer["channel"]
        return info

    def members(self, channel: str) -> list[str]:
        """The ids of those who are in a channel."""
        return list(
            _paged(
                lambda **page: self._client.conversations_members(channel=channel, **page),
                "members",
            )
        )

    def history(
        self, channel: str, *, oldest: str | None = None, latest: str | None = None
    ) -> Iterator[SlackInfo]:
        """What stands in a channel itself, the latest first, between two moments if any."""
        return _paged(
            lambda **page: self._client.conversations_history(
                channel=channel, oldest=oldest, latest=latest, **page
            ),
            "messages",
        )

    def thread(self, channel: str, ts: str) -> list[SlackInfo]:
        """The messages of a thread, each once; none if it has gone."""
        found = _paged(
            lambda **page: self._client.conversations_replies(channel=channel, ts=ts, **page),
            "messages",
        )
        try:
            return list({message["ts"]: message for message in found}.values())
        except SourceError as error:
            if error.status != REFUSED:
                raise
            return []


def _paged(call: Callable[..., Any], key: str) -> Iterator[Any]:
    cursor = ""
    while True:
        page = _asked(partial(call, cursor=cursor, limit=PAGE))
        yield from page[key]
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            return


def _asked(call: Callable[[], Any]) -> SlackInfo:
    try:
        answer: SlackInfo = call().data
    except SlackApiError as error:
        said = reason(error)
        status = None if said in PASSING else REFUSED
        raise SourceError(f"Slack says {said or 'nothing'}", status=status) from error
    except (OSError, HTTPException) as error:
        raise SourceError(f"Slack is not reached: {error}") from error
    return answer
