from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bot.admin.child import ChildFailedError
from bot.admin.syncing import RETRY_S, SyncProcess, SyncSchedule, status_lines
from bot.strings import strings_for
from retrieval.settings import Settings, SourceTable
from retrieval.sources.connector import Omission, sources_of
from retrieval.sources.syncing import pull_source
from tests.bot.admin.test_commands import command
from tests.bot.conftest import House
from tests.retrieval.sources.shelf import Shelf

HOUR = 3_600.0


def table(**values: Any) -> SourceTable:
    return SourceTable(**{"kind": "shelf", **values})


def process(home: Path, code: str = "", **sources: SourceTable) -> SyncProcess:
    settings = Settings(home=home, sources=sources)
    return SyncProcess(settings, program=(sys.executable, "-c", code or "print('done')"))


def sync(home: Path, shelf: Shelf, **sources: SourceTable) -> None:
    settings = Settings(home=home, sources=sources)
    for source in sources_of(settings).values():
        pull_source(settings, source, shelf)


def test_a_source_is_due_when_its_time_has_come(tmp_path: Path) -> None:
    runs = process(tmp_path, wiki=table(every="1h"), site=table(every="6h"), other=table())
    assert runs.due(10 * HOUR) == ["wiki", "site"]
    assert runs.due(10.5 * HOUR) == []
    assert runs.due(11 * HOUR) == ["wiki"]
    assert runs.due(16 * HOUR) == ["wiki", "site"]


@pytest.mark.parametrize(("kind", "given"), [("slack", ["SLACK_BOT_TOKEN"]), ("shelf", [])])
async def test_a_sync_is_given_the_bot_s_token_only_if_it_reads_slack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, given: list[str]
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-1")
    monkeypatch.delenv("SLACK_API_URL", raising=False)
    code = (
        "import os, sys; print([n for n in os.environ if n.startswith('SLACK_')], file=sys.stderr)"
        "; print('done')"
    )
    runs = process(tmp_path, code, talk=table(kind=kind))
    await runs.sync(["talk"])
    assert runs.latest() == str(given)


def test_who_has_synced_it_by_hand_has_synced_it(tmp_path: Path) -> None:
    sync(tmp_path, Shelf(), wiki=table(every="1h"))
    runs = process(tmp_path, wiki=table(every="1h"))
    at = (tmp_path / "sources" / "wiki" / "mirror.db").stat().st_mtime
    assert runs.due(at + HOUR / 2) == []
    assert runs.due(at + HOUR * 2) == ["wiki"]


def test_a_source_whose_last_sync_a_clock_put_ahead_is_due(tmp_path: Path) -> None:
    sync(tmp_path, Shelf(), wiki=table(every="1h"))
    at = (tmp_path / "sources" / "wiki" / "mirror.db").stat().st_mtime
    runs = process(tmp_path, wiki=table(every="1h"))
    assert runs.due(at - 1_000 * HOUR) == ["wiki"]
    assert runs.due(at - 1_000 * HOUR + 1) == []
    another = process(tmp_path, wiki=table(every="1h"))
    assert another.due(at - 30) == [], "clocks of workers differ a little"


