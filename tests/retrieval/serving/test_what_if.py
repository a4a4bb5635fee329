from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.answering.answerer import Answerer
from retrieval.answering.judge import JUDGE_FILE, Judge
from retrieval.errors import ModelNotFoundError
from retrieval.index.building import update_index
from retrieval.index.generation import current
from retrieval.index.library import Library
from retrieval.records import AnswerRequest
from retrieval.registry.runs import Facts, ModelKind, Run, retire, write_run
from retrieval.serving.model_loader import InstalledModels
from retrieval.serving.what_if import with_documents, with_run
from retrieval.settings import Settings
from tests.retrieval.answering.test_answerer import ALWAYS, NEVER
from tests.retrieval.word_embedder import WordEmbedder
from tests.retrieval.words_of_runs import WordsOfRuns, install, trained

REQUEST = AnswerRequest("How many days of paid leave does a keeper have?")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path / "home", generator="none")
    update_index([folder(tmp_path / "docs", days=27)], settings, WordEmbedder())
    return settings


@pytest.fixture
def served(settings: Settings) -> Answerer:
    return Answerer(Library(settings, WordEmbedder()).searcher(), ALWAYS, settings)


def folder(path: Path, *, days: int) -> Path:
    path.mkdir()
    (path / "leave.md").write_text(f"# Leave\n\nA keeper has {days} days of paid leave a year.\n")
    (path / "tides.md").write_text("# Tides\n\nHigh tide is at nine.\n")
    return path


def run_of(kind: ModelKind, settings: Settings, judge: Judge) -> Run:
    def fill(beside: Path) -> None:
        judge.save(beside / JUDGE_FILE)

    return write_run(settings.runs_folder, kind, Facts("words", "data", 0, "0.1"), fill)


def test_other_documents_are_answered_from_and_published_nowhere(
    served: Answerer, settings: Settings, tmp_path: Path
) -> None:
    before = current(settings.index_folder)
    other = folder(tmp_path / "new", days=30)
    candidate = with_documents(served, other, settings, home=tmp_path / "beside")
    assert "30 days" in candidate.answer(REQUEST).text
    assert "27 days" in served.answer(REQUEST).text
    assert current(settings.index_folder) == before


def test_a_judge_on_rehearsal_judges_the_hits_of_what_serves(
    served: Answerer, settings: Settings
) -> None:
    run = run_of("judge", settings, replace(NEVER, embedder=served.searcher.embedder.id))
    candidate = with_run(served, run, settings, InstalledModels(settings))
    assert candidate.answer(REQUEST).kind == "abstention"
    assert served.answer(REQUEST).kind == "answer"


@pytest.mark.parametrize("kind", ["triage", "generator"])
def test_what_plays_no_part_in_answers_cannot_be_rehearsed(
    served: Answerer, settings: Settings, kind: ModelKind
) -> None:
    run = run_of(kind, settings, NEVER)
    with pytest.raises(ModelNotFoundError, match=f"a {kind} plays no part"):
        with_run(served, run, settings, InstalledModels(settings))


def test_a_generator_on_rehearsal_writes_and_what_serves_goes_on(tmp_path: Path) -> None:
    settings = install(tmp_path)
    roles = WordsOfRuns(settings)
    served = Answerer(
        Library(settings, WordEmbedder()).searcher(), ALWAYS, settings, roles.generator()
    )
    run = trained(settings, "Keepers have 27 days of paid leave [1].")
    candidate = with_run(served, run, settings, roles)
    assert candidate.answer(REQUEST).generator == run.id
    assert served.answer(REQUEST).generator == "writer@1"


def test_a_retriever_on_rehearsal_searches_an_index_of_its_own(tmp_path: Path) -> None:
    settings = install(tmp_path)
    served = Answerer(Library(settings, WordEmbedder()).searcher(), ALWAYS, settings)
    run = trained(settings, "", kind="retriever")
    candidate = with_run(served, run, settings, WordsOfRuns(settings))
    assert candidate.answer(REQUEST).embedder == f"words+{run.id}"
    assert "27 days" in candidate.answer(REQUEST).text
    assert served.answer(REQUEST).embedder == "words"


def test_a_retired_model_is_not_rehearsed(served: Answerer, settings: Settings) -> None:
    run = run_of("judge", settings, replace(NEVER, embedder=served.searcher.embedder.id))
    retire(settings.runs_folder, run, reason="somebody was forgotten")
    with pytest.raises(ModelNotFoundError, match="was retired: somebody was forgotten"):
        with_run(served, run, settings, InstalledModels(settings))
