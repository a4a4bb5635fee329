"""From a data set to a fine-tuned retriever: with a judge of its own, tried, and kept as a run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from retrieval.answering.judge import JUDGE_FILE, Judge
from retrieval.index.searcher import Searcher
from retrieval.index.served_embedder import load_tuned
from retrieval.models.catalogue import resolve
from retrieval.progress import Tell
from retrieval.registry.runs import MODEL, Facts, checkpoints
from retrieval.search.embedding import Embedder
from retrieval.serving.retriever import embed_telling, keep_vectors
from retrieval.settings import Settings
from training.curves import save_curve
from training.data.augmentation import Augmentation, noise_told
from training.data.corpus import TrainingCorpus, open_corpus, read_held_out, read_train_and_dev
from training.data.labelled_queries import LabelledQuery
from training.extra import need
from training.gate.candidate import Candidate, LearnedRun, keep
from training.gate.comparison import told_power
from training.gate.retriever_trial import searcher_with
from training.hyperparameters import Study, search
from training.retriever.distilled_judge import distil
from training.retriever.fine_tune import (
    FineTuneConfig,
    TunedEmbedder,
    fine_tune,
    load_base,
    suggest,
)
from training.retriever.training_pairs import held_back_of, split, texts_of, with_negatives
from training.trainer import LearnOptions, is_helper

MIN_QUESTIONS = 200
"""Fewer questions than this are better learned from by a map."""


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
    passages = corpus.index.passages
    queries, held_back = split(train, dev, passages, seed=seed)
    noise = Augmentation.of(passages, seed=seed) if options.augments else None
    shown_queries = [*queries, *noise.of_queries(queries)] if noise else queries
    texts = held_back_of(held_back, passages, corpus.index.vectors, corpus.embedder, seed=seed)

    def tune(config: FineTuneConfig, work: Path) -> TunedEmbedder:
        shown = texts_of(
            shown_queries, passages, least=config.shown, headings=config.headings, seed=seed
        )
        if config.hard_negatives:
            vectors = corpus.index.vectors
            shown = with_negatives(shown, passages, vectors, corpus.embedder, seed=seed)
        return fine_tune(
            load_base(_folder(settings), corpus.index.vectors, settings),
            shown,
            texts,
            options.setup(work),
            prefixes=corpus.embedder.prefixes,
            config=config,
        )

    study = None
    if options.trials:
        study = search(suggest, partial(_score, tune), start=config, options=options)
        config = study.config
    facts = Facts(
        base=corpus.embedder.id,
        dataset=dataset.name,
        seed=seed,
        code=version("whimbrel"),
        config=asdict(config) | noise_told(noise),
    )
    work = checkpoints(settings.runs_folder, facts)
    tuned = tune(config, work)
    if is_helper():
        return None
    tuned.model.save_pretrained(str(work / MODEL), create_model_card=False)
    candidate = _candidate(corpus, settings, work / MODEL, held_back, options.on_progress)
    metrics = {"questions": len(queries) + len(held_back), "held_back_ndcg": tuned.ndcg}
    learned = keep(
        candidate,
        settings,
        replace(facts, metrics=metrics),
        lambda folder: _save(folder, work / MODEL, tuned, candidate.judge, study),
        corpus=corpus,
        held_out=held_out,
        on_progress=options.on_progress,
    )
    keep_vectors(settings, learned.run, passages, candidate.searcher.index.vectors)
    shutil.rmtree(work)
    return learned


def _score(tune: Callable[[FineTuneConfig, Path], TunedEmbedder], config: FineTuneConfig) -> float:
    """How well questions held back are answered by what is learned so; nothing of it is kept."""
    with TemporaryDirectory() as work:
        return tune(config, Path(work)).ndcg


def _candidate(
    corpus: TrainingCorpus,
    settings: Settings,
    model: Path,
    held_back: Sequence[LabelledQuery],
    on_progress: Tell,
) -> Candidate:
    """The fine-tuned model as it would serve, with its judge."""
    embedder = load_tuned(settings, model, name="candidate")
    texts = [passage.indexed_text for passage in corpus.index.passages]
    tuned = searcher_with(corpus.index, embedder, embed_telling(embedder, texts, on_progress))
    base = Searcher(corpus.index, corpus.embedder)
    return Candidate(tuned, distil(corpus.judge, base, tuned, held_back))


def _save(
    folder: Path,
    model: Path,
    tuned: TunedEmbedder,
    judge: Judge,
    study: Study[FineTuneConfig] | None,
) -> None:
    shutil.copytree(model, folder / MODEL)
    name = judge.embedder.replace("+candidate", f"+{folder.name[1:]}")  # as the run will be called
    replace(judge, embedder=name).save(folder / JUDGE_FILE)
    save_curve(folder, tuned.curve, tuned.losses)
    if study:
        study.save(folder)


def _folder(settings: Settings) -> Path:
    return resolve(settings.embedder, models_folder=settings.models_folder).path
