"""How well a judge knows whether an answer will be right: as it comes, and learned from a set.

    python -m benchmarks.learning.classifiers FOLDER... [--embedder NAME] [--questions N] [--strong]

A FOLDER with `ratings.jsonl` or `feedback.jsonl` is learned from where all raters of an answer from
its training part agree, and measured on the answers of its test part: on what most raters say, and
on those of which all say the same. Seeds draw four fifths of what is learned from.

Any other FOLDER has `answers.jsonl`, which says what is unanswerable. Half of its questions, drawn
by the seed, are measured; of the others only the answerable ones are learned from, as they are and
with the documents that answer them left out: nobody says there what is unanswerable.

`as it comes` is the judge that serves before anything is learned, `one cosine` the first hit's
alone. Areas are means over the seeds, with the bootstrapped 95 % bounds of the first; the other
figures are of the first seed, with the threshold that refuses one right answer in five.

With --strong the first seed also fine-tunes the embedder to read question and passage together; the
encoder is measured alone too, and with the judge if that was better on what was held back.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import numpy as np

from bot.export.rating_folder import FILES, RatedTurn, read_ratings
from retrieval.answering.judge import JUDGED_HITS, Judge, features, find_judge
from retrieval.evaluation.dataset import Dataset, read_dataset
from retrieval.evaluation.evaluate import build_library, spread
from retrieval.index.library import Library
from retrieval.index.searcher import Searcher
from retrieval.models.catalogue import resolve
from retrieval.records import Hit
from retrieval.registry.runs import MODEL
from retrieval.search.embedding import Embedder
from retrieval.search.reranking import Reranker
from retrieval.settings import Settings, load_settings
from training.classifiers.evidence import led_by, without
from training.classifiers.judge_fit import JudgeRow, chance_cosines, examples, fit
from training.classifiers.reading_judge import choose, first_read
from training.classifiers.scores import interval, score
from training.trainer import TrainerSetup

WIDTH = 40

READ = 4
"""From so many hits answers are made: where none of them is right, no answer is."""


@dataclass(frozen=True)
class Draw:
    """What one seed learns from, and what is measured under each name."""

    train: Sequence[JudgeRow]
    tests: Mapping[str, Sequence[JudgeRow]]


def near_misses(dataset: Dataset, library: Library, seeds: int) -> Iterator[Draw]:
    """Half of the questions each: the answerable ones with their twins, and all of the rest."""
    sources = {reference.id: set(reference.passages) for reference in dataset.answers}
    rows = examples(dataset, library)
    for seed in range(seeds):
        is_test = np.random.default_rng(seed).random(len(rows)) < 0.5
        known = [r for r, out in zip(rows, is_test, strict=True) if not out and sources[r.id]]
        train = [
            replace(row, hits=hits, is_answerable=_holds(hits[:READ], sources[row.id]))
            for row in known
            for hits in (row.hits, tuple(without(row.hits, sources[row.id])))
        ]
        tested = [row for row, out in zip(rows, is_test, strict=True) if out]
        yield Draw(train, {"questions": tested})


def _holds(hits: Sequence[Hit], documents: Collection[str]) -> bool:
    return any(hit.passage.source.id in documents for hit in hits)


def rated(turns: Sequence[RatedTurn], searcher: Searcher, seeds: int) -> Iterator[Draw]:
    """Four fifths of the training part's answers each, and the test part's."""
    rows = dict(zip(range(len(turns)), _rated_rows(turns, searcher), strict=True))
    shares = [fmean(rating.value > 0 for rating in turn.ratings) for turn in turns]
    known = [n for n, turn in enumerate(turns) if turn.split == "train" and shares[n] in (0, 1)]
    tested = [n for n, turn in enumerate(turns) if turn.split == "test"]
    tests = {
        "most raters": [rows[n] for n in tested],
        "all raters": [rows[n] for n in tested if shares[n] in (0, 1)],
    }
    for seed in range(seeds):
        drawn = np.random.default_rng(seed).permutation(known)[: len(known) * 4 // 5]
        yield Draw([rows[n] for n in drawn.tolist()], tests)


def _rated_rows(turns: Sequence[RatedTurn], searcher: Searcher) -> Iterator[JudgeRow]:
    questions = list(dict.fromkeys(turn.turn.answer.question for turn in turns))
    chances = dict(zip(questions, chance_cosines(questions, searcher), strict=True))
    found = {question: searcher.search(question, k=JUDGED_HITS) for question in questions}
    for turn in turns:
        answer = turn.turn.answer
        source = answer.hits[0].passage.source.id
        own = [h.passage for h in found[answer.question] if h.passage.source.id == source]
        shown = own or [p for p in searcher.index.passages if p.source.id == source][:1]
        hits = tuple(led_by(found[answer.question], shown))
        is_good = fmean(rating.value > 0 for rating in turn.ratings) > 0.5
        yield JudgeRow(
            answer.id, "ratings", answer.question, hits, chances[answer.question], is_good
        )


def table(name: str, draws: Sequence[Draw], embedder: Embedder, given: Judge) -> None:
    """Print a line for each test and each judge of it."""
    learned = [fit(draw.train, embedder=embedder.id, data=name) for draw in draws]
    for test in draws[0].tests:
        rows = [draw.tests[test] for draw in draws]
        cosines = [[_lead(row) for row in sample] for sample in rows]
        _line(f"{name}, {test}: one cosine", rows, cosines, None)
        said = [[given.confidence(row.question, row.hits) for row in sample] for sample in rows]
        _line("as it comes", rows, said, given.threshold)
        said = [
            [judge.confidence(row.question, row.hits) for row in sample]
            for judge, sample in zip(learned, rows, strict=True)
        ]
        _line(f"learned from {len(draws[0].train)}", rows, said, learned[0].threshold)


def strong(draw: Draw, settings: Settings, embedder: Embedder) -> None:
    """Print a line for each test of the judge that an encoder reads for, or would."""
    start = resolve(settings.embedder, models_folder=settings.models_folder).path
    with TemporaryDirectory() as folder:
        judge = fit(draw.train, embedder=embedder.id, data="benchmark")
        choice = choose(judge, draw.train, start, TrainerSetup(Path(folder)), settings)
        print(f"held back: {choice.plain:.3f} plain, {choice.reading:.3f} with a reader")
        reader = Reranker(str(Path(folder) / MODEL))
        for name, rows in draw.tests.items():
            said = [first_read(reader, row) for row in rows]
            _line(f"{name}: the reader alone", [rows], [said], None)
            if choice.is_reading:
                said = [choice.judge.confidence(row.question, row.hits) for row in rows]
                _line(f"{name}: judge and reader", [rows], [said], choice.judge.threshold)


def _lead(row: JudgeRow) -> float:
    return features(row.question, row.hits, chance=row.chance)["lead"]


def _line(
    name: str,
    rows: Sequence[Sequence[JudgeRow]],
    said: Sequence[Sequence[float]],
    threshold: float | None,
) -> None:
    """Print the areas of all seeds; the rest of the first, where it said probabilities."""
    labels = [[row.is_answerable for row in sample] for sample in rows]
    scores = score(said[0], labels[0], threshold=threshold or 0.0)
    areas = [score(s, t, threshold=0.0).auroc for s, t in zip(said, labels, strict=True)]
    low, high = interval(said[0], labels[0])
    text = f"{name:<{WIDTH}}{scores.rows:>6}{fmean(areas):>8.3f}  {low:.3f} to {high:.3f}"
    if threshold is not None:
        figures = (
            scores.accuracy,
            scores.precision,
            scores.recall,
            scores.f1,
            scores.brier,
            scores.ece,
        )
        text += "".join(f"{figure:>8.3f}" for figure in figures)
    print(text, flush=True)


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--embedder", default="multilingual-e5-small")
    parser.add_argument("--questions", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--strong", action="store_true")
    options = parser.parse_args()
    settings = load_settings().model_copy(update={"embedder": options.embedder})
    embedder, given = Embedder.load(settings), find_judge(settings.models_folder, can_read=False)
    titles = "".join(f"{title:>8}" for title in ("accur.", "prec.", "recall", "F1", "Brier", "ECE"))
    print(f"{embedder.id}\n{'':<{WIDTH}}{'rows':>6}{'AUROC':>8}  95 % bounds   {titles}")
    for folder in options.folders:
        began = time.process_time()
        dataset = read_dataset(folder)
        dataset = replace(dataset, answers=tuple(spread(dataset.answers, options.questions)))
        library = build_library(dataset, settings, embedder, lambda *_: None)
        indexed = time.process_time()
        if any((folder / f"{name}{end}").is_file() for name in FILES for end in ("", ".gz")):
            draws = list(rated(read_ratings(folder), library.searcher(), options.seeds))
        else:
            draws = list(near_misses(dataset, library, options.seeds))
        table(dataset.name, draws, embedder, given)
        if options.strong:
            strong(draws[0], settings, embedder)
        done = time.process_time()
        print(
            f"{'':<{WIDTH}}{indexed - began:.0f} CPU-s to index, {done - indexed:.0f} for the rest"
        )


if __name__ == "__main__":
    main()
