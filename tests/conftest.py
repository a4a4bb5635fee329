"""What takes long to make and every test may share."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.models.catalogue import resolve


@pytest.fixture(scope="session")
def models_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose default embedder is unpacked."""
    home = tmp_path_factory.mktemp("models-home")
    resolve("multilingual-e5-small", models_folder=home / "models")
    return home
