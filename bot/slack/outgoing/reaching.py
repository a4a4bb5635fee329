"""Whether Slack did what it was asked: what passes, what was too much, and what is wrong."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError

# Slack's own troubles pass; anything else it says would be said again.
PASSING = {
    "",  # what answered was not Slack's API
    "ratelimited",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "token_expired",  # and the next one is not written yet
}
"""What Slack says of what may go well later."""


class SlackUnreachableError(Exception):
    """Slack did not answer, or said that it cannot now; later it may."""


class SlackBusyError(SlackUnreachableError):
    """Slack has had too many calls and did nothing; it will take this one in `retry_after_s`."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def reason(error: SlackApiError) -> str:
    """Slack's name for what is wrong; empty if what answered was not Slack's API."""
    data = getattr(error.response, "data", None)
    return str(data.get("error", "")) if isinstance(data, dict) else ""


async def reached(call: Any) -> Any:  # noqa: ANN401 - the SDK's responses are untyped
    """What Slack answers; raises SlackUnreachableError where it may answer later."""
    try:
        return await call
    except SlackApiError as error:
        if reason(error) in PASSING:
            if error.response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                wait_s = float(error.response.headers.get("Retry-After", 1))
                raise SlackBusyError(str(error), retry_after_s=wait_s) from error
            raise SlackUnreachableError(str(error)) from error
        raise
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
        raise  # what is no address will not be one later
    except (aiohttp.ClientError, TimeoutError) as error:
        raise SlackUnreachableError(str(error) or type(error).__name__) from error
