"""A company whose own words a retriever can learn, indexed anew for each module of tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.search.embedding import Embedder
from retrieval.settings import Settings
from tests.training import jargon


@pytest.fixture(scope="module")
def model() -> Embedder:
    return Embedder.load(Settings(embedder="all-minilm-l6-v2"))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, model: Embedder) -> Settings:
    return jargon.build(tmp_path_factory.mktemp("jargon"), model)


@pytest.fixture(scope="module")
def dataset(settings: Settings, model: Embedder) -> Path:
    folder = settings.home.parent / "dataset"
    return jargon.write_dataset(folder, settings, model, held_out_every=5)
