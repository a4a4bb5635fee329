from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_kill_at_any_moment_loses_nothing_and_doubles_nothing() -> None:
    # It forks, which a process with other tests' threads had better not do.
    command = [sys.executable, "-m", "benchmarks.sync", "--kills", "12", "--n", "120"]
    # Tests before this one may have left the working folder out of the path.
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(  # noqa: S603
        command, env=environment, capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    said = done.stdout
    assert "in the index afterwards: 0 missing, 0 too many or as they were" in said
    fetched, embedded = map(int, re.findall(r"at most (\d+)", said))
    assert fetched <= 1, "the one that was being fetched"
    assert embedded <= 64, "those that were being embedded together"
