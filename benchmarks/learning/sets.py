"""What learning from ratings does to what serves, on any set: forced, and as the gate publishes it.

    python -m benchmarks.learning.sets FOLDER… [--learner map] [--votes "10 % wrong"…]
        [--seeds 0 1 2] [--json FILE] [--picture FILE]

Each FOLDER is in the format that `retrieval/evaluation/dataset.py` describes. A seed draws the
questions that people ask, those whose passage an expert names beforehand, and those that are
measured, which nobody rates; where a folder has questions to learn from, the measured ones are its
others. Each passage among the first four that the bot shows for a question that is asked is voted
on by two of sixty people: 👍 if it is right, 👎 if not, and as many votes are turned round as
`--votes` says; at random they say nothing. `colluders` are a fifth of the people, who vote
together: 👍 on what is wrong, 👎 on what is right; of the others' votes a tenth is turned round.

Everything goes the way of users: import, export, learner, gate. Then the run is published, whatever
the gate says, and what serves is measured: that is `forced`. `published` is the same where the gate
has passed it, and what served before where it has not. Bounds are one-sided 95 % ones, over
questions, of which each has the mean of the seeds that asked it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from statistics import fmean
from tempfile import TemporaryDirectory

from benchmarks.hostile_raters import RememberingEmbedder
from benchmarks.learning.loop import (
    FIRST_DAY,
    LEARNERS,
    SHOWN,
    Row,
    as_indexed,
    bring_in,
    index,
    row,
    served,
)
from bot.export.exporting import export_log
from bot.export.records import Policy
from bot.store.database import Database
from retrieval.errors import DataError
from retrieval.evaluation.dataset import Dataset, Query, read_dataset
from retrieval.evaluation.metrics import ndcg, recall
from retrieval.index.generation import load_index
from retrieval.index.searcher import Searcher
from retrieval.search.embedding import Embedder
from retrieval.serving.retriever import serve_run
from retrieval.settings import Settings, load_settings
from training.gate.candidate import LearnedRun
from training.gate.comparison import Comparison, compare
from training.trainer import LearnOptions

RATERS, VOTES, WEEKS = 60, 2, 12
COLLUDERS = RATERS // 5
WRONG: Mapping[str, float] = {
    "0 % wrong": 0.0,
    "10 % wrong": 0.1,
    "30 % wrong": 0.3,
    "at random": 0.5,
    "colluders": 0.1,
}
"""The ways to vote, and what share of the votes is turned round."""

Scores = dict[str, tuple[float, float]]
"""nDCG@10 and recall@10 of each question."""


@dataclass(frozen=True)
class IndexedSet:
    """A set whose passages are indexed in a home of its own; `train` if it has questions for it."""

    dataset: Dataset
    train: Dataset | None
    settings: Settings
    embedder: Embedder


@dataclass(frozen=True)
class Drawn:
    """What a seed drew: who asks what, what experts name, and what is measured; who is right."""

    asked: Sequence[Query]
    by_experts: Sequence[Query]
    measured: Sequence[Query]
    right: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class SeedOutcome:
    """One seed's outcome. `learned` counts the questions learned from; without any nothing was."""

    seed: int
    learned: int
    before: Scores
    forced: Scores
    is_passed: bool
    is_what_serves: bool
    lexical_weight: float
    seconds: float


@dataclass(frozen=True)
class SetOutcome:
    """What came of one way to vote on one set, over all seeds."""

    set: str
    votes: str
    trials: Sequence[SeedOutcome]

    def gain(self, *, forced: bool, metric: int = 0) -> Comparison:
        """How much better what serves has become."""
        before: dict[str, list[float]] = {}
        after: dict[str, list[float]] = {}
        for trial in self.trials:
            now = trial.forced if forced or trial.is_passed else trial.before
            for id_, scores in trial.before.items():
                before.setdefault(id_, []).append(scores[metric])
                after.setdefault(id_, []).append(now[id_][metric])
        return compare(*([fmean(found) for found in side.values()] for side in (before, after)))


def read_world(folder: Path, settings: Settings, embedder: Embedder) -> IndexedSet:
    """Read FOLDER and index its passages as they are."""
    dataset = read_dataset(folder)
    dataset = replace(dataset, passages=tuple(map(as_indexed, dataset.passages)))
    has_more = any(folder.glob("qrels_train.tsv*"))
    index(dataset.passages, settings, embedder)
    train = read_dataset(folder, part="train") if has_more else None
    return IndexedSet(dataset, train, settings, embedder)


