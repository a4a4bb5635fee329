from __future__ import annotations

from collections.abc import Iterator

import pytest

from retrieval.errors import EndpointError
from retrieval.index.searcher import rerank
from retrieval.records import Hit, Passage
from retrieval.search.reranking import Reranker, load_reranker
from retrieval.settings import Settings
from tests.endpoint_server import EndpointServer, Fault
from tests.fakes import passage

PASSAGES = [passage("Leave", "x" * n) for n in range(1, 71)]


@pytest.fixture
def server() -> Iterator[EndpointServer]:
    with EndpointServer() as server:
        yield server


def reranker_of(server: EndpointServer) -> Reranker:
    reranker = load_reranker(Settings(reranker=f"{server.url}/rerank#tiny"))
    assert reranker is not None
    return reranker


@pytest.mark.parametrize("is_tei", [False, True])
def test_scores_come_in_the_order_of_the_passages(server: EndpointServer, is_tei: bool) -> None:
    server.is_tei = is_tei
    reranker = reranker_of(server)
    assert reranker.id == "tiny@endpoint"
    expected = [float(len(each.indexed_text)) for each in PASSAGES]
    assert reranker.scores("Which?", PASSAGES) == expected
    assert reranker.scores("Which?", PASSAGES[:2]) == expected[:2]
    assert reranker.scores("Which?", []) == []
    assert server.requests[-1][0] == "/rerank"


def test_a_path_that_names_no_reranker_is_completed(server: EndpointServer) -> None:
    reranker = load_reranker(Settings(reranker=f"{server.url}/v1"))
    assert reranker is not None
    reranker.scores("Which?", PASSAGES[:1])
    assert server.requests[-1][0] == "/v1/rerank"


def test_hits_keep_their_order_where_the_endpoint_fails(server: EndpointServer) -> None:
    reranker = reranker_of(server)
    server.faults.append(Fault("status", 404))
    hits = [Hit(each, 1.0) for each in PASSAGES[:3]]
    assert rerank(reranker, "Which?", hits) == hits
    best: Passage = rerank(reranker, "Which?", hits)[0].passage
    assert best == PASSAGES[2]


def test_a_passage_without_a_score_is_told(server: EndpointServer) -> None:
    server.faults.append(Fault("status", 403))
    with pytest.raises(EndpointError, match="WHIMBREL_RERANKER_KEY"):
        reranker_of(server).scores("Which?", PASSAGES)
