from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from training.commands.train import train


def test_votes_teach_a_generator_only_when_somebody_insists(tmp_path: Path) -> None:
    done = CliRunner().invoke(train, ["generator", str(tmp_path), "--method", "kto"])
    assert done.exit_code == 2
    assert "--even-if-it-learns-to-refuse" in done.output
