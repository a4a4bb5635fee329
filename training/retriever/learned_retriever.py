"""From a data set to a fine-tuned retriever: with a judge of its own, tried, and kept as a run.

Whether it is kept, and what words count for beside it, is decided by questions in two halves, each
of which is found by a model that the other half has taught: a share held back would be too few to
be sure of anything. Where nothing is surely better than the configured model, the run holds what
serves.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from retrieval.answering.judge import JUDGE_FILE
from retrieval.index.searcher import Searcher
from retrieval.index.served_embedder import load_tuned
from retrieval.models.catalogue import resolve
from retrieval.registry.runs import MODEL, Facts, checkpoints
from retrieval.search.embedding import Embedder
from retrieval.search.fusion import save_lexical_weight
from retrieval.serving.retriever import embed_telling, keep_vectors
from retrieval.settings import Settings
from training.curves import save_curve
from training.data.augmentation import Augmentation, noise_told
from training.data.corpus import TrainingCorpus, open_corpus, read_held_out, read_train_and_dev
from training.data.labelled_queries import (
    MOST_JUDGING,
    LabelledQuery,
    folds,
    hold_back,
    judging,
    split,
)
from training.extra import need
from training.gate.candidate import Candidate, LearnedRun, keep, save_served, served
from training.gate.comparison import told_power
from training.gate.retriever_trial import searcher_with
from training.hyperparameters import search
from training.retriever.distilled_judge import distil
from training.retriever.fine_tune import (
    FineTuneConfig,
    TunedEmbedder,
    fine_tune,
    fused_ndcg,
    load_base,
    suggest,
)
from training.retriever.served_order import (
    LEXICAL_WEIGHTS,
    Scores,
    Step,
    surest,
    told,
)
from training.retriever.training_pairs import (
    MANY_OTHERS,
    MOST_CHOOSING,
    OTHERS,
    HeldBack,
    held_back_of,
    texts_of,
    with_negatives,
)
from training.trainer import LearnOptions, is_helper

MIN_QUESTIONS = 200
"""Fewer questions than this are better learned from by a map."""

HALVES = 2
"""Of the questions: each part more is a model more to teach."""


def learn_retriever(
    dataset: Path,
    settings: Settings,
    embedder: Embedder,
    options: LearnOptions,
    *,
    config: FineTuneConfig | None = None,
) -> LearnedRun | None:
    """Fine-tune the configured model on a data set's pairs, and try it on those held out.

    What was broken off goes on from the last epoch when it is called again with the same
    arguments.

    Args:
        dataset: A folder in the format of `retrieval.examples`.
        settings: Where the index is, and where runs are kept.
        embedder: The one that made the served index.
        options: What seeds it, how much it may do, and whom it tells.
        config: How to learn.

    Raises:
        DataError: If the data set holds too few questions; the message says how many are missing.
        ExtraMissingError: If what fine-tuning needs is not installed.
        IndexNotFoundError: If nothing has been published.
    """
    need("accelerate", "datasets")
    config, seed = config or FineTuneConfig(), options.seed
    corpus = open_corpus(settings, embedder)
    train, dev = read_train_and_dev(
        dataset, at_least=MIN_QUESTIONS, learner="fine-tuning", corpus=corpus
    )
    held_out = read_held_out(dataset, corpus)
    options.on_progress(told_power(len(held_out)))
    everything, held_back = split(train, dev, corpus.index.passages, seed=seed)
    teaching = _Teaching(corpus, settings, options)

    def tune(config: FineTuneConfig, work: Path) -> TunedEmbedder:
        return teaching.tune(everything, held_back, config, work)

    study = None
    if options.trials:
        study = search(suggest, partial(_score, tune), start=config, options=options)
        config = study.config
    facts = Facts(
        base=corpus.embedder.id,
        dataset=dataset.name,
        seed=seed,
        code=version("whimbrel"),
        config=asdict(config) | noise_told(teaching.noise),
    )
    work = checkpoints(settings.runs_folder, facts)
    step = teaching.step([*everything, *held_back], config, work)
    tuned = tune(config, work)
    if is_helper():
        return None
    if tuned.ndcg < tuned.curve[0]:  # this model is worse, whatever others say of its like
        step = None
    tuned.model.save_pretrained(str(work / MODEL), create_model_card=False)
    candidate = teaching.candidate(work / MODEL, held_back, step)
    metrics = {"questions": len(everything) + len(held_back), "held_back_ndcg": tuned.ndcg}

    def fill(folder: Path) -> None:
        if step is None:
            save_served(folder, settings, corpus)
        else:
            shutil.copytree(work / MODEL, folder / MODEL)
            name = candidate.judge.embedder.replace("+candidate", f"+{folder.name[1:]}")
            replace(candidate.judge, embedder=name).save(folder / JUDGE_FILE)
            save_lexical_weight(folder, step.lexical_weight)
        save_curve(folder, tuned.curve, tuned.losses)
        if study:
            study.save(folder)

    learned = keep(
        candidate,
        settings,
        replace(facts, metrics=metrics | told(step)),
        fill,
        corpus=corpus,
        held_out=held_out,
        on_progress=options.on_progress,
    )
    if step is not None:
        vectors = candidate.searcher.index.vectors
        keep_vectors(settings, learned.run, corpus.index.passages, vectors)
    shutil.rmtree(work)
    return learned


def _score(tune: Callable[[FineTuneConfig, Path], TunedEmbedder], config: FineTuneConfig) -> float:
    """How well questions held back are answered by what is learned so; nothing of it is kept."""
    with TemporaryDirectory() as work:
        return tune(config, Path(work)).ndcg


class _Teaching:
    """Fine-tunes the configured model on some questions or others of one data set."""

    def __init__(self, corpus: TrainingCorpus, settings: Settings, options: LearnOptions) -> None:
        self.noise = (
            Augmentation.of(corpus.index.passages, seed=options.seed) if options.augments else None
        )
        self._corpus, self._settings, self._options = corpus, settings, options
        self._base = resolve(settings.embedder, models_folder=settings.models_folder).path

    def tune(
        self,
        queries: Sequence[LabelledQuery],
        held_back: Sequence[LabelledQuery],
        config: FineTuneConfig,
        work: Path,
    ) -> TunedEmbedder:
        """A model that has learned from the queries; those held back have chosen its epoch."""
        index, embedder, seed = self._corpus.index, self._corpus.embedder, self._options.seed
        if self.noise:
            queries = [*queries, *self.noise.of_queries(queries)]
        shown = texts_of(
            queries, index.passages, least=config.shown, headings=config.headings, seed=seed
        )
        if config.hard_negatives:
            shown = with_negatives(shown, index.passages, index.vectors, embedder, seed=seed)
        return fine_tune(
            load_base(self._base, index.vectors, self._settings),
            shown,
            self._among(held_back, MOST_CHOOSING, OTHERS),
            self._options.setup(work),
            prefixes=embedder.prefixes,
            config=config,
        )

    def step(
        self, queries: Sequence[LabelledQuery], config: FineTuneConfig, work: Path
    ) -> Step | None:
        """What words count for, if what is so learned is surely better; None if it is not."""
        judges = {*judging(queries)}
        before: list[Scores] = []
        after: list[Scores] = []
        for number, half in enumerate(folds(queries, HALVES, seed=self._options.seed), start=1):
            self._options.on_progress(f"what the other half teaches of half {number}")
            others = [query for row, query in enumerate(queries) if row not in half]
            tuned = self.tune(
                *hold_back(others, seed=self._options.seed), config, work / str(number)
            )
            judged = self._among(
                [queries[row] for row in sorted(half & judges)], MOST_JUDGING, MANY_OTHERS
            )
            asked = self._corpus.embedder.embed_queries(judged.questions)
            before.append(judged.fused.ndcg(asked, self._corpus.index.vectors[judged.rows])[0])
            prefixes = self._corpus.embedder.prefixes
            after.append(fused_ndcg(tuned.model, judged, prefixes, LEXICAL_WEIGHTS))
        steps = [Step(lexical_weight=weight) for weight in LEXICAL_WEIGHTS]
        scores = zip(steps, np.concatenate(after, axis=1), strict=True)
        return surest(np.concatenate(before), dict(scores))

    def candidate(
        self, model: Path, held_back: Sequence[LabelledQuery], step: Step | None
    ) -> Candidate:
        """The model as it would serve, with its judge; what serves if there is no step."""
        corpus = self._corpus
        if step is None:
            return served(corpus)
        embedder = load_tuned(self._settings, model, name="candidate").weighing(step.lexical_weight)
        texts = [passage.indexed_text for passage in corpus.index.passages]
        vectors = embed_telling(embedder, texts, self._options.on_progress)
        base = Searcher(corpus.index, corpus.embedder)
        tuned = searcher_with(corpus.index, embedder, vectors)
        return Candidate(tuned, distil(corpus.judge, base, tuned, held_back))

    def _among(self, queries: Sequence[LabelledQuery], most: int, others: int) -> HeldBack:
        index = self._corpus.index
        return held_back_of(
            queries,
            index.passages,
            index.vectors,
            self._corpus.embedder,
            competences=index.manifest.competences,
            most=most,
            others=others,
            seed=self._options.seed,
        )
