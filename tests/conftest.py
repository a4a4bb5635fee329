"""What takes long to make and every test may share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from retrieval.models.catalogue import resolve

# Tests are about the models that are installed, wherever a hub can be reached.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def models_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose default embedder is unpacked."""
    home = tmp_path_factory.mktemp("models-home")
    resolve("multilingual-e5-small", models_folder=home / "models")
    return home


@pytest.fixture
def hostile_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder; whoever imports one of its modules fails."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name in ("bot", "retrieval", "training", "json", "click"):
        (folder / f"{name}.py").write_text("raise SystemExit('whimbrel: hostile code ran')\n")
    monkeypatch.chdir(folder)
    return folder
