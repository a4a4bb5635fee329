from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from benchmarks.learning.sets import (
    IndexedSet,
    SeedOutcome,
    SetOutcome,
    as_json,
    draw,
    draw_questions,
    line,
    named,
)
from retrieval.evaluation.dataset import Dataset, Query
from retrieval.settings import Settings
from tests.retrieval.passages_by_hand import passage
from tests.retrieval.word_embedder import WordEmbedder

SIZES = argparse.Namespace(asked=50, experts=30, measured=20)
QUERIES = tuple(Query(f"q{number}", f"Question {number}?", "en") for number in range(90))
PASSAGE = passage("The ferry leaves at nine.", title="Ferry")
DATASET = Dataset(
    "ferries", (PASSAGE,), QUERIES, {query.id: {PASSAGE.id: 1} for query in QUERIES}, {}, ()
)


def trial(*, seed: int, is_passed: bool, forced: float) -> SeedOutcome:
    before = {"a": (0.5, 1.0), "b": (0.5, 1.0)}
    after = {"a": (forced, 1.0), "b": (forced, 0.0)}
    return SeedOutcome(seed, 100, before, after, is_passed, False, 1.5, 1.0)


def test_nobody_is_asked_what_is_measured_or_what_an_expert_names(tmp_path: Path) -> None:
    world = IndexedSet(DATASET, None, Settings(home=tmp_path), WordEmbedder())
    for seed in range(3):
        drawn = draw_questions(world, SIZES, seed)
        parts = [{query.id for query in part} for part in (drawn.asked, drawn.by_experts)]
        parts.append({query.id for query in drawn.measured})
        assert [len(part) for part in parts] == [30, 30, 20]
        assert len(set.union(*parts)) == 80
        assert len([*named(drawn, DATASET)]) == 30


def test_what_the_gate_stops_counts_by_force_and_not_as_published(tmp_path: Path) -> None:
    trials = [
        trial(seed=0, is_passed=True, forced=0.7),
        trial(seed=1, is_passed=False, forced=0.1),
    ]
    outcome = SetOutcome("ferries", "0 % wrong", trials)
    assert outcome.gain(forced=True).gain == pytest.approx(-0.1)
    assert outcome.gain(forced=False).gain == pytest.approx(0.1)
    assert outcome.gain(forced=True, metric=1).gain == pytest.approx(-0.5)
    assert "1/2 passed" in line(outcome)
    written = as_json(outcome)["trials"]
    assert isinstance(written, list)
    assert written[1]["forced"] == [0.1, 0.5]
    draw(tmp_path / "sets.png", [outcome])
    assert (tmp_path / "sets.png").stat().st_size > 1000
