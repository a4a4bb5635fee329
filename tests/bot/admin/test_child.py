"""A sub-command beside the bot, run in a folder that may be anybody's."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from bot.admin.child import Child, ChildFailedError


@pytest.mark.usefixtures("hostile_folder")
async def test_a_child_imports_nothing_from_the_working_folder(tmp_path: Path) -> None:
    assert "whimbrel" in await Child(tmp_path / "child.log").run("--version")


@pytest.mark.slow
@pytest.mark.usefixtures("hostile_folder")
async def test_nor_do_the_children_of_a_child(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WHIMBREL_HOME", str(tmp_path / "home"))
    with pytest.raises(ChildFailedError, match="No such option"):
        await Child(tmp_path / "child.log").run("learn", "--", "--no-such-option")


async def test_an_outcome_may_hold_what_breaks_a_line_elsewhere(tmp_path: Path) -> None:
    program = (sys.executable, "-c", r"print('first\nthe\u2028out\u0085come')")
    assert await Child(tmp_path / "log", program=program).run() == "the\u2028out\u0085come"


async def test_a_child_has_ended_however_often_its_task_is_cancelled(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    # It takes its time to end, so that the second wish falls into it.
    code = (
        "import os, pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), sys.exit(0)))\n"
        f"pathlib.Path({str(ready)!r}).write_text(str(os.getpid()))\n"
        "time.sleep(60)"
    )
    child = Child(tmp_path / "log", program=(sys.executable, "-c", code))
    running = asyncio.create_task(child.run())
    pid = int(await asyncio.to_thread(ready.read_text))
    running.cancel()
    await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
