from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from urllib.request import build_opener

import pytest

from retrieval.cli import PROGRAM


@pytest.mark.slow
def test_the_command_prints_an_address_that_opens_and_ends_when_told(
    tmp_path: Path, ids: dict[str, str]
) -> None:
    assert ids
    environment = os.environ | {
        "WHIMBREL_HOME": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    command = [*PROGRAM, "dashboard", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603
        assert child.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/enter\?token=\S+", child.stdout.readline())
        assert found is not None
        with pytest.raises(OSError, match="403"), build_opener().open(found[0]):
            pass  # it keeps no cookie, so it is shown nothing
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0
