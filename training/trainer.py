"""What the trainers of transformers have in common: checkpoints, and processes that share work."""

from __future__ import annotations

import os
from pathlib import Path

STATE = "trainer_state.json"
"""The last file of a checkpoint to be written: without it the checkpoint is not whole."""


def last_whole(folder: Path) -> str | None:
    """The last checkpoint in a folder that was written to its end."""
    whole = [state.parent for state in folder.glob(f"checkpoint-*/{STATE}")]
    return str(max(whole, key=lambda path: int(path.name.partition("-")[2]))) if whole else None


def is_helper() -> bool:
    """Whether this process only shares the work of another, which keeps what comes out of it."""
    return int(os.environ.get("RANK", "0")) > 0
