from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from slack_sdk.errors import SlackTokenRotationError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.workspaces.installed import lines
from tests.bot.conftest import settled
from tests.bot.workspaces.conftest import Company, idle, secret_of
from tests.slack_server import Fault, event, mention

DAY = 86_400


def refreshed(company: Company) -> int:
    """How often a new token was asked for."""
    calls = company.slack.called("oauth.v2.access")
    return sum(call.get("grant_type") == "refresh_token" for call in calls)


def token(company: Company, team: str = "T1") -> str:
    return company.installed().place(team).token_file.read_text()


@pytest.mark.slow
async def test_a_token_that_has_expired_is_renewed_once_for_all_events_that_come(
    company: Company,
) -> None:
    slack = company.slack
    await company.open()
    slack.expires_in = 0
    await company.install("T1")
    slack.expired.add(token(company))
    before, slack.expires_in = refreshed(company), DAY
    asked = [
        event(mention("What is the launch code word?", ts=f"{n}.0", user=f"U{n}"), f"Ev{n}")
        for n in range(1, 13)
    ]
    taken = await asyncio.gather(*(company.deliver("T1", body) for body in asked))
    assert all(delivered.is_acked for delivered in taken)
    assert refreshed(company) == before + 1
    await idle(company.bots["T1"].bot)
    answers = [message for message in slack.posted("C1") if secret_of("T1") in str(message)]
    assert len(answers) == len(asked)


async def test_a_token_is_renewed_before_it_expires_and_the_spent_ones_are_deleted(
    company: Company,
) -> None:
    company.slack.expires_in = DAY
    await company.open(look_s=0.02)
    await company.install("T1")
    first, installed = token(company), company.front._installed
    assert refreshed(company) == 0
    with installed._store.connect() as store:
        store.execute("UPDATE slack_bots SET bot_token_expires_at = ?", (int(time.time()) + 7_000,))
    await company.slack.until(lambda: refreshed(company) == 1)
    async with installed._renewing["T1"]:  # once that is done
        assert token(company) != first
    assert first not in installed.file.read_text(errors="replace")
    (known,) = installed._rows("SELECT bot_token FROM slack_bots")
    assert known == (token(company),)


async def test_two_who_renew_at_once_spend_one_token(company: Company) -> None:
    company.slack.expires_in = 7_000
    await company.open()
    await company.install("T1")
    before, company.slack.expires_in = refreshed(company), DAY
    installed = company.front._installed
    await asyncio.gather(*(installed.renew("T1", company.front._client) for _ in range(5)))
    assert refreshed(company) == before + 1


async def test_a_token_that_does_not_expire_is_left_alone(two: Company) -> None:
    await asyncio.gather(*map(two.front._renew, two.front.teams))
    assert refreshed(two) == 0
    assert not two.front._installed.has_expired("T1")


async def test_where_slack_refuses_a_new_token_the_workspace_goes_on_once_it_is_installed_anew(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    company.slack.expires_in = 0
    await company.open()
    await company.install("T1")
    company.slack._refreshing.clear()
    body = event(mention("What is the launch code word?", ts="1.0"), "Ev1")
    company.slack.expired.add(token(company))
    assert (await company.deliver("T1", body)).is_acked
    assert "no new token team=T1" in caplog.text
    assert "xoxe" not in caplog.text
    company.slack.expires_in = DAY
    await company.install("T1")
    await settled(company.bots["T1"].bot)
    assert secret_of("T1") in str(company.slack.posted("C1"))


@pytest.mark.slow
async def test_while_slack_cannot_be_reached_events_are_taken_all_the_same(
    company: Company,
) -> None:
    company.slack.expires_in = 0
    await company.open()
    await company.install("T1")
    company.slack.fail("oauth.v2.access", *[Fault("dropped")] * 9)
    body = event(mention("What is the launch code word?", ts="1.0"), "Ev1")
    assert (await company.deliver("T1", body)).is_acked


@pytest.mark.slow
async def test_a_renewal_that_was_begun_is_seen_through_whoever_waits_for_it(
    company: Company,
) -> None:
    slack = company.slack
    async with AsyncExitStack() as stack:
        company._stack, slack.expires_in = stack, 0
        await company.open()
        await company.install("T1")
        first, before, slack.expires_in = token(company), refreshed(company), DAY
        slack.may_refresh.clear()
        body = event(mention("What is the launch code word?", ts="1.0"), "Ev1")
        assert (await company.deliver("T1", body)).is_acked
        assert refreshed(company) == before + 1
        asyncio.get_running_loop().call_soon(slack.may_refresh.set)  # as we end
    assert token(company) != first
    assert refreshed(company) == before + 1


async def test_a_refusal_is_told_to_who_asks(company: Company) -> None:
    company.slack.expires_in = 0
    await company.open()
    await company.install("T1")
    company.slack._refreshing.clear()
    installed = company.installed()
    with pytest.raises(SlackTokenRotationError):
        await installed.renew("T1", AsyncWebClient(base_url=company.slack.api_url))


async def test_each_workspace_has_a_line_also_one_that_was_removed(two: Company) -> None:
    installed = two.installed()
    installed.drop("T2")
    first, second = lines(installed)
    assert first.startswith("T1  Team T1  installed 20")
    assert second == f"T2  removed  {installed.place('T2').folder}"


class Meanwhile(AsyncWebClient):
    """Lets something happen while Slack renews a token."""

    def __init__(self, base_url: str, happens: Callable[[], object]) -> None:
        super().__init__(base_url=base_url)
        self.happens = happens

    async def oauth_v2_access(self, **given: Any) -> AsyncSlackResponse:
        reply = await super().oauth_v2_access(**given)
        self.happens()
        return reply


async def test_a_renewal_brings_no_removed_app_back(company: Company) -> None:
    company.slack.expires_in = 0
    await company.open()
    await company.install("T1")
    installed = company.installed()
    slack = Meanwhile(company.slack.api_url, lambda: installed.drop("T1"))
    await installed.renew("T1", slack)
    assert installed.teams() == []
    assert not installed.place("T1").token_file.exists()
