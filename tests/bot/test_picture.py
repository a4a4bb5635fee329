"""The picture of two questions in Slack, drawn from the bot's own messages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bot.store.channels import ChannelConfig
from examples.picture import THEMES, Post, Thread, measure, photograph, picture, wrapped
from examples.rendering import pieces, runs
from examples.threads import NAMES, Stage
from tests.bot.conftest import House

ROOT = Path(__file__).parent.parent.parent
IMAGES = ROOT / "docs" / "images"


async def taken(house: House) -> list[Thread]:
    """What the bot answers to the picture's questions from a handful of sentences."""
    bot = await house.start()
    bot.channels.set("C1", ChannelConfig(experts=("U7",)), by="U7")
    return await photograph(Stage(house.slack, bot))


def shown(svg: str) -> str:
    """All text of a picture without white space, which may be a line's end."""
    return "".join("".join(ET.fromstring(svg).itertext()).split())  # noqa: S314


@pytest.mark.parametrize("theme", THEMES)
async def test_every_text_of_the_messages_is_in_the_picture(house: House, theme: str) -> None:
    threads = await taken(house)
    text = shown(picture(threads, theme))
    said = [piece for thread in threads for post in thread for piece in pieces(post.message)]
    kinds = {piece.kind for piece in said}
    assert kinds == {"text", "markdown", "context", "buttons", "votes"}
    for mrkdwn in (mrkdwn for piece in said for mrkdwn in piece.texts):
        assert "".join("".join(run.text for run in runs(mrkdwn, NAMES)).split()) in text


@pytest.mark.parametrize(
    "block",
    [
        {"type": "hologram"},
        {"type": "header", "text": {"type": "plain_text", "text": "Only App Home has these"}},
    ],
)
async def test_a_block_that_cannot_be_drawn_is_not_left_out(
    house: House, block: dict[str, object]
) -> None:
    ((question, answer), _) = await taken(house)
    message = answer.message | {"blocks": [*answer.message["blocks"], block]}
    with pytest.raises(ValueError, match=f"{block['type']}"):
        picture([(question, Post(answer.author, answer.time, message))], "light")


@pytest.mark.parametrize("text", ["every word of it " * 20, "电脑丢失或被盗，必须报告。" * 20])
def test_lines_fit_and_lose_no_word(text: str) -> None:
    lines = list(wrapped([list(runs(text, {}))], 15, 300))
    assert all(measure(line, 15) <= 300 for line in lines)
    words = "".join(run.text for line in lines for run in line)
    assert "".join(words.split()) == "".join(text.split())


@pytest.mark.slow
def test_the_committed_pictures_are_what_the_command_draws(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.picture", str(tmp_path)]
    # The program `whimbrel`, once imported, keeps its children out of the working folder.
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)  # noqa: S603
    for theme in THEMES:
        name = f"exchange-{theme}.svg"
        # Processors compute the confidence a little differently.
        drawn, committed = (
            re.sub(r"onfidence \d+%", "onfidence", (folder / name).read_text(encoding="utf-8"))
            for folder in (tmp_path, IMAGES)
        )
        assert drawn == committed
