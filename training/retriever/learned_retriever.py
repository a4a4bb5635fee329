"""From a data set to a fine-tuned retriever: with a judge of its own, tried, and kept as a run.

What words count for beside it is chosen on questions that it has not learned from. Where nothing is
surely better there than the configured model, the run holds what serves.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from retrieval.answering.judge import JUDGE_FILE
from retrieval.index.searcher import Searcher
from retrieval.index.served_embedder import load_tuned
from retrieval.models.catalogue import resolve
from retrieval.progress import Tell
from retrieval.registry.runs import MODEL, Facts, checkpoints, folder_of
from retrieval.search.embedding import Embedder
from retrieval.search.fusion import save_lexical_weight
from retrieval.serving.retriever import embed_telling, keep_vectors
from retrieval.settings import Settings
from training.curves import save_curve
from training.data.augmentation import Augmentation, noise_told
from training.data.corpus import TrainingCorpus, open_corpus, read_held_out, read_train_and_dev
from training.data.labelled_queries import LabelledQuery, judging, split
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
    load_base,
    suggest,
)
from training.retriever.served_order import (
    LEXICAL_WEIGHTS,
    FusedQuestions,
    Step,
    surest,
    told,
)
from training.retriever.training_pairs import held_back_of, texts_of, with_negatives
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
    known = corpus.index.manifest.competences
    texts = held_back_of(
        held_back,
        passages,
        corpus.index.vectors,
        corpus.embedder,
        competences=known,
        seed=seed,
    )

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
    step, candidate = _candidate(corpus, settings, work / MODEL, held_back, options.on_progress)
    metrics = {"questions": len(queries) + len(held_back), "held_back_ndcg": tuned.ndcg}

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
    if (folder_of(settings.runs_folder, learned.run) / MODEL).is_dir():
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
) -> tuple[Step | None, Candidate]:
    """The fine-tuned model as it would serve, with its judge; what serves if it is not better."""
    embedder = load_tuned(settings, model, name="candidate")
    texts = [passage.indexed_text for passage in corpus.index.passages]
    vectors = embed_telling(embedder, texts, on_progress)
    base, tuned = (
        Searcher(corpus.index, corpus.embedder),
        searcher_with(corpus.index, embedder, vectors),
    )
    step = _step(base, tuned, held_back)
    if step is None:
        return None, served(corpus)
    weighing = Searcher(tuned.index, embedder.weighing(step.lexical_weight))
    return step, Candidate(weighing, distil(corpus.judge, base, weighing, held_back))


def _step(base: Searcher, tuned: Searcher, held_back: Sequence[LabelledQuery]) -> Step | None:
    """What words count for, if what was tuned is surely better on what it has not learned from."""
    judges = [held_back[row] for row in judging(held_back)]
    questions = [query.question for query in judges]
    before, after = (
        FusedQuestions.of(judges, searcher.index.in_memory()).ndcg(
            searcher.embedder.embed_queries(questions), searcher.index.vectors, LEXICAL_WEIGHTS
        )
        for searcher in (base, tuned)
    )
    steps = [Step(lexical_weight=weight) for weight in LEXICAL_WEIGHTS]
    return surest(before[steps.index(Step())], dict(zip(steps, after, strict=True)))


def _folder(settings: Settings) -> Path:
    return resolve(settings.embedder, models_folder=settings.models_folder).path
