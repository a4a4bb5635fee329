"""Tests of searching with both legs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.documents.splitting import SPLITTER_VERSION, split
from retrieval.index.content import Content
from retrieval.index.generation import load_index, write_generation
from retrieval.index.manifest import Recipe
from retrieval.index.memory import Index
from retrieval.index.searcher import Searcher, lowered
from retrieval.records import PUBLIC, Hit
from retrieval.registry.folders import publish
from retrieval.search.reranking import Reranker
from tests.retrieval.documents_by_hand import document_from_text
from tests.retrieval.word_embedder import WordEmbedder

WORDS = ("leave", "salary", "printer", "travel", "incident", "年假", "工资", "报销")
LABELS = (PUBLIC, "hr", "board")
TEXTS = st.lists(
    st.tuples(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5), st.sampled_from(LABELS)),
    max_size=12,
)
HANDBOOK = [
    ("Employees have thirty days of paid leave.", PUBLIC),
    ("The printer on the second floor is called Heron.", PUBLIC),
    ("Engineers' salary bands are secret.", "hr"),
    ("员工每年有十五天年假。", PUBLIC),
    ("报销差旅费用需要发票。", PUBLIC),
]


def build(folder: Path, texts: list[tuple[str, str]], titles: Sequence[str] = ()) -> Index:
    embedder = WordEmbedder()
    documents = [
        document_from_text(str(n), title, text, audience=label)
        for n, (title, (text, label)) in enumerate(
            zip(titles or [""] * len(texts), texts, strict=True)
        )
    ]
    passages = [
        passage
        for document in documents
        for passage in split(document, token_spans=embedder.token_spans, max_tokens=99)
    ]
    vectors = embedder.embed_passages([passage.indexed_text for passage in passages])
    content = Content([document.source for document in documents], passages, (), vectors)
    recipe = Recipe(embedder.id, embedder.revision, SPLITTER_VERSION, 99, {})
    manifest = write_generation(folder, content, recipe=recipe, roots=(), embedder=embedder)
    publish(folder, manifest.name)
    return load_index(folder, embedder)


@pytest.fixture(scope="module")
def handbook(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return build(tmp_path_factory.mktemp("handbook"), HANDBOOK)


def texts_of(hits: list[Hit]) -> list[str]:
    return [hit.passage.text for hit in hits]


@pytest.mark.parametrize(
    ("query", "best"), [("paid leave", 0), ("where is the printer", 1), ("有几天年假", 3)]
)
def test_the_passage_that_answers_comes_first(handbook: Index, query: str, best: int) -> None:
    hits = Searcher(handbook, WordEmbedder()).search(query)
    assert hits[0].passage.text == HANDBOOK[best][0]
    assert (hits[0].dense_rank, hits[0].lexical_rank) == (1, 1)


def test_hits_are_distinct_ordered_and_at_most_k(handbook: Index) -> None:
    hits = Searcher(handbook, WordEmbedder()).search("the leave of the printer", k=3)
    assert len({hit.passage.id for hit in hits}) == 3
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_query_of_unknown_words_has_no_lexical_hits(handbook: Index) -> None:
    hits = Searcher(handbook, WordEmbedder()).search("quantum")
    assert all(hit.lexical is None and hit.lexical_rank is None for hit in hits)


def test_what_the_audience_may_not_see_is_not_found(handbook: Index) -> None:
    searcher = Searcher(handbook, WordEmbedder())
    assert "secret" not in " ".join(texts_of(searcher.search("engineers salary")))
    hits = searcher.search("engineers salary", audience=frozenset({PUBLIC, "hr"}))
    assert "secret" in hits[0].passage.text


def test_only_documents_with_the_wanted_beginnings_are_searched(handbook: Index) -> None:
    searcher = Searcher(handbook, WordEmbedder())
    wanted = {HANDBOOK[1][0], HANDBOOK[4][0]}
    assert set(texts_of(searcher.search("paid leave", sources=["1", "4"]))) == wanted
    assert searcher.search("engineers salary", sources=["2"]) == []
    assert searcher.search("paid leave", sources=["nowhere/"]) == []


def test_an_outdated_document_lets_three_passages_of_others_go_before_it(handbook: Index) -> None:
    searcher = Searcher(handbook, WordEmbedder())
    first, *others = searcher.search("paid leave")
    outdated = {first.passage.source.id: first.passage.source.sha256}
    hits = searcher.search("paid leave", outdated=outdated)
    assert hits == [*others[:3], first, *others[3:]]
    assert searcher.search("paid leave", k=3, outdated=outdated) == others[:3]


def test_several_passages_of_outdated_documents_keep_their_order(handbook: Index) -> None:
    found = Searcher(handbook, WordEmbedder()).search("paid leave")
    a, b, c, d = found[:4]
    outdated = {hit.passage.source.id: hit.passage.source.sha256 for hit in (a, c)}
    assert lowered([a, b, c, d, *found[4:]], outdated) == [b, d, *found[4:5], a, c, *found[5:]]


def test_a_document_that_has_changed_since_it_was_called_outdated_stands_as_before(
    handbook: Index,
) -> None:
    searcher = Searcher(handbook, WordEmbedder())
    hits = searcher.search("paid leave")
    old = {hits[0].passage.source.id: "what it was"}
    assert searcher.search("paid leave", outdated=old) == hits


def test_nothing_that_the_audience_may_not_see_comes_in_because_something_is_outdated(
    handbook: Index,
) -> None:
    searcher = Searcher(handbook, WordEmbedder())
    seen = searcher.search("engineers salary")
    outdated = {hit.passage.source.id: hit.passage.source.sha256 for hit in seen}
    assert set(texts_of(searcher.search("engineers salary", outdated=outdated))) == set(
        texts_of(seen)
    )


def test_nobody_sees_anything(handbook: Index) -> None:
    assert Searcher(handbook, WordEmbedder()).search("leave", audience=frozenset()) == []


@settings(max_examples=20)
@given(TEXTS, st.sets(st.sampled_from(LABELS)), st.sampled_from(WORDS))
def test_forbidden_passages_never_show_nor_move_what_is_shown(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[list[str], str]],
    audience: set[str],
    query: str,
) -> None:
    texts = [(" ".join(chosen), label) for chosen, label in drawn]
    allowed = [(text, label) for text, label in texts if label in audience]
    found = [
        Searcher(build(tmp_path_factory.mktemp("index"), each), WordEmbedder()).search(
            query, k=50, audience=frozenset(audience)
        )
        for each in (texts, allowed)
    ]
    assert all(hit.passage.source.audience in audience for hit in found[0])
    for leg in ("dense", "lexical", "score"):
        values = [
            sorted((hit.passage.text, getattr(hit, leg) or 0.0) for hit in hits) for hits in found
        ]
        assert [text for text, _ in values[0]] == [text for text, _ in values[1]]
        assert np.allclose([v for _, v in values[0]], [v for _, v in values[1]], atol=1e-5)


def test_a_reranker_has_the_last_word(handbook: Index, cross_encoder: Path) -> None:
    reranker = Reranker(str(cross_encoder), device="cpu")
    hits = Searcher(handbook, WordEmbedder(), reranker=reranker).search("leave", k=3)
    scores = reranker.scores("leave", [hit.passage for hit in hits])
    assert [hit.score for hit in hits] == pytest.approx(sorted(scores, reverse=True), abs=1e-4)
    assert [hit.reranker for hit in hits] == [hit.score for hit in hits]
    assert reranker.scores("leave", []) == []


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny cross-encoder with random weights."""
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    folder = tmp_path_factory.mktemp("cross-encoder")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "leave", "paid", "days", "the"]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizer(str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    config.num_labels = 1
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


class Speller(WordEmbedder):
    """Knows no word as one that is longer than four letters, unless it is right."""

    def pieces(self, word: str) -> int:
        return 1 if word in {"leave", "printer", "salary"} else 1 + len(word) // 5


def test_typing_errors_are_mended_before_both_legs_search(tmp_path: Path) -> None:
    index = build(tmp_path, HANDBOOK)
    searcher = Searcher(index, Speller())
    assert searcher.mended("the prniter") == "the printer"
    found = searcher.search("the prniter")
    assert found == searcher.search("the printer")


def test_nothing_is_mended_by_words_that_the_audience_may_not_see(tmp_path: Path) -> None:
    index = build(tmp_path, HANDBOOK)
    searcher = Searcher(index, Speller())
    assert searcher.mended("my salarry") == "my salarry"
    assert searcher.mended("my salarry", audience=frozenset({PUBLIC, "hr"})) == "my salary"
    assert searcher.mended("my salarry", audience=frozenset({"hr"}), sources=["0"]) == "my salarry"


def test_the_newer_version_of_a_document_goes_before_the_older(tmp_path: Path) -> None:
    texts = [("Paid leave is 20 days.", PUBLIC), ("Leave is paid, for 25 working days.", PUBLIC)]
    index = build(tmp_path, texts, titles=("Leave 2023", "Leave 2025"))
    searcher = Searcher(index, WordEmbedder())
    assert "25" in searcher.search("paid leave is how many days")[0].passage.text
    assert "20" in searcher.search("paid leave is how many days 2023")[0].passage.text
