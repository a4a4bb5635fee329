from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import ModelNotFoundError
from retrieval.index.building import update_index
from retrieval.index.generation import current
from retrieval.index.library import Library
from retrieval.index.served_embedder import served_run
from retrieval.registry.folders import kept
from retrieval.registry.runs import Facts, Run, base_of, retire, roll_back, serving, write_run
from retrieval.search.embedding import Embedder
from retrieval.search.linear_map import LinearMap
from retrieval.serving.installation import Installation
from retrieval.serving.retriever import follow_history, serve_run, unlearned
from retrieval.settings import Settings

QUESTION = "When does the ferry leave?"


@pytest.fixture(scope="module")
def model() -> Embedder:
    return Embedder.load(Settings(embedder="all-minilm-l6-v2"))


@pytest.fixture
def library(tmp_path: Path, model: Embedder) -> Library:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "ferry.md").write_text("# Ferry\n\nThe ferry to Dunmore leaves at nine.")
    (docs / "parrot.md").write_text("# Parrot\n\nThe parrot sees a dentist once a year.")
    settings = Settings(home=tmp_path / "home", embedder="all-minilm-l6-v2", generator="none")
    update_index((docs,), settings, model)
    return Library(settings, model)


def learned(library: Library, seed: int) -> Run:
    noise = np.random.default_rng(seed).normal(scale=0.05, size=(2, 384, 384))
    moved = LinearMap(*(np.eye(384) + noise).astype(np.float32))
    facts = Facts(base=base_of(library.embedder.id), dataset="d", seed=seed, code="1")
    return write_run(library.settings.runs_folder, "retriever", facts, moved.save)


def serve(library: Library, run: Run) -> None:
    serve_run(library.settings, library.following(), run, reason="better")


def test_a_map_that_serves_can_be_undone(library: Library) -> None:
    before = library.searcher().index.vectors
    serve(library, learned(library, 1))
    assert not np.allclose(library.searcher().index.vectors, before, atol=1e-3)
    undone = unlearned(library.settings, library.following())
    assert np.allclose(undone.index.vectors, before, atol=1e-3)


def test_a_run_that_is_retired_leaves_the_index_to_what_served_before(library: Library) -> None:
    first, second = learned(library, 1), learned(library, 2)
    serve(library, first)
    serve(library, second)
    retire(library.settings.runs_folder, second, reason="somebody was forgotten")
    assert Installation(library).take_back()
    assert library.searcher().embedder.id.endswith(first.id)
    assert library.searcher().search(QUESTION)[0].passage.source.title == "Ferry"


def test_what_served_before_comes_back_with_its_own_generation(library: Library) -> None:
    generation = current(library.folder)
    run = learned(library, 1)
    serve(library, run)
    roll_back(library.settings.runs_folder, "retriever", reason="people say so")
    follow_history(library.settings, library.following())
    assert current(library.folder) == generation


def test_the_history_of_models_follows_an_index_that_is_rolled_back(library: Library) -> None:
    first, second = learned(library, 1), learned(library, 2)
    serve(library, first)
    serve(library, second)
    holdings, home = Installation(library), library.settings.runs_folder
    for before, after in ((second, first), (first, second)):
        done = holdings.rollback(reason="by hand")
        assert serving(home, "retriever") == served_run(library.settings) == after
        last = holdings.deployments()[-1]
        assert (last.before, last.after, last.reason) == (before.id, after.id, "by hand")
        assert not done.changes
    assert [each.how for each in holdings.deployments()[-2:]] == ["rollback", "publish"]


def test_an_index_of_other_documents_leaves_the_history_of_models_alone(
    library: Library, tmp_path: Path
) -> None:
    serve(library, learned(library, 1))
    (tmp_path / "docs" / "ferry.md").unlink()
    update_index((tmp_path / "docs",), library.settings, library.following())
    done = Installation(library).rollback(reason="by hand")
    assert done.changes.added == ("docs/ferry.md",)
    assert len(Installation(library).deployments()) == 1


def test_what_served_before_knows_the_documents_of_now(library: Library) -> None:
    serve(library, learned(library, 1))
    (library.settings.home.parent / "docs" / "owl.md").write_text("# Owl\n\nThe owl sleeps.")
    update_index((), library.settings, library.following())
    roll_back(library.settings.runs_folder, "retriever", reason="people say so")
    follow_history(library.settings, library.following())
    assert library.searcher().search("What does the owl do?")[0].passage.source.title == "Owl"
    assert "+" not in library.embedder.id


def test_no_generation_of_a_retired_run_can_be_rolled_back_to(library: Library) -> None:
    run = learned(library, 1)
    serve(library, run)
    retire(library.settings.runs_folder, run, reason="somebody was forgotten")
    holdings = Installation(library)
    assert [holdings.take_back(), holdings.take_back()] == [True, False]
    assert kept(library.settings.index_folder) is None
    assert "+" not in library.searcher().embedder.id
    with pytest.raises(ModelNotFoundError, match="was retired"):
        serve(library, run)


def test_holdings_tell_what_was_learned_and_what_served_when(library: Library) -> None:
    run, other = learned(library, 1), learned(library, 2)
    serve(library, run)
    retire(library.settings.runs_folder, other, reason="forgotten")
    holdings = Installation(library)
    told = [(each.run, each.is_serving, each.retired) for each in holdings.learned()]
    assert told == [(run, True, None), (other, False, "forgotten")]
    assert [(each.before, each.after) for each in holdings.deployments()] == [("base", run.id)]
