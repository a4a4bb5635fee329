from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import EndpointError, IndexMismatchError
from retrieval.index.building import update_index
from retrieval.index.generation import load_index
from retrieval.search.embedding import Embedder, configured
from retrieval.search.remote_embedding import BATCH
from retrieval.settings import Settings
from tests.endpoint_server import EndpointServer, Fault

NAME = "intfloat/multilingual-e5-small"


@pytest.fixture
def server() -> Iterator[EndpointServer]:
    with EndpointServer() as server:
        server.dimension = 8
        yield server


def embedder_of(server: EndpointServer) -> Embedder:
    return configured(Settings(embedder=f"{server.url}/v1#{NAME}"))


def sent(server: EndpointServer) -> list[list[str]]:
    return [body["input"] for path, body, _ in server.requests if path.endswith("/embeddings")]


def test_texts_are_sent_in_batches_with_the_prefixes_of_the_model(server: EndpointServer) -> None:
    embedder, done = embedder_of(server), list[int]()
    texts = [f"text {n}" for n in range(2 * BATCH + 1)]
    vectors = embedder.embed_passages(texts, on_batch=done.append)
    assert vectors.shape == (len(texts), 8)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert sorted(len(batch) for batch in sent(server)[1:]) == [1, BATCH, BATCH]
    assert done[-1] == len(texts)
    assert {text for batch in sent(server)[1:] for text in batch} == {
        f"passage: {text}" for text in texts
    }
    alone = embedder.embed_passages([texts[20]])
    assert np.allclose(alone[0], vectors[20])
    embedder.embed_query("How many?")
    assert sent(server)[-1] == ["query: How many?"]


def test_no_texts_ask_for_nothing(server: EndpointServer) -> None:
    assert embedder_of(server).embed_passages([]).shape == (0, 8)
    assert len(sent(server)) == 1


def test_a_text_that_is_too_long_is_cut_here(server: EndpointServer) -> None:
    embedder_of(server).embed_query("days " * 4_000)
    assert 512 < len(sent(server)[-1][0]) < 5 * 512 + 20


def test_an_index_knows_its_embedder_wherever_that_is_served(
    server: EndpointServer, tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "leave.md").write_text("# Leave\n\nThere are 27 days of leave.\n")
    settings = Settings(home=tmp_path / "home")
    update_index([tmp_path / "docs"], settings, embedder_of(server))
    with EndpointServer() as other:
        other.dimension = 8
        moved = embedder_of(other)
        assert moved.id == f"{NAME}@endpoint"
        assert load_index(settings.index_folder, moved).passages
        other.dimension = 4
        with pytest.raises(IndexMismatchError):
            load_index(settings.index_folder, embedder_of(other))


def test_an_endpoint_without_vectors_is_told(server: EndpointServer) -> None:
    server.faults.append(Fault("no-stream"))
    server.dimension = 0
    with pytest.raises(EndpointError, match="vector"):
        embedder_of(server)
