from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.app.process import has_ended, new_owner

OWNER = "from bot.app.process import new_owner; print(new_owner(), flush=True); input()"

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")


@contextmanager
def another() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process of this host, and the name of a worker in it."""
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.kill()


def test_a_process_has_ended_once_it_is_killed_even_if_nobody_has_taken_note() -> None:
    with another() as (process, owner):
        assert not has_ended(owner)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
        assert has_ended(owner)
        process.wait()
        assert has_ended(owner)


def test_a_process_with_the_same_id_is_another_one_if_it_began_at_another_time() -> None:
    host, pid, start, token = new_owner().split("/")
    assert not has_ended(f"{host}/{pid}/{start}/{token}")
    assert has_ended(f"{host}/{pid}/{int(start) - 1}/{token}")


@pytest.mark.parametrize(
    "owner", ["other-boot:pid:[1]/1/1/a", "host:?/1/1/a", "laptop:99999999:ab12", "w1", ""]
)
def test_of_processes_of_another_host_or_release_nobody_knows(owner: str) -> None:
    assert not has_ended(owner)
