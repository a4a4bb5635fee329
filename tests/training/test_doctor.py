from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.registry.rounds import Round, keep_round
from retrieval.settings import Settings
from training.doctor import checks


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHIMBREL_HOME", str(tmp_path))
    return tmp_path


def test_it_says_what_can_be_learned_and_when_the_last_round_was(home: Path) -> None:
    keep_round(
        Settings(home=home).runs_folder, Round("2026-02-02T03:00:00+00:00", "0123", 0, 1.0, ())
    )
    extra, learning = checks()
    assert (extra.state, "peft" in extra.found) == ("ok", True)
    assert (learning.state, "on 2026-02-02" in learning.found) == ("ok", True)


def test_a_setting_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHIMBREL_LEARN_MINUTES", "soon")
    *_, learning = checks()
    assert (learning.state, "WHIMBREL_LEARN_MINUTES" in learning.mend) == ("missing", True)
