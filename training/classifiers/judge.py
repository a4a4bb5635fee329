"""From a data set to a judge: learned from rated answers, tried, and kept as a run."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

from retrieval.answering.judge import JUDGE_FILE, Judge, ReadingJudge, load_judge
from retrieval.errors import DataError
from retrieval.examples import Example, read_examples
from retrieval.index.library import Library
from retrieval.index.searcher import Searcher
from retrieval.models.catalogue import resolve
from retrieval.progress import Tell
from retrieval.registry.runs import MODEL, Facts, checkpoints, folder_of, write_run
from retrieval.search.embedding import Embedder
from retrieval.search.reading import reader_of
from retrieval.settings import Settings
from training.classifiers import scores
from training.classifiers.cross_encoder import CrossConfig
from training.classifiers.evidence import rows_of
from training.classifiers.judge_fit import JudgeRow, confidence, fit, read_all
from training.classifiers.reading_judge import JudgeChoice, choose
from training.classifiers.shared_logistic import fit_together
from training.classifiers.trial import ClassifierCase, no_worse, outcomes
from training.data.augmentation import Augmentation, noise_told
from training.data.regression import read_regression
from training.extra import need
from training.federated import MIN_MEMBERS, Membership
from training.gate import report
from training.gate.candidate import LearnedRun
from training.gate.decision import GateDecision, QuestionOutcome, QuestionSet, decide
from training.trainer import TrainerSetup

MIN_ROWS = 300
"""Fewer rated answers and questions with a known passage seldom make a better judge."""

MIN_SHARED_ROWS = MIN_ROWS // MIN_MEMBERS
"""So many in each workspace that learns together with others."""


def learn_abstention(
    dataset: Path,
    settings: Settings,
    embedder: Embedder,
    *,
    strong: bool = False,
    membership: Membership | None = None,
    augments: bool = False,
    seed: int = 0,
    config: CrossConfig | None = None,
    on_progress: Tell = lambda _: None,
) -> LearnedRun:
    """Fit a judge to a data set's ratings, and try it on the questions that are held out.

    An encoder whose learning was broken off goes on from its last checkpoint when this is called
    again with the same arguments.

    Args:
        dataset: A folder in the format of `retrieval.examples`.
        settings: Where the index is, and where runs are kept.
        embedder: The one that made the served index; the judge is for its hits.
        strong: Whether to fine-tune an encoder, too, which reads question and passage: the
            configured cross-encoder, else the embedder. It becomes a part of the judge only if
            the judge is surely better with it; `on_progress` is told.
        membership: Fit the judge together with other workspaces, to whose coordinator this leads;
            the threshold is fitted here.
        augments: Whether to learn from noisy twins, too, and an encoder from words that mislead
            it; they choose no threshold.
        seed: Of the encoder, of the twins and of the gate's bootstrap; nothing else is random.
        config: How the encoder learns.
        on_progress: Is told what is being done.

    Raises:
        DataError: If the data set holds too little; the message says how much is missing.
        ExtraMissingError: If it needs a library that is not installed.
        FederationError: If the workspaces did not come to an end together.
        IndexNotFoundError: If nothing has been published.
    """
    if strong:
        need("accelerate", "datasets")
    searcher = Library.load(settings, embedder).searcher()
    examples = [*read_examples(dataset, "train"), *read_examples(dataset, "dev")]
    on_progress("searching for what people rated")
    rows = _rows(examples, searcher, settings)
    held_out = _current(_rows(read_examples(dataset, "held-out"), searcher, settings))
    _check(dataset, rows, held_out, least=MIN_SHARED_ROWS if membership else MIN_ROWS)
    served = load_judge(settings.models_folder, embedder)
    config = replace(config or CrossConfig(), attacks=augments)
    how = {"reranker": settings.reranker, **asdict(config)}
    facts = Facts(embedder.id, dataset.name, seed, version("whimbrel"), how)
    work = checkpoints(settings.runs_folder, facts)
    noise = Augmentation.of(searcher.index.passages, seed=seed) if augments else None
    learned = [*rows, *_twins(noise, examples, searcher, settings)] if noise else rows
    solve = None
    if membership:
        on_progress(f"learning together at {membership.address}")
        solve = partial(fit_together, membership=membership, about=f"a judge for {embedder.id}")
    judge = fit(learned, embedder=embedder.id, data=dataset.name, solve=solve)
    if strong:
        on_progress("learning to read answers")
        setup = TrainerSetup(work, seed, on_progress=on_progress)
        choice = choose(judge, learned, _start(settings), setup, settings, config=config)
        on_progress(_told(choice))
        judge = choice.judge
    judge = judge.with_threshold(_threshold(judge, served, _current(rows)))
    run = write_run(
        settings.runs_folder,
        "judge",
        replace(
            facts,
            config={
                "features": list(judge.weights),
                "strong": strong,
                "federated": membership is not None,
                **noise_told(noise),
            },
            metrics=_metrics(judge, held_out),
        ),
        lambda to: _save(to, judge, held_out, work / MODEL),
    )
    if strong:
        shutil.rmtree(work)
    on_progress(f"trying it on {len(held_out)} questions held out")
    decision = _decided(judge, served, held_out, searcher, settings, seed)
    report.save(folder_of(settings.runs_folder, run), decision, title=f"judge {run.id}")
    return LearnedRun(run, decision)


def try_judge(
    judge: Judge, rows: Sequence[JudgeRow], *, set_: QuestionSet = "held-out"
) -> list[QuestionOutcome]:
    """What a judge makes of each row; the quality is 1 where it speaks, or is silent, rightly."""
    cases = [case_of(row) for row in rows]
    return outcomes(cases, confidences(judge, rows), threshold=judge.threshold, set_=set_)


def case_of(row: JudgeRow) -> ClassifierCase:
    """The row as a case to be tried: yes is to answer."""
    return ClassifierCase(row.id, row.question, row.is_answerable)


def confidences(judge: Judge, rows: Sequence[JudgeRow]) -> list[float]:
    """How sure a judge is of each row."""
    return [confidence(judge, row) for row in rows]


def _rows(examples: Sequence[Example], searcher: Searcher, settings: Settings) -> list[JudgeRow]:
    """The rows, with what the reader says of them where the embedder has one."""
    rows = rows_of(examples, searcher, read=settings.hits)
    reader = reader_of(searcher.embedder, settings.models_folder)
    return read_all(rows, reader) if reader else rows


def _twins(
    noise: Augmentation, examples: Sequence[Example], searcher: Searcher, settings: Settings
) -> list[JudgeRow]:
    """The rows of noisy twins, each with what search finds for it."""
    originals = {noise.twin(example.question): example.question for example in examples}
    rows = _rows(noise.of_examples(examples), searcher, settings)
    return [replace(row, twin_of=originals[row.question]) for row in rows]


def _check(
    dataset: Path, rows: Sequence[JudgeRow], held_out: Sequence[JudgeRow], *, least: int
) -> None:
    if len(rows) < least:
        raise DataError(
            f"{dataset} says of {len(rows)} answers whether they are right; a judge needs "
            f"{least}, {least - len(rows)} more"
        )
    for name, known in (("to learn from", _current(rows)), ("held out", held_out)):
        right = sum(row.is_answerable for row in known)
        if not 0 < right < len(known):
            raise DataError(
                f"of the answers {name} in {dataset} that would be given now, {right} of "
                f"{len(known)} are right; both kinds are needed. Of what experts approve, a third "
                "is held out"
            )


def _current(rows: Sequence[JudgeRow]) -> list[JudgeRow]:
    """Only what is answered so now can tell where to be silent, and whether that is better."""
    return [row for row in rows if row.is_current]


def _decided(
    judge: Judge,
    served: Judge,
    held_out: Sequence[JudgeRow],
    searcher: Searcher,
    settings: Settings,
    seed: int,
) -> GateDecision:
    regression = read_regression(settings, searcher.index.passages)
    frozen = _rows(regression.examples, searcher, settings)
    before, after = (
        [*try_judge(candidate, held_out), *try_judge(candidate, frozen, set_="regression")]
        for candidate in (served, judge)
    )
    (decision,) = decide(before, [after], outdated=regression.outdated, seed=seed)
    return decision


def _threshold(judge: Judge, served: Judge, rows: Sequence[JudgeRow]) -> float:
    spoke = [confidence >= served.threshold for confidence in confidences(served, rows)]
    return no_worse([case_of(row) for row in rows], confidences(judge, rows), spoke)


def _start(settings: Settings) -> str:
    name = settings.reranker or settings.embedder
    return str(resolve(name, models_folder=settings.models_folder).path)


def _told(choice: JudgeChoice) -> str:
    verdict = "is a part of the judge" if choice.is_reading else "is not worth its time"
    return (
        f"AUROC on answers held back: {choice.plain:.3f} from the hits alone, {choice.reading:.3f} "
        f"with the encoder, which {verdict}"
    )


def _metrics(judge: Judge, rows: Sequence[JudgeRow]) -> dict[str, float]:
    labels = [row.is_answerable for row in rows]
    return asdict(scores.score(confidences(judge, rows), labels, threshold=judge.threshold))


def _save(folder: Path, judge: Judge, held_out: Sequence[JudgeRow], reader: Path) -> None:
    judge.save(folder / JUDGE_FILE)
    if isinstance(judge, ReadingJudge):
        shutil.copytree(reader, folder / MODEL)
    labels = [row.is_answerable for row in held_out]
    scores.save(folder, confidences(judge, held_out), labels, threshold=judge.threshold)
