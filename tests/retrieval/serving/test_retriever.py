from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from retrieval.answering.judge import JUDGE_FILE
from retrieval.errors import BusyError, ModelNotFoundError
from retrieval.index.building import update_index
from retrieval.index.generation import current
from retrieval.index.library import Library
from retrieval.index.searched import SearchedIndex
from retrieval.index.served_embedder import load_run, served_run
from retrieval.models.catalogue import resolve
from retrieval.records import AnswerRequest, Vectors
from retrieval.registry.folders import building, kept
from retrieval.registry.runs import (
    MODEL,
    Facts,
    Run,
    base_of,
    folder_of,
    retire,
    serving,
    write_run,
)
from retrieval.search.embedding import Embedder
from retrieval.search.linear_map import LinearMap
from retrieval.serving.installation import Installation
from retrieval.serving.live import Live
from retrieval.serving.model_loader import InstalledModels
from retrieval.serving.retriever import serve_run, take_back, unlearned, vectors_by
from retrieval.settings import Settings
from tests.retrieval.answering.test_answerer import NEVER

pytestmark = pytest.mark.slow

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


def tuned(library: Library) -> Run:
    """A run with a model of its own, whose weights are those of the configured one."""

    def fill(folder: Path) -> None:
        settings = library.settings
        base = resolve(settings.embedder, models_folder=settings.models_folder)
        shutil.copytree(base.path, folder / MODEL)

    facts = Facts(base=base_of(library.embedder.id), dataset="d", seed=0, code="1")
    return write_run(library.settings.runs_folder, "retriever", facts, fill)


def change(library: Library) -> None:
    page = library.settings.home.parent / "docs" / "ferry.md"
    page.write_text("# Ferry\n\nNobody sails in winter, when the harbour is frozen.")


def texts_of(index: SearchedIndex) -> list[str]:
    return [passage.indexed_text for passage in index.passages]


def are_near(vectors: Vectors, others: Vectors) -> bool:
    return bool((vectors * others).sum(axis=1).min() > 0.999)


def serve(library: Library, run: Run) -> None:
    serve_run(library.settings, library.following(), run, reason="better")


def test_a_map_that_serves_can_be_undone(library: Library) -> None:
    before = library.searcher().index.vectors
    serve(library, learned(library, 1))
    assert not np.allclose(library.searcher().index.vectors, before, atol=1e-3)
    undone = unlearned(library.searcher().index, library.embedder, library.settings)
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
    take_back(library.settings, library.following(), reason="people say so")
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
    assert done.changes is not None
    assert done.changes.added == ("docs/ferry.md",)
    assert len(Installation(library).deployments()) == 1


def test_what_served_before_knows_the_documents_of_now(library: Library) -> None:
    serve(library, learned(library, 1))
    (library.settings.home.parent / "docs" / "owl.md").write_text("# Owl\n\nThe owl sleeps.")
    update_index((), library.settings, library.following())
    take_back(library.settings, library.following(), reason="people say so")
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


def test_passages_that_change_while_a_retriever_is_published_have_their_own_vectors(
    library: Library, model: Embedder
) -> None:
    def reindex(_: str) -> None:
        change(library)
        with suppress(BusyError):
            update_index((), library.settings, model)

    run, before = tuned(library), library.following()
    serve_run(library.settings, before, run, reason="better", on_progress=reindex)
    searcher = library.searcher()
    of_texts = searcher.embedder.embed_passages(texts_of(searcher.index))
    assert searcher.embedder.id.endswith(run.id)
    assert are_near(searcher.index.vectors, of_texts)


def test_a_reindex_that_began_before_a_publication_does_not_undo_it(library: Library) -> None:
    before, run = library.following(), learned(library, 1)
    serve(library, run)
    change(library)
    with pytest.raises(BusyError, match="meanwhile; try again"):
        update_index((), library.settings, before)
    assert served_run(library.settings) == run


def test_what_a_candidate_makes_of_an_index_is_of_that_index(library: Library) -> None:
    index, base = library.searcher().index, library.embedder
    run = learned(library, 1)
    change(library)
    update_index((), library.settings, base)
    embedder = load_run(library.settings, run)
    made = vectors_by(run, embedder, library.settings, base, index)
    assert are_near(made, embedder.embed_passages(texts_of(index)))


def test_an_index_that_is_being_built_is_neither_rolled_back_nor_taken_back(
    library: Library,
) -> None:
    run, settings = learned(library, 1), library.settings
    serve(library, run)
    generation = current(library.folder)
    with building(library.folder):
        with pytest.raises(BusyError):
            Installation(library).rollback(reason="by hand")
        with pytest.raises(BusyError):
            take_back(settings, library.following(), reason="people say so")
    assert (current(library.folder), serving(settings.runs_folder, "retriever")) == (
        generation,
        run,
    )


def test_the_first_answer_from_a_new_index_is_judged_by_the_judge_of_its_embedder(
    library: Library,
) -> None:
    live = Live(library.settings, library, InstalledModels(library.settings))
    first = live.answer(AnswerRequest(QUESTION))
    run = learned(library, 1)
    NEVER.save(folder_of(library.settings.runs_folder, run) / JUDGE_FILE)
    serve(library, run)
    second = live.answer(AnswerRequest(QUESTION))
    assert first.judge != NEVER.id
    assert (second.embedder, second.judge) == (f"{first.embedder}+{run.id}", NEVER.id)


def test_an_answer_is_of_one_index_to_its_end(library: Library) -> None:
    live = Live(library.settings, library, InstalledModels(library.settings))
    before, run = library.searcher(), learned(library, 1)

    def publish(_: str) -> None:
        serve(library, run)
        library.searcher()

    answer = live.answer(AnswerRequest(QUESTION, threshold=0), on_text=publish)
    assert library.embedder.id.endswith(run.id)
    assert (answer.embedder, answer.generation) == (before.embedder.id, before.index.manifest.name)