def draw_questions(world: IndexedSet, options: argparse.Namespace, seed: int) -> Drawn:
    """Questions for everybody, of which nobody gets another's."""
    dataset, train = world.dataset, world.train
    random = Random(seed)
    test = [query for query in dataset.queries if query.id in dataset.qrels]
    if train is None:
        random.shuffle(test)
        most = len(test) // 3
        measured, rest, right = test[:most], test[most:], dataset.qrels
    else:
        measured, right = random.sample(test, len(test)), train.qrels
        rest = [query for query in train.queries if query.id in right]
        random.shuffle(rest)
    experts = min(options.experts, len(rest) // 2)
    asked = rest[experts : experts + options.asked]
    return Drawn(asked, rest[:experts], measured[: options.measured], right)


def votes(drawn: Drawn, searcher: Searcher, how: str, seed: int) -> Iterator[Row]:
    """What people say of what the bot shows them."""
    random = Random(seed)
    honest, bad = range(COLLUDERS, RATERS), range(COLLUDERS)
    for number, query in enumerate(drawn.asked):
        day = FIRST_DAY + timedelta(weeks=number % WEEKS)
        for hit in searcher.search(query.text, k=SHOWN):
            is_right = hit.passage.source.id in drawn.right[query.id]
            collude = how == "colluders" and random.random() < COLLUDERS / RATERS
            ratings = []
            for person in random.sample(bad if collude else honest, VOTES):
                is_turned = collude or random.random() < WRONG[how]
                value = 1 if is_right != is_turned else -1
                ratings.append({"rater": f"person {person}", "value": value})
            yield row(query.text, hit.passage, ratings, day)


def named(drawn: Drawn, dataset: Dataset) -> Iterator[Row]:
    """The passages that an expert names."""
    passages = {passage.id: passage for passage in dataset.passages}
    for number, query in enumerate(drawn.by_experts):
        (right, *_) = drawn.right[query.id]
        rating = {"rater": "expert", "value": 1, "is_expert": True}
        day = FIRST_DAY + timedelta(weeks=number % WEEKS)
        yield row(query.text, passages[right], [rating], day)


def scores_of(searcher: Searcher, drawn: Drawn, dataset: Dataset) -> Scores:
    """What serves finds for the questions that are measured."""
    found = {}
    for query in drawn.measured:
        ranked = [hit.passage.id for hit in searcher.search(query.text, k=10)]
        wanted = dataset.qrels[query.id]
        found[query.id] = ndcg(ranked, wanted), recall(ranked, wanted)
    return found


def learn(
    settings: Settings, embedder: Embedder, learner: str, drawn: Drawn, seed: int
) -> LearnedRun | None:
    """Export what was said, and learn from it; None if that is too little."""
    database = Database(settings.database_file)
    dataset, _ = export_log(
        settings,
        database,
        embedder,
        policy=Policy(),
        allows_nothing=True,
        reserved=[query.text for query in drawn.measured],
    )
    database.close()
    try:
        return LEARNERS[learner](dataset, settings, embedder, LearnOptions(seed))
    except DataError as error:
        print(f"  {error}", flush=True)
        return None


def tried(
    world: IndexedSet, how: str, home: Path, options: argparse.Namespace, seed: int
) -> SeedOutcome:
    """One seed, in a copy of the set's home."""
    began, dataset, embedder = time.process_time(), world.dataset, world.embedder
    shutil.copytree(world.settings.home, home)
    settings = world.settings.model_copy(update={"home": home})
    drawn = draw_questions(world, options, seed)
    searcher = Searcher(load_index(settings.index_folder, embedder), embedder)
    before = after = scores_of(searcher, drawn, dataset)
    bring_in([*votes(drawn, searcher, how, seed), *named(drawn, dataset)], home)
    learned = learn(settings, embedder, options.learner, drawn, seed)
    if learned is not None:
        serve_run(settings, embedder, learned.run, reason="by force")
        searcher = served(settings)
        after = scores_of(searcher, drawn, dataset)
    shutil.rmtree(home)
    metrics = {} if learned is None else learned.run.facts.metrics
    return SeedOutcome(
        seed=seed,
        learned=int(metrics.get("questions", 0)),
        before=before,
        forced=after,
        is_passed=learned is not None and learned.decision.is_passed,
        is_what_serves=learned is None or "is_what_serves" in metrics,
        lexical_weight=searcher.embedder.lexical_weight,
        seconds=round(time.process_time() - began, 1),
    )


def line(outcome: SetOutcome) -> str:
    """One line of the table."""
    forced, published = (outcome.gain(forced=is_forced) for is_forced in (True, False))
    found = outcome.gain(forced=True, metric=1)
    passed = sum(trial.is_passed for trial in outcome.trials)
    same = sum(trial.is_what_serves for trial in outcome.trials)
    return (
        f"{outcome.set:<18}{outcome.votes:<12}{forced.baseline:.3f}  {forced.gain:+.3f} "
        f"({forced.low:+.3f} to {forced.high:+.3f})  {found.gain:+.3f}  {published.gain:+.3f} "
        f"({published.low:+.3f} to {published.high:+.3f})  {passed}/{len(outcome.trials)} passed, "
        f"{same} unchanged, {fmean(trial.learned for trial in outcome.trials):.0f} questions, "
        f"{fmean(trial.seconds for trial in outcome.trials):.0f} cpu s"
    )


def as_json(outcome: SetOutcome) -> dict[str, object]:
    """The outcome without each question's score."""
    gains = {
        f"{kind} {metric}": asdict(outcome.gain(forced=kind == "forced", metric=place))
        for kind in ("forced", "published")
        for place, metric in enumerate(("ndcg", "recall"))
    }
    trials = [
        asdict(replace(trial, before={}, forced={}))
        | {
            side: [round(fmean(scores[place] for scores in found.values()), 4) for place in (0, 1)]
            for side, found in (("before", trial.before), ("forced", trial.forced))
        }
        for trial in outcome.trials
    ]
    return {"set": outcome.set, "votes": outcome.votes, "gains": gains, "trials": trials}


def draw(path: Path, outcomes: Sequence[SetOutcome]) -> None:
    """What each way to vote does to each set: by force, and as published."""
    from matplotlib.figure import Figure

    sets = [*dict.fromkeys(outcome.set for outcome in outcomes)]
    figure = Figure(figsize=(9, 1 + 1.6 * len(sets)), layout="constrained")
    for axes, name in zip(
        figure.subplots(len(sets), 1, sharex=True, squeeze=False).flat, sets, strict=True
    ):
        mine = [outcome for outcome in outcomes if outcome.set == name]
        for place, is_forced in ((-0.15, True), (0.15, False)):
            gains = [outcome.gain(forced=is_forced) for outcome in mine]
            axes.errorbar(
                [gain.gain for gain in gains],
                [number + place for number in range(len(gains))],
                xerr=[[g.gain - g.low for g in gains], [g.high - g.gain for g in gains]],
                fmt="o",
                label="by force" if is_forced else "as published",
            )
        axes.axvline(0, color="grey", linewidth=0.8)
        axes.set_yticks(range(len(mine)), [outcome.votes for outcome in mine])
        axes.invert_yaxis()
        axes.set_title(name, loc="left", fontsize="medium")
    axes.set_xlabel("change of nDCG@10 as it serves, bounds of 95 %")
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=80)


def main() -> None:
    """Print a line for each set and each way to vote."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--learner", choices=LEARNERS, default="map")
    parser.add_argument("--embedder", default="all-minilm-l6-v2")
    parser.add_argument("--votes", nargs="+", choices=WRONG, default=[*WRONG])
    parser.add_argument("--asked", type=int, default=600)
    parser.add_argument("--experts", type=int, default=300)
    parser.add_argument("--measured", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    base = load_settings().model_copy(update={"embedder": options.embedder})
    embedder = RememberingEmbedder.load(base)
    print(f"{embedder.id}, train {options.learner}: nDCG@10 as it serves")
    print(f"{'':<30}before forced                    recall  published")
    outcomes = []
    for folder in options.folders:
        with TemporaryDirectory() as name:
            world = read_world(
                folder, base.model_copy(update={"home": Path(name) / "fresh"}), embedder
            )
            for how in options.votes:
                trials = [tried(world, how, Path(name) / "home", options, n) for n in options.seeds]
                outcomes.append(SetOutcome(world.dataset.name, how, trials))
                print(line(outcomes[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps([as_json(outcome) for outcome in outcomes], indent=1))
    if options.picture:
        draw(options.picture, outcomes)


if __name__ == "__main__":
    main()
