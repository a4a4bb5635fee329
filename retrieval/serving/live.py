"""Answers with what is published at the moment, and lets a candidate on trial answer beside it.

Models are loaded beside those that serve and take their place between two questions: an answer
that has begun keeps its own, and the last one to do so lets the old model go.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retrieval.answering.answerer import Answerer
from retrieval.answering.judge import Judge
from retrieval.answering.support_readers import load_support_reader
from retrieval.errors import ModelNotFoundError, NotReadyError, QuestionError, RetrievalError
from retrieval.index.library import Library
from retrieval.index.served_embedder import load_embedder
from retrieval.models.catalogue import discard_damaged
from retrieval.progress import Tell
from retrieval.records import Answer, AnswerRequest, Arm
from retrieval.registry import runs, trials
from retrieval.registry.runs import BASE, ModelKind
from retrieval.registry.trials import Trial
from retrieval.search.reranking import Reranker
from retrieval.serving.model_loader import InstalledModels, ModelLoader
from retrieval.serving.trial_search import TrialSearch
from retrieval.settings import Settings

if TYPE_CHECKING:
    from retrieval.llm.generator import Generator

logger = logging.getLogger(__name__)

FOLLOWED: tuple[ModelKind, ...] = ("generator", "reranker", "judge")
"""What is loaded when it is published; a retriever is followed with the index of its making."""


@dataclass(frozen=True)
class CandidateModels:
    """The models of a run on trial; where it has none, what serves takes part."""

    trial: Trial
    search: TrialSearch | None = None
    generator: Generator | None = None
    reranker: Reranker | None = None
    judge: Judge | None = None


def load_live(settings: Settings, *, on_progress: Tell | None = None) -> Live:
    """Load what serves, once every byte of the unpacked models has been looked at."""
    names = (settings.embedder, settings.generator)
    discard_damaged(names, settings.models_folder, on_progress or logger.warning)
    library = Library(settings, load_embedder(settings, on_progress=on_progress))
    return Live(settings, library, InstalledModels(settings, on_progress=on_progress))


class Live:
    """An answerer that follows what is published. Safe to call from many threads."""

    def __init__(self, settings: Settings, library: Library, loader: ModelLoader) -> None:
        """Load what serves; `refresh` follows it from then on."""
        self.library = library
        self._settings = settings
        self._home = settings.runs_folder
        self._loader = loader
        self._refreshing = threading.Lock()
        self._names = {kind: runs.pointed(self._home, kind) for kind in FOLLOWED}
        self._trial: Trial | None = None
        self._candidate: CandidateModels | None = None
        self.generator: Generator | None = loader.generator()
        self._reader = load_support_reader(settings)
        self._judges = {library.embedder.id: loader.judge(library.embedder)}
        library.rerank_with(loader.reranker())

    def models(self) -> Mapping[str, str]:
        """The ids of the models that serve, by what they do."""
        return self._serving().models()

    def answer(
        self,
        request: AnswerRequest,
        *,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Answer:
        """As `Answerer.answer`; a candidate that fails costs nobody an answer."""

        def ask(answerer: Answerer, on_text: Callable[[str], None] | None = on_text) -> Answer:
            return answerer.answer(request, on_text=on_text, should_stop=should_stop)

        trial, candidate, thread = self._trial, self._candidate, request.thread
        serving = self._serving()
        if trial is None or thread is None or not trial.covers(thread):
            return ask(serving)
        if trial.mode == "all":
            answer = ask(serving)
            return _marked(answer, trial, "candidate") if _is_by(trial, answer) else answer
        if candidate is None or candidate.trial != trial or not trial.takes(thread):
            return _marked(ask(serving), trial, "served")
        try:
            return _marked(ask(self._trying(candidate, serving)), trial, "candidate")
        except NotReadyError:
            return ask(serving)
        except QuestionError:
            raise
        except Exception:
            logger.exception("the candidate failed run=%s", trial.run)
        # The whole answer replaces what was shown of the candidate's words.
        return _marked(ask(serving, None), trial, "failed")

    def shadow(self, request: AnswerRequest, *, should_stop: Callable[[], bool]) -> Answer | None:
        """What the candidate would answer, for nobody to see; None if none is on trial.

        Raises:
            RetrievalError: If it cannot answer.
        """
        candidate = self._candidate
        if candidate is None:
            return None
        trying = self._trying(candidate, self._serving())
        answer = trying.answer(request, should_stop=should_stop)
        return _marked(answer, candidate.trial, "candidate")

    def refresh(self) -> None:
        """Follow what was published or put on trial since the last call.

        That takes as long as loading a model or an index; questions go on meanwhile. A model that
        cannot be loaded is rolled back, or its trial ended, and what served goes on serving.
        """
        with self._refreshing:
            for kind in FOLLOWED:
                self._follow(kind)
            with suppress(RetrievalError):  # whoever asks is told
                self.library.searcher()  # so that nobody who asks waits for it
            self._follow_trial()

    def _follow(self, kind: ModelKind) -> None:
        name = runs.pointed(self._home, kind)
        if name == self._names[kind]:
            return
        try:
            self._take(kind, name)
        except RetrievalError as error:
            logger.warning("cannot serve kind=%s run=%s: %s", kind, name, error)
            if name == BASE:
                raise
            name = runs.roll_back(self._home, kind, reason=_unloadable(error)).after
        self._names[kind] = name

    def _take(self, kind: ModelKind, name: str) -> None:
        """Load what was published, unless it is here already because it was tried."""
        tried = self._candidate
        if tried is None or tried.trial.run != name:
            tried = None
        if kind == "generator":
            self.generator = (tried and tried.generator) or self._loader.generator()
        elif kind == "reranker":
            self.library.rerank_with((tried and tried.reranker) or self._loader.reranker())
        else:
            embedder = self.library.embedder
            self._judges = {embedder.id: self._loader.judge(embedder)}
        logger.info("serving kind=%s run=%s", kind, name)

    def _follow_trial(self) -> None:
        trial = trials.under_way(self._home)
        if trial is None or trial.mode == "all":
            self._candidate, self._trial = None, trial
            return
        try:
            embedder = self.library.embedder.id
            candidate = self._candidate
            if candidate is None or candidate.trial != trial or not _is_fit(candidate, embedder):
                self._candidate, self._trial = None, None
                candidate = self._candidate = self._load(trial)
                logger.info("trying kind=%s run=%s share=%s", trial.kind, trial.run, trial.share)
            if candidate.search is not None:
                candidate.search.prepare(self.library.searcher())
            self._trial = trial
        except RetrievalError as error:
            logger.warning("cannot try run=%s: %s", trial.run, error)
            self._candidate, self._trial = None, None
            trials.stop(self._home, trial, reason=_unloadable(error))

    def _load(self, trial: Trial) -> CandidateModels:
        run = runs.find_run(self._home, trial.run)
        if run.kind == "retriever":
            embedder = self._loader.retriever(run)
            search = TrialSearch(self._settings, retriever=(run, embedder))
            return CandidateModels(trial, search, judge=self._loader.judge(embedder))
        if run.kind == "reranker":
            reranker = self._loader.reranker(run)
            search = TrialSearch(self._settings, reranker=reranker)
            return CandidateModels(trial, search, None, reranker)
        if run.kind == "judge":
            return CandidateModels(trial, judge=self._loader.judge(self.library.embedder, run))
        generator = self._loader.generator(run) if run.kind == "generator" else None
        if generator is None:
            raise ModelNotFoundError(f"no {run.kind} is used here, so none can be tried")
        return CandidateModels(trial, generator=generator)

    def _serving(self) -> Answerer:
        """What serves at the moment, for one question from beginning to end."""
        searcher, judges = self.library.searcher(), self._judges
        embedder = searcher.embedder
        if embedder.id not in judges:  # a judge that is published meanwhile begins another dict
            judges[embedder.id] = self._loader.judge(embedder)
        return Answerer(searcher, judges[embedder.id], self._settings, self.generator, self._reader)

    def _trying(self, candidate: CandidateModels, serving: Answerer) -> Answerer:
        """What serves, with the candidate in the place of what plays its part."""
        if not _is_fit(candidate, serving.searcher.embedder.id):
            raise NotReadyError("the judge on trial learned from the hits of another embedder")
        search = candidate.search
        return replace(
            serving,
            searcher=search.searcher(serving.searcher) if search else serving.searcher,
            judge=candidate.judge or serving.judge,
            generator=candidate.generator or serving.generator,
        )


def _is_fit(candidate: CandidateModels, embedder: str) -> bool:
    """Whether a candidate can take part beside an embedder: a judge must know its hits."""
    judge = candidate.judge
    return candidate.trial.kind != "judge" or judge is None or judge.embedder == embedder


def _is_by(trial: Trial, answer: Answer) -> bool:
    """Whether a run that serves took part: the index may have been rolled back from a retriever."""
    return trial.kind != "retriever" or answer.embedder.endswith(f"+{trial.run}")


def _marked(answer: Answer, trial: Trial, arm: Arm) -> Answer:
    return replace(answer, arm=arm, trial=trial.run, share=trial.share)


def _unloadable(error: RetrievalError) -> str:
    return f"it cannot be loaded: {error}"
