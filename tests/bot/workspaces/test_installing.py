from __future__ import annotations

import pytest

from tests.bot.workspaces.conftest import Company
from tests.slack_server import Fault


async def test_who_agrees_on_slacks_page_is_served_from_then_on(company: Company) -> None:
    await company.open()
    status, page = await company.install("T1")
    assert status == 200
    assert "Thank you" in page
    assert company.front.teams == {"T1"}
    place = company.installed().place("T1")
    assert place.token_file.read_text() in company.slack.tokens
    files = [place.token_file, company.home / "installations.db"]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]


async def test_what_was_not_begun_in_the_same_browser_is_refused(company: Company) -> None:
    await company.open()
    _, _, state = await company.get("install")
    _, _, other = await company.get("install")
    code = company.slack.consent("T2")
    tried: list[dict[str, str]] = [
        {"code": code},
        {"code": code, "state": state},
        {"code": code, "state": "made-up", "cookie": "made-up"},
        {"code": code, "state": state, "cookie": other},
        {"state": state, "cookie": state},
    ]
    statuses = [(await company.get("oauth_redirect", **query))[0] for query in tried]
    assert statuses == [400, 400, 401, 400, 401]
    assert company.front.teams == set()
    assert company.slack.called("oauth.v2.access") == []


async def test_a_state_is_good_for_one_installation(company: Company) -> None:
    await company.open()
    _, _, state = await company.get("install")
    for code, wanted in ((company.slack.consent("T1"), 200), (company.slack.consent("T2"), 401)):
        status, _, _ = await company.get("oauth_redirect", code=code, state=state, cookie=state)
        assert status == wanted
    assert company.front.teams == {"T1"}


async def test_who_is_not_allowed_is_refused_and_the_token_revoked(company: Company) -> None:
    await company.open(company.settings(allowed_teams=("T1",)))
    status, page = await company.install("T2")
    assert (status, company.front.teams) == (403, set())
    assert "T2 is not among those" in page
    assert len(company.slack.revoked) == 1
    assert company.installed().teams() == []
    assert (await company.install("T1"))[0] == 200


@pytest.mark.parametrize("team", [None, "T1"])
async def test_a_whole_organisation_is_refused_clearly(company: Company, team: str | None) -> None:
    await company.open()
    status, page = await company.install(team, enterprise="E1", is_for_all=True)
    assert (status, company.front.teams) == (403, set())
    assert "not in a whole organisation" in page
    assert len(company.slack.revoked) == 1


async def test_a_workspace_of_an_organisation_is_one_like_any_other(company: Company) -> None:
    await company.open()
    assert (await company.install("T1", enterprise="E1"))[0] == 200
    assert company.front.teams == {"T1"}


async def test_nothing_secret_is_logged_of_what_goes_well_or_wrong(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await company.open(company.settings(allowed_teams=("T1",)))
    await company.install("T1")
    await company.install("T2")
    _, _, state = await company.get("install")
    company.slack.fail("oauth.v2.access", Fault("broken"))
    await company.get("oauth_redirect", code="code-of-nobody", state=state, cookie=state)
    secrets = ["code-", "-secret", "client-shh", state]
    assert [secret for secret in secrets if secret in caplog.text] == []


async def test_when_slack_does_not_answer_it_can_be_tried_again(company: Company) -> None:
    await company.open()
    _, _, state = await company.get("install")
    company.slack.fail("oauth.v2.access", *[Fault("dropped")] * 9)
    status, _, _ = await company.get("oauth_redirect", code="c", state=state, cookie=state)
    assert status == 503
