from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.index.library import Library
from retrieval.index.searcher import Searcher
from tests.retrieval.passages_by_hand import hit, passage
from tests.retrieval.word_embedder import WordEmbedder
from tests.training.classifiers.rated_company import build, judgement, pair
from training.classifiers.evidence import led_by, rows_of, without


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    embedder = WordEmbedder(dimension=512)
    settings = build(tmp_path_factory.mktemp("company"), embedder)
    return Library(settings, embedder).searcher()


def document(searcher: Searcher, name: str) -> int:
    stems = [Path(passage.source.id).stem for passage in searcher.index.passages]
    return stems.index(name)


def test_a_question_is_right_as_it_is_and_wrong_without_its_document(searcher: Searcher) -> None:
    asked = pair(0, searcher.index.passages[document(searcher, "kettle-attic")])
    found, left_out = rows_of([asked], searcher, read=4)
    assert found.is_answerable
    assert Path(found.hits[0].passage.source.id).stem == "kettle-attic"
    assert not left_out.is_answerable
    assert {"kettle-attic"}.isdisjoint(Path(h.passage.source.id).stem for h in left_out.hits)


def test_an_answer_is_judged_as_if_its_own_passages_had_been_found_first(
    searcher: Searcher,
) -> None:
    asked = pair(0, searcher.index.passages[document(searcher, "kettle-attic")])
    shown = searcher.index.passages[document(searcher, "kettle-library")]
    (row,) = rows_of([judgement(asked, shown)], searcher, read=4)
    assert row.hits[0].passage == shown
    assert (row.is_answerable, row.weight, row.is_current) == (False, 0.5, False)


def test_an_answer_that_would_be_given_now_is_current(searcher: Searcher) -> None:
    shown = searcher.index.passages[document(searcher, "kettle-attic")]
    (row,) = rows_of([judgement(pair(0, shown), shown)], searcher, read=4)
    assert row.is_current


def test_a_question_to_decline_has_no_right_answer(searcher: Searcher) -> None:
    declined = replace(pair(0, searcher.index.passages[0]), kind="answer", is_good=False)
    (row,) = rows_of([declined], searcher, read=4)
    assert not row.is_answerable


def test_what_nobody_asked_or_no_document_holds_any_more_teaches_nothing(
    searcher: Searcher,
) -> None:
    asked = pair(0, searcher.index.passages[0])
    gone = replace(asked, passages=(replace(asked.passages[0], content_hash="gone"),))
    rated_gone = replace(gone, kind="judgement")
    assert rows_of([replace(asked, source="synthetic"), gone, rated_gone], searcher, read=4) == []


def test_the_others_move_up_when_a_document_is_left_out() -> None:
    texts = [passage(f"Rule {n}.", title=f"Rule {n}", id=f"rule-{n}") for n in range(3)]
    hits = [hit(text, rank=n) for n, text in enumerate(texts, start=1)]
    kept = without(hits, {"rule-0"})
    assert [(hit.dense_rank, hit.lexical_rank) for hit in kept] == [(1, 1), (2, 2)]


def test_a_passage_that_is_not_found_any_more_leads_without_a_cosine() -> None:
    found, gone = passage("Here.", title="Here"), passage("Gone.", title="Gone")
    first, second = led_by([hit(found)], [gone])
    assert (first.passage, first.dense, second.passage) == (gone, None, found)
