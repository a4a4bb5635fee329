from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import get_args

import pytest

from bot.admin.learner import LearningProcess
from bot.strings import Strings, strings_for
from retrieval.errors import SettingsError
from retrieval.registry.rounds import PICTURE, Counted, Round, Try, TryState, keep_round, to_line
from retrieval.registry.runs import Facts, folder_of, write_run
from retrieval.settings import Settings
from tests.bot.admin.test_commands import command
from tests.bot.conftest import House, settled
from tests.slack_server import slash

ENGLISH, CHINESE = strings_for("en"), strings_for("zh")

FEW = Try("map", "too_few", "questions", 40, 100)
PNG = b"\x89PNG\r\n"


def learner(folder: Path, program: str) -> LearningProcess:
    """Runs this Python text in the place of `whimbrel`; its arguments are in `sys.argv`."""
    text = f"import os, sys, time\nfrom pathlib import Path\n{textwrap.dedent(program)}"
    return LearningProcess(Settings(home=folder), program=(sys.executable, "-c", text))


def ending(done: Round, *, before: str = "") -> str:
    return f"{before}\nprint({to_line(done)!r})"


def round_of(*tries: Try) -> Round:
    return Round("2026-02-02T03:00:00+00:00", "0123456789abcdef", 30, 130.0, tries)


def tried(folder: Path) -> Try:
    """A try that has left a run with a picture."""
    home = Settings(home=folder).runs_folder
    run = write_run(home, "retriever", Facts("words", "0123", 0, "1"), lambda _: None)
    (folder_of(home, run) / PICTURE).write_bytes(PNG)
    return Try("map", "published", "questions", 120, 100, run.id, "Passed: better.")


async def test_an_admin_sees_the_progress_the_outcome_and_what_the_gate_measured(
    each_transport: House,
) -> None:
    slack, folder = each_transport.slack, each_transport.folder
    slack.users["U1"]["is_admin"] = True
    seen = folder / "seen"
    waits = f"""
        print("epoch 3 of 9", file=sys.stderr, flush=True)
        while not Path({str(seen)!r}).exists(): time.sleep(0.01)
    """
    done = round_of(tried(folder))
    program = ending(done, before=textwrap.dedent(waits))
    bot = await each_transport.enter(each_transport.bot(learner=learner(folder, program)))
    url = slack.response_url("learn")
    await slack.deliver(slash("/whimbrel", "learn", trigger_id="1", url=url))
    await slack.until(lambda: "Learning: epoch 3 of 9" in str(slack.called("chat.update")))
    seen.touch()
    await settled(bot)
    assert "direct messages" in str(slack.responses["learn"])
    shown = slack.posted("D1")[0]["text"]
    assert "Learned from data set `0123456789abcdef` in 2 min" in shown
    assert "*Retriever, by a map*: better, serves now. Passed: better." in shown
    assert list(slack.uploads.shared["D1"].values()) == [PNG]


async def test_not_enough_yet_is_told_with_how_much_is_missing(house: House) -> None:
    house.slack.users["U1"] |= {"is_admin": True, "locale": "zh-CN"}
    program = ending(round_of(FEW), before="assert '--dry-run' in sys.argv")
    bot = await house.enter(house.bot(learner=learner(house.folder, program)))
    await command(house, bot, "learn dry")
    assert "还差 60 个：有对应段落的问题 40 / 100" in house.slack.posted("D1")[0]["text"]
    assert house.slack.uploads.shared == {}


async def test_a_round_that_fails_says_why_and_keeps_its_words_in_a_file(house: House) -> None:
    house.slack.users["U1"]["is_admin"] = True
    program = "sys.exit('whimbrel: a round of <learning> is going on')"
    bot = await house.enter(house.bot(learner=learner(house.folder, program)))
    await command(house, bot, "learn")
    said = house.slack.posted("D1")[0]["text"]
    assert "what answers now has not changed. a round of &lt;learning&gt; is going on (id" in said
    assert "going on" in (house.folder / "models" / "learn.log").read_text()


async def test_learning_is_told_nothing_of_slacks_tokens(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.slack.users["U1"]["is_admin"] = True
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-secret")
    program = ending(round_of(FEW), before="assert not [n for n in os.environ if 'SLACK' in n]")
    bot = await house.enter(house.bot(learner=learner(house.folder, program)))
    await command(house, bot, "learn")
    assert "60 more needed" in house.slack.posted("D1")[0]["text"]


async def test_who_comes_second_is_told_that_learning_goes_on(house: House) -> None:
    slack, end = house.slack, house.folder / "end"
    slack.users |= {"U1": {"is_admin": True}, "U2": {"is_admin": True}}
    waits = f"while not Path({str(end)!r}).exists(): time.sleep(0.01)"
    program = ending(round_of(FEW), before=waits)
    bot = await house.enter(house.bot(learner=learner(house.folder, program)))
    url = slack.response_url("first")
    await slack.deliver(slash("/whimbrel", "learn", trigger_id="1", url=url))
    await slack.until(lambda: len(slack.posted("D1")) == 1)
    url = slack.response_url("second")
    await slack.deliver(slash("/whimbrel", "learn", trigger_id="2", url=url, user="U2"))
    await slack.until(lambda: bool(slack.responses["second"]))
    assert "I am learning already" in str(slack.responses["second"])
    end.touch()
    await settled(bot, done=2)


async def test_a_restart_ends_the_round_and_begins_again_in_the_same_message(house: House) -> None:
    slack, folder = house.slack, house.folder
    slack.users["U1"]["is_admin"] = True
    note = folder / "ended"
    endless = f"""
        import signal
        signal.signal(signal.SIGTERM, lambda *_: (Path({str(note)!r}).touch(), sys.exit(143)))
        print("endless", file=sys.stderr, flush=True)
        while True: time.sleep(0.01)
    """
    async with house.bot(learner=learner(folder, endless), grace_s=0):
        url = slack.response_url("learn")
        await slack.deliver(slash("/whimbrel", "learn", trigger_id="1", url=url))
        await slack.until(lambda: "Learning: endless" in str(slack.called("chat.update")))
    assert note.exists()
    program = ending(round_of(FEW))
    bot = await house.enter(house.bot(learner=learner(folder, program)))
    await settled(bot)
    (message,) = slack.posted("D1")
    assert "60 more needed" in message["text"]


async def test_the_status_tells_of_the_last_round(house: House) -> None:
    keep_round(Settings(home=house.folder).runs_folder, round_of(FEW))
    bot = await house.start()
    said = await command(house, bot, "status")
    assert "Last learned 2026-02-02 03:00 UTC. Retriever, by a map: not enough yet." in said


async def test_a_schedule_without_anybody_to_tell_is_refused(house: House) -> None:
    with pytest.raises(SettingsError, match="SLACK_LEARN_AT needs SLACK_ADMINS"):
        await house.start(settings=house.settings(learn_at="03:00"))


@pytest.mark.parametrize("strings", [ENGLISH, CHINESE])
def test_every_outcome_has_words_in_every_language(strings: Strings) -> None:
    assert set(get_args(TryState)) == strings.learning.outcomes.keys()
    assert set(get_args(Counted)) == strings.learning.counted.keys()
