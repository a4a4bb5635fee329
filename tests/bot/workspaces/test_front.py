from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.bot.conftest import settled
from tests.bot.workspaces.conftest import Company, secret_of
from tests.slack_server import event, mention, slash

ASKED = mention("What is the launch code word?", ts="1.0")


def removed(kind: str = "app_uninstalled", *, at: int = 2**31, **more: Any) -> dict[str, Any]:
    return {**event({"type": kind, **more}, "EvGone"), "event_time": at}


@pytest.mark.slow
@pytest.mark.parametrize(
    "goodbye", [removed(), removed("tokens_revoked", tokens={"bot": ["UBOT"], "oauth": []})]
)
async def test_a_workspace_that_removes_the_app_is_served_no_more_and_keeps_its_data(
    two: Company, goodbye: dict[str, Any]
) -> None:
    await two.deliver("T1", event(ASKED, "Ev1"))
    await settled(two.bots["T1"].bot)
    place, first = two.installed().place("T1"), two.bots["T1"]
    assert (await two.deliver("T1", goodbye)).is_acked
    assert two.front.teams == {"T2"}
    assert not place.token_file.exists()
    assert two.installed().teams() == ["T2"]
    await first._serving
    assert (await two.deliver("T1", event(mention("Hello?", ts="2.0"), "Ev2"))).is_acked
    assert len(two.slack.posted("C1")) == 1
    assert secret_of("T1").encode() in two.kept("T1")
    await two.install("T1")
    await two.bots["T1"].port()
    assert two.bots["T1"].bot.log.count() == 1


@pytest.mark.parametrize(
    "goodbye", [removed(at=1), removed("tokens_revoked", tokens={"oauth": ["U1"]})]
)
async def test_what_was_before_the_app_was_installed_or_is_of_a_person_ends_nothing(
    two: Company, goodbye: dict[str, Any]
) -> None:
    assert (await two.deliver("T1", goodbye)).is_acked
    assert two.front.teams == {"T1", "T2"}


async def test_what_is_of_no_workspace_here_goes_nowhere(two: Company) -> None:
    assert (await two.deliver("T3", event(ASKED, "Ev1"))).is_acked
    assert (await two.deliver("T3", removed())).is_acked
    assert two.front.teams == {"T1", "T2"}
    assert [inside.bot.inbox.counts() for inside in two.bots.values()] == [{}, {}]


async def test_an_event_that_slack_did_not_sign_goes_nowhere(two: Company) -> None:
    body = event(ASKED, "Ev1")
    for key in ("forged", two.bots["T1"].secret):
        assert (await two.slack.deliver(body, secret=key)).status == 401
    assert two.bots["T1"].bot.inbox.counts() == {}


@pytest.mark.parametrize("transport", ["http", "socket"])
async def test_what_a_bot_says_to_an_ack_reaches_who_asked(
    company: Company, transport: str
) -> None:
    await company.open(company.over_socket() if transport == "socket" else None)
    await company.install("T2")
    url = company.slacks["T2"].response_url("r")
    body = slash("/ask", "what is our payload limit", trigger_id="1", url=url)
    delivered = await company.deliver("T2", body)
    assert "what is our payload limit" in str(delivered.payload)


@pytest.mark.slow
async def test_only_who_may_be_is_served_after_a_start(company: Company) -> None:
    first = await company.open()
    for team in ("T1", "T2"):
        await company.install(team)
    await first._end_all()
    gone = company.installed().place("T2").token_file.read_text()
    del company.slack.tokens[gone]
    await company.open()
    assert company.front.teams == {"T1"}
    assert company.installed().teams() == ["T1"]
    await company.front._end_all()
    await company.open(company.settings(allowed_teams=("T2",)))
    assert company.front.teams == set()
    assert company.installed().teams() == ["T1"]


async def test_what_a_bot_does_not_take_slack_is_asked_to_send_again(two: Company) -> None:
    await two.bots["T1"].end()
    assert (await two.deliver("T1", event(ASKED, "Ev1"))).status == 503
    assert (await two.deliver("T2", event(ASKED, "Ev1"))).is_acked


async def test_a_workspace_whose_settings_would_mix_is_not_served_and_others_are(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    await company.open()
    for team in ("T1", "T2"):
        await company.install(team)
    await company.front._end_all()
    (company.installed().place("T1").folder / "whimbrel.toml").write_text('home = "../T2"\n')
    await company.open()
    await asyncio.sleep(0)
    assert company.front.teams == {"T2"}
    assert "not served team=T1" in caplog.text


async def test_a_workspace_that_fails_to_begin_is_told_and_others_are_served(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    await company.open()
    for team in ("T1", "T2"):
        await company.install(team)
    await company.front._end_all()
    place = company.installed().place("T1")
    place.token_file.unlink()
    place.token_file.mkdir()
    await company.open()
    assert company.front.teams == {"T2"}
    assert "not served team=T1" in caplog.text


@pytest.mark.parametrize(
    "goodbye", [removed(), removed("tokens_revoked", tokens={"bot": ["UBOT"], "oauth": []})]
)
async def test_a_workspace_that_is_not_served_has_no_token_once_it_removes_the_app(
    company: Company, goodbye: dict[str, Any]
) -> None:
    first = await company.open()
    for team in ("T1", "T2"):
        await company.install(team)
    await first._end_all()
    await company.open(company.settings(allowed_teams=("T2",)))
    assert (await company.deliver("T1", removed(at=1))).is_acked
    assert company.installed().teams() == ["T1", "T2"]
    assert (await company.deliver("T1", goodbye)).is_acked
    assert company.installed().teams() == ["T2"]
    assert not company.installed().place("T1").token_file.exists()
    assert company.front.teams == {"T2"}
