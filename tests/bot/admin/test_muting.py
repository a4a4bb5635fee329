from __future__ import annotations

import pytest

from bot.admin.muting import read_duration, write_duration
from bot.strings import strings_for
from tests.bot.admin.test_commands import command
from tests.bot.conftest import House

ENGLISH, CHINESE = strings_for("en"), strings_for("zh")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", 3_600), ("off", 0), ("30m", 1_800), ("2 hours", 7_200), ("1d", 86_400), ("2小时", 7_200)],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: int) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["soon", "0m", "-1h", "999999d", "2h 30m", "1.5h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        read_duration(text)


def test_durations_are_written_in_the_largest_unit_that_fits() -> None:
    assert write_duration(90 * 60, ENGLISH) == "90 min"
    assert write_duration(48 * 3_600, CHINESE) == "2 天"


async def test_an_admin_can_mute_a_channel_and_end_it(house: House) -> None:
    house.slack.users["U1"]["is_admin"] = True
    bot = await house.start()
    assert "for 2 h" in await command(house, bot, "mute 2h")
    assert bot.channels.is_muted("C1")
    assert "again" in await command(house, bot, "mute off", done=2)
    assert not bot.channels.is_muted("C1")
    assert "did not understand" in await command(house, bot, "mute forever", done=3)
