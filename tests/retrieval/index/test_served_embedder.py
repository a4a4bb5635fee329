from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import IndexMismatchError, ModelCorruptError
from retrieval.index.building import publish_vectors, update_index
from retrieval.index.generation import rollback
from retrieval.index.library import Library
from retrieval.index.manifest import read_manifest
from retrieval.index.served_embedder import load_embedder, load_run
from retrieval.registry.folders import served
from retrieval.registry.runs import Facts, Run, folder_of, write_run
from retrieval.search.embedding import Embedder
from retrieval.search.fusion import LEXICAL_WEIGHT, save_lexical_weight
from retrieval.search.linear_map import FILE, LinearMap, identity
from retrieval.settings import Settings

pytestmark = pytest.mark.slow

MAP = LinearMap(*np.random.default_rng(4).normal(size=(2, 384, 384)).astype(np.float32))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "ferry.md").write_text("# Ferry\n\nThe ferry to Dunmore leaves at nine.")
    (docs / "parrot.md").write_text("# Parrot\n\nThe parrot sees a dentist once a year.")
    return Settings(home=tmp_path / "home", embedder="all-minilm-l6-v2", generator="none")


@pytest.fixture(scope="module")
def model() -> Embedder:
    return Embedder.load(Settings(embedder="all-minilm-l6-v2"))


@pytest.fixture
def base(settings: Settings, model: Embedder) -> Embedder:
    update_index((settings.home.parent / "docs",), settings, model)
    return model


def learned(settings: Settings, base: Embedder) -> Run:
    facts = Facts(base=base.id, dataset="d", seed=0, code="1")
    return write_run(settings.runs_folder, "retriever", facts, MAP.save)


def publish(settings: Settings, run: Run) -> None:
    embedder = load_run(settings, run)
    index = Library(settings, load_embedder(settings)).searcher().index
    publish_vectors(settings.index_folder, index, embedder, MAP.of_passages(index.vectors))


def test_a_run_with_a_map_moves_the_base_models_vectors(settings: Settings, base: Embedder) -> None:
    run = learned(settings, base)
    embedder = load_run(settings, run)
    texts = ["When does the ferry leave?"]
    assert embedder.id == f"{base.id}+{run.id}"
    assert np.allclose(embedder.embed_queries(texts), MAP.of_queries(base.embed_queries(texts)))
    assert np.allclose(embedder.embed_passages(texts), MAP.of_passages(base.embed_passages(texts)))


def test_a_library_follows_the_embedder_of_the_index_both_ways(
    settings: Settings, base: Embedder
) -> None:
    library = Library(settings, base)
    assert library.searcher().embedder is base
    run = learned(settings, base)
    publish(settings, run)
    hits = library.searcher().search("ferry")
    assert library.embedder.id.endswith(run.id)
    assert hits[0].passage.source.title == "Ferry"
    rollback(settings.index_folder, library.embedder)
    assert library.searcher().embedder.id == base.id


def test_the_judge_sees_the_cosines_of_the_model_whatever_a_map_does(
    settings: Settings, base: Embedder
) -> None:
    query = "When does the ferry leave?"
    library = Library(settings, base)
    before = {hit.passage.id: hit.dense for hit in library.searcher().search(query)}
    publish(settings, learned(settings, base))
    after = {hit.passage.id: hit.dense for hit in library.searcher().search(query)}
    assert after == pytest.approx(before, abs=1e-3)


def test_what_changes_later_is_embedded_by_the_run_and_the_rest_is_kept(
    settings: Settings, base: Embedder
) -> None:
    run = learned(settings, base)
    publish(settings, run)
    (settings.home.parent / "docs" / "new.md").write_text("# Tide\n\nHigh water is at noon.")
    report = update_index((), settings, load_embedder(settings))
    assert report.embedded == 1
    generation = served(settings.index_folder)
    assert generation is not None
    assert read_manifest(generation).recipe.embedder.endswith(run.id)


def test_another_model_in_the_settings_is_not_mistaken_for_the_base(
    settings: Settings, base: Embedder, models_home: Path
) -> None:
    publish(settings, learned(settings, base))
    models = {"embedder": str(next((models_home / "models").glob("multilingual-e5-small-*")))}
    other = settings.model_copy(update=models)
    embedder = load_embedder(other)
    assert "+" not in embedder.id
    with pytest.raises(IndexMismatchError):
        Library(other, embedder).searcher()


def test_a_damaged_run_is_not_loaded(settings: Settings, base: Embedder) -> None:
    run = learned(settings, base)
    (folder_of(settings.runs_folder, run) / FILE).write_bytes(b"damaged")
    with pytest.raises(ModelCorruptError, match=FILE):
        load_run(settings, run)


def test_what_words_count_for_is_learned_with_a_map_and_forgotten_with_it(
    settings: Settings, base: Embedder
) -> None:
    facts = Facts(base=base.id, dataset="d", seed=0, code="1")

    def fill(folder: Path) -> None:
        identity(base.dimension).save(folder)
        save_lexical_weight(folder, 40)

    run = write_run(settings.runs_folder, "retriever", facts, fill)
    library = Library(settings, base)
    before = library.searcher().search("ferry")
    index = library.searcher().index
    publish_vectors(settings.index_folder, index, load_run(settings, run), index.vectors)
    (first, second) = library.searcher().search("ferry")
    assert first.score == pytest.approx(before[0].score + 40 - LEXICAL_WEIGHT)
    assert second.score == pytest.approx(before[1].score)
    rollback(settings.index_folder, library.embedder)
    assert library.searcher().search("ferry") == before


def test_a_weight_of_words_that_is_none_is_refused(settings: Settings, base: Embedder) -> None:
    facts = Facts(base=base.id, dataset="d", seed=0, code="1")

    def fill(folder: Path) -> None:
        MAP.save(folder)
        (folder / "fusion.json").write_text("[]")

    run = write_run(settings.runs_folder, "retriever", facts, fill)
    with pytest.raises(ModelCorruptError, match="no lexical weight"):
        load_run(settings, run)
