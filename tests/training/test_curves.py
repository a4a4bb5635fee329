from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.curves import save_losses


@pytest.mark.parametrize("losses", [[0.5, 0.25], {"sft": [0.5, 0.25], "dpo": [0.125]}])
def test_losses_are_kept_as_they_are_and_drawn(
    tmp_path: Path, losses: list[float] | dict[str, list[float]]
) -> None:
    save_losses(tmp_path, losses, unit="step")
    assert json.loads((tmp_path / "losses.json").read_text()) == losses
    assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")
