"""Tests of finding out which languages an embedder knows."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from retrieval.documents.splitting import split
from retrieval.language import language_of
from retrieval.records import Passage, Vectors
from retrieval.search.competence import competences
from tests.retrieval.documents_by_hand import document_from_text
from tests.retrieval.word_embedder import WordEmbedder

ENGLISH = "The {0} service stores its {0} reports here. Ask the {0} team about {0} reports."
CHINESE = "{0}系统的{0}报告保存在这里。请向{0}小组询问{0}报告的事情。"
NAMES = ("heron", "egret", "stork", "crane", "swift", "raven", "eagle", "finch", "robin", "goose")
NAMES_ZH = ("苍鹭", "白鹭", "海鸥", "仙鹤", "雨燕", "乌鸦", "老鹰", "麻雀", "知更", "大雁")


class EnglishEmbedder(WordEmbedder):
    """Knows English words; takes every Chinese text for the same."""

    def _embed(self, text: str) -> Vectors:
        is_known = language_of(text) == "en"
        return super()._embed(text if is_known else "某")


def corpus() -> list[Passage]:
    english = [ENGLISH.format(" ".join(pair)) for pair in combinations(NAMES, 2)]
    chinese = [CHINESE.format("".join(pair)) for pair in combinations(NAMES_ZH, 2)]
    texts = english + chinese
    spans = WordEmbedder().token_spans
    documents = [document_from_text(str(n), "", text) for n, text in enumerate(texts)]
    return [each for one in documents for each in split(one, token_spans=spans, max_tokens=99)]


def measured(embedder: WordEmbedder, passages: list[Passage]) -> dict[str, float]:
    vectors = embedder.embed_passages([each.indexed_text for each in passages])
    return competences(passages, vectors, embedder)


def test_an_embedder_is_found_to_know_the_languages_it_knows() -> None:
    found = measured(WordEmbedder(dimension=512), corpus())
    assert found["en"] > 0.8
    assert found["zh"] > 0.8


def test_an_embedder_is_found_not_to_know_the_others() -> None:
    found = measured(EnglishEmbedder(dimension=512), corpus())
    assert found["en"] > 0.8
    assert found["zh"] < 0.6


def test_without_evidence_an_embedder_is_trusted() -> None:
    passages = split(
        document_from_text("1", "", "One sentence."),
        token_spans=WordEmbedder().token_spans,
        max_tokens=99,
    )
    assert measured(WordEmbedder(), passages) == {"en": 1.0}
    assert competences([], np.empty((0, 64), dtype=np.float32), WordEmbedder()) == {}


def test_measuring_leaves_the_vectors_as_they_were() -> None:
    embedder, passages = WordEmbedder(), corpus()
    vectors = embedder.embed_passages([each.indexed_text for each in passages])
    before = vectors.copy()
    competences(passages, vectors, embedder)
    assert (vectors == before).all()
