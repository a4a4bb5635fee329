from __future__ import annotations

from dataclasses import replace

import pytest

from retrieval.examples import REGRESSION, read_examples, write_examples
from retrieval.registry.runs import CHANGES, Facts, folder_of
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings
from tests.retrieval.word_embedder import WordEmbedder
from tests.training.classifiers.rated_company import build, write_dataset
from training.data.corpus import open_corpus, read_held_out
from training.gate.candidate import Candidate, LearnedRun, keep
from training.gate.decision import REGRESSION as REGRESSION_SET


@pytest.fixture(scope="module")
def model() -> Embedder:
    return WordEmbedder(dimension=512)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, model: Embedder) -> Settings:
    return build(tmp_path_factory.mktemp("company"), model)


@pytest.fixture(scope="module")
def same(settings: Settings, model: Embedder) -> LearnedRun:
    """What serves, as a candidate in its own place, with some questions frozen."""
    dataset = write_dataset(settings.home.parent / "dataset", settings, model)
    frozen = read_examples(dataset, "held-out")[:30]
    gone = replace(frozen[0].passages[0], content_hash="gone")
    outdated = replace(frozen[0], id="x", question="Who had it before?", passages=(gone,))
    settings.dataset_folder.mkdir()
    write_examples(settings.dataset_folder, REGRESSION, [*frozen, outdated])
    corpus = open_corpus(settings, model)
    return keep(
        Candidate(corpus.served, corpus.served_judge),
        settings,
        Facts(model.id, dataset.name, 0, "0.1"),
        lambda folder: (folder / "a.json").touch(),
        corpus=corpus,
        held_out=read_held_out(dataset, corpus),
        on_progress=lambda _: None,
    )


def test_the_same_again_makes_no_difference(same: LearnedRun) -> None:
    assert same.decision.is_no_difference
    assert not same.decision.is_passed


def test_what_was_frozen_is_tried_beside_what_is_held_out(same: LearnedRun) -> None:
    (guard,) = (guard for guard in same.decision.guards if guard.name == REGRESSION_SET)
    assert (guard.questions, guard.is_held) == (30, True)
    assert same.decision.outdated == 1


def test_a_run_keeps_what_was_won_and_lost_in_a_file_of_its_own(
    same: LearnedRun, settings: Settings
) -> None:
    text = (folder_of(settings.runs_folder, same.run) / CHANGES).read_text()
    assert text.count("No question.") == 2
