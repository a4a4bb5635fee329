from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from retrieval.records import Vectors
from retrieval.search.linear_map import LinearMap, identity
from training.retriever.linear_map import (
    MapConfig,
    TrainingPairs,
    fit_map,
    is_surely_lower,
    ndcg_of_each,
    whitening,
)

WIDTH, PASSAGES, QUESTIONS = 16, 120, 240


def unit(rows: npt.NDArray[np.floating]) -> Vectors:
    normal: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return normal


def mean_ndcg(map_: LinearMap, passages: Vectors, pairs: TrainingPairs) -> float:
    return float(np.mean(ndcg_of_each(map_, passages, pairs)))


@pytest.fixture(scope="module")
def world() -> tuple[Vectors, TrainingPairs, TrainingPairs]:
    """Passages whose first four directions are noise, and questions that share the others."""
    random = np.random.default_rng(0)
    meaning = random.normal(size=(PASSAGES, WIDTH))
    noise = np.ones(WIDTH)
    noise[:4] = 4.0
    relevant = random.integers(0, PASSAGES, QUESTIONS)
    passages = unit(meaning * noise)
    questions = meaning[relevant] + random.normal(size=(QUESTIONS, WIDTH)) * 0.4
    questions[:, :4] = random.normal(size=(QUESTIONS, 4)) * 4
    pairs = TrainingPairs(unit(questions), [[int(row)] for row in relevant])
    half = QUESTIONS // 2
    return passages, pairs.part(range(half)), pairs.part(range(half, QUESTIONS))


def test_the_map_finds_better_for_questions_it_has_not_seen(
    world: tuple[Vectors, TrainingPairs, TrainingPairs],
) -> None:
    passages, rated, others = world
    fit = fit_map(passages, rated, config=MapConfig(learning_rate=3e-3))
    before = mean_ndcg(identity(WIDTH), passages, others)
    assert mean_ndcg(fit.map, passages, others) > before + 0.1


def test_the_same_seed_gives_the_same_map(
    world: tuple[Vectors, TrainingPairs, TrainingPairs],
) -> None:
    passages, rated, _ = world
    first, two, three = (
        fit_map(passages, rated, config=MapConfig(rounds=2), seed=seed) for seed in (7, 7, 8)
    )
    assert np.array_equal(first.map.query, two.map.query)
    assert first.curve == two.curve
    assert not np.array_equal(first.map.query, three.map.query)


def test_it_stops_when_the_questions_held_back_are_surely_answered_worse(
    world: tuple[Vectors, TrainingPairs, TrainingPairs],
) -> None:
    passages, rated, _ = world
    fit = fit_map(passages, rated, config=MapConfig(learning_rate=0.3, decay=0, rounds=30))
    assert len(fit.curve) < 31
    assert fit.ndcg == fit.curve[-2]


def test_a_fall_is_sure_if_most_scores_fall_and_not_if_only_their_mean_does() -> None:
    before = np.ones(40)
    first, many = before.copy(), before.copy()
    first[0], many[::2] = 0.0, 0.5
    assert not is_surely_lower(before, before)
    assert not is_surely_lower(first, before)
    assert is_surely_lower(many, before)


def test_headings_teach_what_nobody_asked_for(
    world: tuple[Vectors, TrainingPairs, TrainingPairs],
) -> None:
    passages, rated, others = world
    config = MapConfig(learning_rate=3e-3)
    few = rated.part(range(40))
    without = fit_map(passages, few, config=config)
    # Of the passages that the others ask for, though not their questions.
    headings = rated.part(range(40, len(rated)))
    with_them = fit_map(passages, few, headings=headings, config=config)
    assert mean_ndcg(with_them.map, passages, others) > mean_ndcg(without.map, passages, others)


def test_whitening_of_one_passage_moves_nothing_to_infinity() -> None:
    matrix = whitening(unit(np.ones((1, WIDTH), np.float32)), MapConfig())
    assert np.isfinite(matrix).all()


def test_too_few_pairs_are_refused(world: tuple[Vectors, TrainingPairs, TrainingPairs]) -> None:
    passages, rated, _ = world
    with pytest.raises(ValueError, match="four"):
        fit_map(passages, rated.part(range(3)))


def test_the_identity_finds_what_the_embedder_finds(
    world: tuple[Vectors, TrainingPairs, TrainingPairs],
) -> None:
    passages, _, others = world
    same = LinearMap(np.eye(WIDTH, dtype=np.float32), np.eye(WIDTH, dtype=np.float32))
    assert np.allclose(same.of_passages(passages), passages, atol=1e-6)
    assert mean_ndcg(same, passages, others) == mean_ndcg(identity(WIDTH), passages, others)


def test_a_question_that_is_held_back_keeps_its_twin_back(
    world: tuple[Vectors, TrainingPairs, TrainingPairs],
) -> None:
    passages, rated, others = world
    config = MapConfig(rounds=2)
    plain, same, other_held_back, other = (
        fit_map(passages, rated, twins=twins, config=config, seed=5)
        for twins in _twins(rated, others, held_back=int(len(rated) * config.held_back))
    )
    assert np.array_equal(same.map.query, other_held_back.map.query)
    assert not np.array_equal(same.map.query, other.map.query)
    assert not np.array_equal(same.map.query, plain.map.query)


def _twins(rated: TrainingPairs, others: TrainingPairs, *, held_back: int) -> list[Vectors | None]:
    """None; the same vectors; others where a question is held back; others where none is."""
    order = np.random.default_rng(5).permutation(len(rated))
    found: list[Vectors | None] = [None, rated.questions]
    for rows in (order[:held_back], order[held_back:]):
        changed = rated.questions.copy()
        changed[rows] = others.questions[rows]
        found.append(changed)
    return found