def test_a_watched_folder_is_due_when_a_file_changes(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("one")
    settings = table(kind="folder", path=str(folder), watch=True)
    runs = process(tmp_path / "home", docs=settings)
    assert runs.has_schedule
    assert runs.due(0) == ["docs"]
    assert runs.due(1) == []
    (folder / "b.md").write_text("two")
    assert runs.due(2) == ["docs"]
    (folder / "a.md").unlink()
    assert runs.due(3) == ["docs"]
    runs.rest(["docs"], 3)
    assert runs.due(4) == []
    assert runs.due(4 + RETRY_S) == ["docs"]


def test_nothing_is_synced_that_has_no_schedule(tmp_path: Path) -> None:
    runs = process(tmp_path, wiki=table())
    assert not runs.has_schedule
    assert runs.due(HOUR) == []


async def test_what_a_sync_says_can_be_followed(tmp_path: Path) -> None:
    code = "import sys; print('wiki: 2 of 3', file=sys.stderr); print(sys.argv[1:])"
    runs = process(tmp_path, code, wiki=table())
    await runs.sync(["wiki"])
    assert runs.latest() == "wiki: 2 of 3"
    assert runs.running == ()


@pytest.mark.parametrize(
    ("line", "is_shown"),
    [
        ("wiki: 2 of 3", True),
        ("hr/Layoffs in May.md: is empty (0 bytes)", False),
        ("hr/Layoffs: 1 of 2", False),
    ],
)
async def test_of_what_a_sync_says_only_how_far_it_is_is_for_everybody(
    tmp_path: Path, line: str, is_shown: bool
) -> None:
    code = f"import sys; print({line!r}, file=sys.stderr); print('done')"
    runs = process(tmp_path, code, wiki=table())
    await runs.sync(["wiki"])
    runs.running = ("wiki",)
    assert (line in "".join(status_lines(runs, strings_for("en")))) == is_shown


def counting(log: Path) -> str:
    return (
        f"import sys; open({str(log)!r}, 'a').write(' '.join(sys.argv[1:]) + chr(10)); sys.exit(1)"
    )


def ticking(*times: float) -> Callable[[], float]:
    """A clock that is asked so often, and then ends who asks."""
    left = iter(times)

    def clock() -> float:
        for at in left:
            return at
        raise asyncio.CancelledError

    return clock


async def test_a_sync_that_fails_is_begun_again_at_its_next_time(tmp_path: Path) -> None:
    runs = process(tmp_path, counting(tmp_path / "log"), wiki=table(every="1h"))
    # It is asked once more where the sync has failed.
    clock = ticking(10 * HOUR, 10 * HOUR, 10.5 * HOUR, 11 * HOUR, 11 * HOUR)
    with suppress(asyncio.CancelledError):
        await SyncSchedule(runs, clock=clock, look_s=0).run()
    assert (tmp_path / "log").read_text().splitlines() == ["sync wiki", "sync wiki"]


async def test_the_status_tells_how_the_last_sync_ended(house: House) -> None:
    shelf = Shelf(left_out=[Omission("b", "secret plan.md", "is for a group that is unknown")])
    shelf.put("a", "one")
    home = house.folder / "home"
    sync(home, shelf, wiki=table())
    bot = house.bot(syncer=process(home, wiki=table(), site=table()))
    await house.enter(bot)
    said = await command(house, bot, "status")
    assert "wiki: synced " in said
    assert "1 new, 0 changed, 0 gone, 1 left out" in said
    assert "site: not synced yet" in said
    assert "secret" not in said


async def test_the_status_of_a_sync_that_broke_tells_everybody_that_it_did(house: House) -> None:
    shelf = Shelf(breaks_after=0)
    shelf.put("a", "one")
    home = house.folder / "home"
    sync(home, shelf, wiki=table())
    bot = await house.enter(house.bot(syncer=process(home, wiki=table())))
    said = await command(house, bot, "status")
    assert "ended early" in said
    assert "the shelf fell down" not in said


async def test_the_bot_syncs_what_is_due(house: House) -> None:
    log = house.folder / "log"
    syncer = process(house.folder / "home", counting(log), wiki=table(every="1h"))
    os.mkfifo(log)  # reading it waits for who writes
    await house.enter(house.bot(syncer=syncer))
    assert await asyncio.to_thread(log.read_text) == "sync wiki\n"


async def test_a_sync_that_cannot_begin_is_told(tmp_path: Path) -> None:
    runs = process(tmp_path, "import sys; print('busy', file=sys.stderr); sys.exit(1)")
    with pytest.raises(ChildFailedError, match="busy"):
        await runs.sync([])
