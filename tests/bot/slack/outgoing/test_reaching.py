from __future__ import annotations

import aiohttp
import pytest

from bot.slack.outgoing.reaching import SlackUnreachableError, reached


@pytest.mark.parametrize("address", ["http://[::1", "file:///etc/passwd", "nowhere"])
async def test_what_is_no_address_is_not_tried_again(address: str) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises((aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
            await reached(session.post(address))


async def test_an_address_where_nobody_listens_is_tried_again() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(SlackUnreachableError):
            await reached(session.post("http://127.0.0.1:9"))
