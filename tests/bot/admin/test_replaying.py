from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from bot.admin.replaying import Replayer
from bot.replay.outcome import ReplayOutcome
from retrieval.settings import Settings
from tests.bot.admin.test_commands import command
from tests.bot.conftest import House, settled
from tests.slack_server import slash

DONE = ReplayOutcome(
    "generator 2026-1a2b3c", 50, 0,
    {"same": 40, "words": 4, "passages": 0, "answered": 5, "silent": 1}, "/srv/replays/1a2b3c",
)  # fmt: skip


def replayer(folder: Path, before: str = "") -> Replayer:
    """Runs this Python text in the place of `whimbrel`; its arguments are in `sys.argv`."""
    text = "import os, sys, time\nfrom pathlib import Path\n" + textwrap.dedent(before)
    text += f"\nprint({DONE.to_line()!r})"
    return Replayer(Settings(home=folder), program=(sys.executable, "-c", text))


async def test_an_admin_sees_the_progress_and_what_would_change(house: House) -> None:
    slack, seen = house.slack, house.folder / "seen"
    slack.users["U1"]["is_admin"] = True
    waits = f"""
        assert sys.argv[1:3] == ["replay", "--json"] and sys.argv[-1] == "1a2b3c", sys.argv
        print("answering 7 of 50", file=sys.stderr, flush=True)
        while not Path({str(seen)!r}).exists(): time.sleep(0.01)
    """
    bot = await house.enter(house.bot(replayer=replayer(house.folder, waits)))
    url = slack.response_url("replay")
    await slack.deliver(slash("/whimbrel", "replay 1A2B3C", trigger_id="1", url=url))
    await slack.until(lambda: "Asking again: answering 7" in str(slack.called("chat.update")))
    seen.touch()
    await settled(bot)
    shown = slack.posted("D1")[0]["text"]
    assert "I asked the last 50 questions again. With generator 2026-1a2b3c" in shown
    assert "• 80% (40) the same answer" in shown
    assert "• 2% (1) no answer where there is one now" in shown


async def test_what_would_change_is_told_in_chinese(house: House) -> None:
    house.slack.users["U1"] |= {"is_admin": True, "locale": "zh-CN"}
    bot = await house.enter(house.bot(replayer=replayer(house.folder)))
    await command(house, bot, "replay 1a2b3c")
    assert "• 10%（5 个）原来没有回答，现在有" in house.slack.posted("D1")[0]["text"]


async def test_a_replay_that_fails_says_why(house: House) -> None:
    house.slack.users["U1"]["is_admin"] = True
    fails = "sys.exit('whimbrel: no single run <x>')"
    bot = await house.enter(house.bot(replayer=replayer(house.folder, fails)))
    await command(house, bot, "replay x")
    assert "Asking again failed. no single run &lt;x&gt; (id" in house.slack.posted("D1")[0]["text"]


async def test_the_name_of_a_run_can_be_no_option_and_no_path(house: House) -> None:
    house.slack.users["U1"]["is_admin"] = True
    seen = house.folder / "seen"
    notes = f"Path({str(seen)!r}).write_text(' '.join(sys.argv[3:]))"
    bot = await house.enter(house.bot(replayer=replayer(house.folder, notes)))
    await command(house, bot, "replay --out=..etc")
    assert seen.read_text() == f"--out {house.folder / 'replays' / 'outetc'} outetc"


async def test_without_a_run_one_is_asked_for(house: House) -> None:
    house.slack.users["U1"]["is_admin"] = True
    bot = await house.enter(house.bot(replayer=replayer(house.folder)))
    said = await command(house, bot, "replay")
    assert "/whimbrel replay RUN" in str(said)
