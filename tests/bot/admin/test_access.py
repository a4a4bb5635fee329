from __future__ import annotations

from typing import Any

import pytest

from bot.admin.access import read_arguments
from tests.bot.admin.test_commands import command
from tests.bot.conftest import House

SETTINGS: dict[str, Any] = {
    "channel_audiences": {"C1": ("hr",)},
    "user_audiences": {"U2": ("hr",)},
    "group_audiences": {"people-team": ("hr",)},
    "member_audiences": ("employees",),
}
RESTRICTED = "handbook/Salaries.md"


async def told(house: House, *texts: str, **settings: Any) -> list[str]:
    """What an admin is told, without the marks of code."""
    house.slack.users["U1"]["is_admin"] = True
    bot = await house.start(settings=house.settings(**SETTINGS | settings))
    done = enumerate(texts, start=1)
    return [(await command(house, bot, text, done=n)).replace("`", "") for n, text in done]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), (None, "")),
        (("<@u2|ada>",), ("U2", "")),
        (("<@W2>", "salary", "bands.md"), ("W2", "salary bands.md")),
        (("u0123456789",), ("U0123456789", "")),
        (("usage.md",), (None, "usage.md")),
    ],
)
def test_a_person_comes_before_the_document(
    arguments: tuple[str, ...], expected: tuple[str | None, str]
) -> None:
    assert read_arguments(arguments) == expected


async def test_an_admin_is_told_what_somebody_holds_and_why(house: House) -> None:
    house.slack.groups["S1"] = {"handle": "people-team", "users": ["U3"]}
    house.slack.users["U4"]["is_restricted"] = True
    named, grouped, guest = await told(house, "access <@U2>", "access <@U3|ada>", "access <@U4>")
    assert "hr: named in the settings" in named
    assert "hr: in the user group people-team" in grouped
    assert "employees: for full members" in grouped
    assert "U4, a guest, is not answered in private" in guest


async def test_an_admin_is_told_what_the_channel_holds_and_what_it_would(house: House) -> None:
    house.slack.members["C1"] = ["U1", "U4"]
    house.slack.users["U4"]["is_restricted"] = True
    (text,) = await told(house, "access")
    assert "made from what is for: public." in text
    assert "The settings give this channel employees, hr, too." in text


async def test_an_admin_is_told_why_somebody_may_read_a_document_or_not(house: House) -> None:
    named, other, part = await told(
        house, f"access <@U2> {RESTRICTED}", f"access <@U3> {RESTRICTED}", "access handbook/L"
    )
    assert f"{RESTRICTED} is for hr." in named
    assert "U2 may read it in private: named in the settings." in named
    assert "U3 may not read it in private" in other
    assert "handbook/Leave.md is for public." in part
    assert "U1 may read it in private: for everybody." in part


async def test_a_part_of_an_id_finds_no_document_that_the_admin_may_not_read(
    house: House,
) -> None:
    (text,) = await told(house, "access salar")
    assert "No document that you may read has salar in its id" in text


async def test_nobody_else_is_told_who_may_read_what(house: House) -> None:
    bot = await house.start()
    assert "admin" in await command(house, bot, "access <@U2>")
