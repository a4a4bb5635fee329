"""The program that shows what threads look like, on a handful of sentences."""

from __future__ import annotations

import pytest

from bot.store.channels import ChannelConfig
from examples.rendering import render
from examples.threads import Stage, play
from tests.bot.conftest import House


async def test_every_interaction_of_the_program_is_shown(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    bot = await house.start()
    bot.channels.set("C1", ChannelConfig(experts=("U7",)), by="U7")
    await play(Stage(house.slack, bot))
    shown = capsys.readouterr().out
    assert "Every employee has 30 days of paid leave a year. [1]" in shown
    assert "[ Why this answer? ]" in shown
    assert "[ What was wrong? ]" in shown
    assert "@Ines" in shown
    assert "Asked in private and shared here" in shown
    assert "[删除]" in shown


def test_links_and_people_are_shown_by_their_names() -> None:
    section = {
        "type": "section",
        "text": {"type": "mrkdwn", "text": "<@U1> see *<https://a.example/b|A &amp; B>*"},
    }
    assert render({"blocks": [section]}, {"U1": "Mara"}) == ["@Mara see A & B"]


def test_a_block_that_nobody_knows_how_to_show_is_not_left_out() -> None:
    with pytest.raises(ValueError, match="hologram"):
        render({"blocks": [{"type": "hologram"}]}, {})
