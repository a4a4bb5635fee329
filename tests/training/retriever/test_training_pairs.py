from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from retrieval.examples import read_examples
from retrieval.index.generation import load_index
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings
from tests.retrieval.passages_by_hand import passage
from tests.retrieval.word_embedder import WordEmbedder
from training.data.corpus import heading_of
from training.data.labelled_queries import LabelledQuery, split
from training.retriever.training_pairs import TrainingTexts, texts_of, with_negatives

FERRY = passage("The ferry to Dunmore leaves at nine.", title="Travel > When does it leave?")
BARE = passage("The parrot sees a dentist once a year.", title="")
QUERY = LabelledQuery("When is the ferry?", "en", (0,))


def test_few_pairs_are_shown_over_again_and_many_once() -> None:
    few = texts_of([QUERY], [FERRY, BARE], least=3, headings=0, seed=0)
    many = texts_of([QUERY] * 5, [FERRY, BARE], least=3, headings=0, seed=0)
    assert [len(few), len(many)] == [3, 5]


def test_headings_are_questions_to_their_passages_with_and_without_themselves() -> None:
    texts = texts_of([QUERY], [BARE, FERRY], least=1, headings=10, seed=0)
    assert list(zip(texts.questions, texts.passages, strict=True))[1:] == [
        ("When does it leave?", FERRY.indexed_text)
    ]
    both = texts_of([QUERY], [FERRY, FERRY], least=1, headings=10, seed=0)
    assert {*both.passages[1:]} == {FERRY.text, FERRY.indexed_text}


def test_of_a_title_that_is_a_path_the_last_part_is_the_heading() -> None:
    assert [heading_of(FERRY), heading_of(BARE)] == ["When does it leave?", ""]


def test_a_hard_negative_is_near_and_neither_first_nor_a_passage_of_its_own() -> None:
    corpus = [passage("ferry ferry" + " dock" * n, title="") for n in range(10)]
    corpus += [passage(f"A lamp with number {n}.", title="") for n in range(60)]
    embedder = WordEmbedder()
    vectors = embedder.embed_passages([passage.indexed_text for passage in corpus])
    texts = TrainingTexts(["ferry dock"] * 20, [corpus[9].indexed_text] * 20)
    mined = with_negatives(texts, corpus, vectors, embedder, seed=0)
    (question,) = embedder.embed_queries(["ferry dock"])
    ranked = [corpus[row].indexed_text for row in np.argsort(-(vectors @ question))]
    assert len(mined.negatives) == 20
    assert all(5 <= ranked.index(text) < 50 for text in mined.negatives)
    assert corpus[9].indexed_text not in mined.negatives


def test_questions_that_mean_the_same_are_held_back_together(
    settings: Settings, model: Embedder, dataset: Path
) -> None:
    passages = load_index(settings.index_folder, model).passages
    train = [
        replace(example, cluster=example.question.removesuffix("?")[-9:])
        for example in read_examples(dataset, "train")
    ]
    queries, held_back = split(train, [], passages, seed=0)
    learned_from, kept_back = (
        {example.question[-10:] for example in group} for group in (queries, held_back)
    )
    assert kept_back
    assert not learned_from & kept_back


def test_a_fifth_of_what_experts_spoke_of_is_held_back_and_of_votes_the_newest_first(
    settings: Settings, model: Embedder, dataset: Path
) -> None:
    passages = load_index(settings.index_folder, model).passages
    examples = read_examples(dataset, "train")
    approved = {example.question for example in examples[:20]}
    train = [
        replace(example, source="approved" if example.question in approved else "votes")
        for example in examples
    ]
    newest = {example.question for example in train[30:40]}
    older = [example for example in train if example.question not in newest]
    dev = [example for example in train if example.question in newest]
    queries, held_back = split(older, dev, passages, seed=0)
    asked = {query.question for query in held_back}
    assert 0 < len(approved & asked) < len(approved) / 2
    assert newest <= asked
    assert len(asked) < len(queries) / 2
