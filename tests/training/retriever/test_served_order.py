from __future__ import annotations

import numpy as np
import pytest

from retrieval.answering.judge import load_judge
from retrieval.index.generation import load_index
from retrieval.search.embedding import Embedder
from retrieval.search.linear_map import LinearMap
from retrieval.settings import Settings
from training.data.labelled_queries import LabelledQuery, judging
from training.gate.retriever_trial import searcher_with, try_retriever
from training.retriever.served_order import FusedQuestions, Step, surest

QUESTIONS = ("Who looks after the printer?", "What to do with a broken zorbel?", "Where is it?")


@pytest.mark.slow
def test_what_is_measured_is_what_search_finds(settings: Settings, model: Embedder) -> None:
    index = load_index(settings.index_folder, model)
    random = np.random.default_rng(0)
    noise = random.normal(size=(model.dimension, model.dimension)).astype(np.float32)
    map_ = LinearMap(np.eye(model.dimension, dtype=np.float32), noise)
    queries = [
        LabelledQuery(question, "en", (row,))
        for question in QUESTIONS
        for row in range(0, len(index.passages), 9)
    ]
    moved = model.moved(map_, name="candidate", lexical_weight=0.4)
    vectors = map_.of_passages(index.vectors)
    searcher = searcher_with(index, moved, vectors)
    judge = load_judge(settings.models_folder, model)
    served = [outcome.quality for outcome in try_retriever(searcher, judge, queries)]
    fused = FusedQuestions.of(queries, searcher.index.in_memory())
    asked = moved.embed_queries([query.question for query in queries])
    (usual, light) = fused.ndcg(asked, vectors, (1.5, 0.4))
    assert light == pytest.approx(served)
    assert usual != pytest.approx(served)


def test_a_step_is_gone_only_if_it_is_surely_better() -> None:
    before = np.full(60, 0.5)
    better, lucky = before.copy(), before.copy()
    better[::2] += 0.1
    lucky[0] += 0.5
    steps = {Step(0.5): lucky, Step(1.0): better, Step(0.0): before}
    assert surest(before, steps) == Step(1.0)
    assert surest(before, {Step(0.5): before - 0.1, Step(0.0): before}) is None


def test_experts_alone_say_what_is_better_where_they_named_enough_passages() -> None:
    votes = [LabelledQuery(f"q{number}", "en", (0,)) for number in range(70)]
    experts = [LabelledQuery(f"e{number}", "en", (0,), is_expert=True) for number in range(50)]
    assert judging([*votes, *experts]) == [*range(70, 120)]
    assert judging([*votes, *experts[:49]]) == [*range(119)]
