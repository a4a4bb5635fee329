"""An installation whose generators are the words that their runs hold: published, tried, tested."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from retrieval.answering.judge import JUDGE_FILE, Judge, load_judge
from retrieval.errors import GeneratorError, ModelCorruptError
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.llm.generator import Generator
from retrieval.records import Completion, Passage
from retrieval.registry.runs import Facts, ModelKind, Run, folder_of, serving, write_run
from retrieval.search.embedding import Embedder
from retrieval.search.reranking import Reranker
from retrieval.serving.live import Live
from retrieval.settings import Settings
from tests.retrieval.answering.test_answerer import ALWAYS, LEAVE, NEVER, PAY, Writer
from tests.retrieval.word_embedder import WordEmbedder

QUESTION = "How many days of leave does a keeper have?"
BASE_WORDS = "A keeper has 27 days of paid leave a year [1]."


class WordsOfRuns:
    """Generators that write what their run's file says; one that says `broken` does not load.

    The one that serves without any run waits for `gate`, which is open at first, and
    says with `begun` that it does.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.loaded: list[str] = []
        self.has_loaded = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Semaphore(0)

    def generator(self, run: Run | None = None) -> Generator | None:
        home = self._settings.runs_folder
        learned = run or serving(home, "generator")
        if learned is None:
            return Gated(BASE_WORDS, self.gate, self.begun)
        text = (folder_of(home, learned) / "words.txt").read_text()
        if text == "broken":
            raise ModelCorruptError("its weights are not numbers")
        self.loaded.append(learned.id)
        self.has_loaded.set()
        writer = Failing(text) if text == "failing" else Writer(text)
        writer.id = learned.id
        return writer

    def judge(self, embedder: Embedder, run: Run | None = None) -> Judge:
        if run is None and serving(self._settings.runs_folder, "judge") is None:
            return ALWAYS
        return load_judge(self._settings.models_folder, embedder, run=run)

    def reranker(self, run: Run | None = None) -> Reranker | None:
        learned = run or serving(self._settings.runs_folder, "reranker")
        return LongestFirst(learned.id) if learned else None

    def retriever(self, run: Run) -> Embedder:
        embedder = WordEmbedder(seed=7)
        embedder.id = f"words+{run.id}"
        return embedder


class Gated(Writer):
    """A generator that waits at a gate before it writes."""

    def __init__(self, text: str, gate: threading.Event, begun: threading.Semaphore) -> None:
        super().__init__(text)
        self._gate, self._begun = gate, begun

    def generate(self, *arguments: Any, **options: Any) -> Completion:
        self._begun.release()
        self._gate.wait(60)
        return super().generate(*arguments, **options)


class Failing(Writer):
    """A generator that fails whenever it writes."""

    def generate(self, *_: object, **__: object) -> Completion:
        raise GeneratorError("out of numbers")


class LongestFirst(Reranker):
    """Prefers long passages."""

    def __init__(self, name: str) -> None:
        self.id = name

    def scores(self, query: str, passages: Sequence[Passage]) -> list[float]:  # noqa: ARG002
        return [float(len(passage.text)) for passage in passages]


def install(folder: Path) -> Settings:
    """Settings with an index of two documents."""
    docs = folder / "docs"
    docs.mkdir()
    for name, text in (("leave", LEAVE), ("pay", PAY)):
        (docs / f"{name}.md").write_text(text, encoding="utf-8")
    settings = Settings(home=folder / "home", generator="words")
    update_index([docs], settings, WordEmbedder())
    return settings


def open_live(settings: Settings) -> tuple[Live, WordsOfRuns]:
    """What answers, and what loads its models."""
    roles = WordsOfRuns(settings)
    return Live(settings, Library(settings, WordEmbedder()), roles), roles


def trained(settings: Settings, text: str, kind: ModelKind = "generator") -> Run:
    def fill(folder: Path) -> None:
        if kind == "judge":
            NEVER.save(folder / JUDGE_FILE)
        else:
            (folder / "words.txt").write_text(text)

    return write_run(settings.runs_folder, kind, Facts("words", "d", 0, "1"), fill)
