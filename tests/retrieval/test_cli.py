"""Tests of what the program says where the system refuses something."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_what_the_system_refuses_is_told_in_one_line_with_its_mend(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("a file")
    done = subprocess.run(
        [sys.executable, "-c", "from retrieval.cli import main; main()", "search", "leave"],
        env=os.environ | {"WHIMBREL_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("whimbrel: ")
    assert done.stderr.endswith("Not a directory; set WHIMBREL_HOME to a folder\n")
