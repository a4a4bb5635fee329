from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from bot.admin.admin_cards import changes_card
from bot.strings import strings_for
from retrieval.errors import BusyError, RetrievalError, UnreadableError
from retrieval.index.building import IndexReport
from retrieval.index.changes import Changes, compare
from retrieval.progress import Progress
from retrieval.records import Failure
from tests.bot.admin.test_commands import command
from tests.bot.admin.test_report import source
from tests.bot.conftest import House, settled
from tests.fakes import index_report
from tests.slack_server import WAIT_S, Fault, slash

CHANGES = Changes(
    added=tuple(f"docs/{n:02}.md" for n in range(12)),
    changed=("docs/leave.md",),
    removed=("docs/<old>.md",),
    unchanged=40,
)


class SlowReindexer:
    """Reports one step and waits until the bot has shown it."""

    def __init__(self, house: House) -> None:
        self._house = house

    def __call__(self, *, full: bool, on_progress: Progress) -> IndexReport:
        assert full
        on_progress("embedding", 3, 9)
        while "3 of 9" not in str(self._house.slack.called("chat.update")):
            on_progress("embedding", 3, 9)
        scan = replace(source("docs/scan.pdf", "2026-01-01"), gaps=("1 of 2 pages holds no text",))
        return index_report(CHANGES, [Failure("docs/bad.pdf", "is empty")], [scan])


class FailingReindexer:
    def __init__(self, error: RetrievalError) -> None:
        self._error = error

    def __call__(self, *, full: bool, on_progress: Progress) -> IndexReport:
        del full, on_progress
        raise self._error


class GatedReindexer:
    def __init__(self) -> None:
        self.gate = threading.Event()

    def __call__(self, *, full: bool, on_progress: Progress) -> IndexReport:
        del full, on_progress
        self.gate.wait(WAIT_S)
        return index_report(Changes())


async def test_an_admin_sees_the_progress_in_one_message_and_what_changed(
    each_transport: House,
) -> None:
    slack = each_transport.slack
    slack.users["U1"]["is_admin"] = True
    bot = each_transport.bot(reindexer=SlowReindexer(each_transport))
    await each_transport.enter(bot)
    assert "direct messages" in await command(each_transport, bot, "reindex full")
    (message,) = slack.posted("D1")
    assert "Reindexing: embedded 3 of 9" in [c["text"] for c in slack.called("chat.update")]
    assert message["text"].startswith("Reindexing is done in 12 s: 12 new, 1 changed, 1 gone")
    shown = str(message["blocks"])
    for words in ("• docs/09.md", "… and 2 more", "• docs/&lt;old&gt;.md", "bad.pdf (is empty)"):
        assert words in shown
    assert "scan.pdf (1 of 2 pages holds no text)" in shown
    assert "53 read, 1 read in part, 1 could not be read, 2 left out (2 .png)" in shown
    assert "docs/10.md" not in shown


def test_what_is_not_for_everybody_is_counted_and_not_named() -> None:
    before = [replace(source("hr/Old.md", "2026-01-01"), audience="hr")]
    plan = replace(source("hr/Plan.md", "2026-01-01"), audience="hr", gaps=("a gap",))
    changes = compare(before, [plan, source("docs/leave.md", "2026-01-01")])
    card = changes_card("Done.", changes, strings_for("en"), partial=[plan])
    said = str([block.to_dict() for block in card.blocks])
    assert "docs/leave.md" in said
    assert "Plan" not in said
    assert "Old" not in said
    assert said.count("1 more") == 3


async def test_the_settings_can_make_somebody_an_admin(house: House, tmp_path: Path) -> None:
    (tmp_path / "a.md").touch()
    bot = await house.start(settings=house.settings(admins=("U1",)))
    await command(house, bot, "reindex")
    assert "1 changed" in house.slack.posted("D1")[0]["text"]


async def test_a_failed_reindexing_says_why(house: House) -> None:
    house.slack.users["U1"]["is_owner"] = True
    error = UnreadableError("the folder handbook does not exist")
    bot = await house.enter(house.bot(reindexer=FailingReindexer(error)))
    await command(house, bot, "reindex")
    assert "the folder handbook does not exist" in house.slack.posted("D1")[0]["text"]


async def test_who_comes_second_is_told_that_reindexing_goes_on(house: House) -> None:
    house.slack.users |= {"U1": {"is_admin": True}, "U2": {"is_admin": True}}
    reindexer = GatedReindexer()
    bot = await house.enter(house.bot(reindexer=reindexer))
    url = house.slack.response_url("first")
    await house.slack.deliver(slash("/whimbrel", "reindex", trigger_id="1", url=url))
    await house.slack.until(lambda: len(house.slack.posted("D1")) == 1)
    url = house.slack.response_url("second")
    await house.slack.deliver(slash("/whimbrel", "reindex", trigger_id="2", url=url, user="U2"))
    await house.slack.until(lambda: bool(house.slack.responses["second"]))
    assert "reindexed already" in house.slack.responses["second"][0]["text"]
    reindexer.gate.set()
    await settled(bot, done=2)
    assert house.slack.posted("D2") == []


async def test_another_process_that_builds_the_index_is_told_of(house: House) -> None:
    house.slack.users["U1"]["is_admin"] = True
    bot = await house.enter(house.bot(reindexer=FailingReindexer(BusyError("is being built"))))
    await command(house, bot, "reindex")
    assert "reindexed already" in house.slack.posted("D1")[0]["text"]


@pytest.mark.slow
async def test_progress_that_slack_does_not_take_breaks_nothing_off(house: House) -> None:
    house.slack.users["U1"]["is_admin"] = True
    house.slack.fail("chat.update", *[Fault("broken")] * 4)
    bot = await house.enter(house.bot(reindexer=SlowReindexer(house)))
    await command(house, bot, "reindex full")
    assert "Reindexing is done" in house.slack.posted("D1")[0]["text"]
