from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval.index.library import Library
from tests.endpoint_server import EndpointServer
from tests.training.distillation import lamps
from training.distillation.distilling import Distillation


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return lamps.library(tmp_path_factory.mktemp("lamps"))


@pytest.fixture
def server() -> Iterator[EndpointServer]:
    with EndpointServer() as server:
        server.write = lamps.teach
        yield server


@pytest.fixture
def lesson(library: Library, server: EndpointServer, tmp_path: Path) -> Distillation:
    return lamps.distillation(library, server, tmp_path)
