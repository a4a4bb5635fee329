"""What ratings are worth: dense search by the number of rated pairs, and of votes that are wrong.

    python -m benchmarks.learning.curve FOLDER [--pairs N…] [--seeds N] [--picture curve.png]

FOLDER is in the format that `retrieval/evaluation/dataset.py` describes, with questions to learn
from (`queries_train.jsonl` and `qrels_train.tsv`); only its test questions are measured, and they
choose nothing. Of the votes some are wrong: `flipped` ones call right what was shown and is not
(one of the four nearest passages), `scattered` ones any passage, `pushed` ones all the same
passage. Beside the map stand the same map without the filter for far-fetched votes, and what peers
did: raising each passage by its votes, whatever the question (the best of several strengths, chosen
on a fifth of the pairs). With no pair, the map is what it makes of the passages alone.

The bounds are for the mean of the seeds over questions, `kept` is the share of the gain without
wrong votes, the seconds are the processor's for learning and
measuring once.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.learning.learned_map import Side, embedded, headings_of
from retrieval.evaluation.dataset import read_dataset
from retrieval.records import Vectors
from retrieval.search.embedding import Embedder
from retrieval.search.linear_map import identity
from retrieval.settings import load_settings
from training.data.labelled_queries import are_near
from training.gate.comparison import compare
from training.gate.retriever_trial import dense_ndcg
from training.retriever.linear_map import TrainingPairs, fit_map, ndcg_of_each

PAIRS = (50, 200, 1_000)
UNFILTERED = (1_000,)
"""How many pairs are also learned from without the filter."""

LITTLE, MUCH = 0.1, 0.3
HARMS = (
    ("none", 0.0), ("flipped", LITTLE), ("flipped", MUCH), ("scattered", LITTLE),
    ("scattered", MUCH), ("pushed", MUCH),
)  # fmt: skip
STRENGTHS = (0.0, 0.003, 0.01, 0.03, 0.1)
SHOWN = 4


@dataclass(frozen=True)
class World:
    """What is learned from, what is measured, and what is known without any vote."""

    test: Side
    train: TrainingPairs
    headings: TrainingPairs


@dataclass(frozen=True)
class Point:
    """One learner on so many pairs: its name, nDCG@10 by seed and question, seconds of each fit."""

    learner: str
    pairs: int
    harm: str
    share: float
    scores: Vectors
    seconds: float


def harmed(
    pairs: TrainingPairs, passages: Vectors, harm: str, share: float, seed: int
) -> TrainingPairs:
    """The pairs, so many of which name a wrong passage instead."""
    random = np.random.default_rng(seed)
    relevant = [list(rows) for rows in pairs.relevant]
    pushed = int(random.integers(len(passages)))
    for number in random.permutation(len(pairs))[: round(share * len(pairs))].tolist():
        nearest = np.argsort(-(passages @ pairs.questions[number]))[: SHOWN + 1].tolist()
        wrong = [row for row in nearest if row not in relevant[number]][:SHOWN]
        anywhere = int(random.integers(len(passages)))
        chosen = {"flipped": int(random.choice(wrong)), "scattered": anywhere, "pushed": pushed}
        relevant[number] = [chosen[harm]]
    return TrainingPairs(pairs.questions, relevant)


def believed(pairs: TrainingPairs, passages: Vectors) -> TrainingPairs:
    """The pairs that the learners believe."""
    near = are_near(pairs.questions, pairs.relevant, passages)
    return pairs.part([row for row, is_near in enumerate(near) if is_near])


def boosted(pairs: TrainingPairs, world: World) -> list[float]:
    """nDCG@10 of each test question if votes raise their passages, as strongly as serves best."""
    held_back, rest = pairs.part(range(0, len(pairs), 5)), _without_every_fifth(pairs)
    means = [
        np.mean(_raised(held_back, rest, world.test.passages, strength)) for strength in STRENGTHS
    ]
    strength = STRENGTHS[int(np.argmax(means))]
    return _raised(world.test.asked, pairs, world.test.passages, strength)


def _without_every_fifth(pairs: TrainingPairs) -> TrainingPairs:
    return pairs.part([row for row in range(len(pairs)) if row % 5])


def _raised(
    asked: TrainingPairs, votes: TrainingPairs, passages: Vectors, strength: float
) -> list[float]:
    counts = np.zeros(len(passages), np.float32)
    for rows in votes.relevant:
        counts[list(rows)] += 1
    # One more dimension carries what every question adds to a passage's cosine.
    boosts = np.hstack([passages, strength * np.log1p(counts)[:, None]])
    ones = np.ones((len(asked), 1), np.float32)
    return dense_ndcg(np.hstack([asked.questions, ones]), boosts, asked.relevant)


def mapped(pairs: TrainingPairs, world: World, seed: int) -> list[float]:
    """nDCG@10 of each test question under a map that is learned from the pairs."""
    fit = fit_map(world.test.passages, pairs, headings=world.headings, seed=seed)
    return ndcg_of_each(fit.map, world.test.passages, world.test.asked)


def points(world: World, counts: Sequence[int], seeds: int) -> Iterator[Point]:
    """Everything that is measured, one after the other."""
    passages = world.test.passages
    learners: Mapping[str, Callable[[TrainingPairs, int], list[float]]] = {
        "map": lambda pairs, seed: mapped(believed(pairs, passages), world, seed),
        "unfiltered": lambda pairs, seed: mapped(pairs, world, seed),
        "boosts": lambda pairs, _: boosted(pairs, world),
    }
    for count, (harm, share), learner in product(counts, HARMS, learners):
        if learner == "unfiltered" and (share == LITTLE or count not in UNFILTERED):
            continue
        drawn = [_drawn(world, count, harm, share, seed) for seed in range(seeds)]
        began = time.process_time()
        scores = [learners[learner](pairs, seed) for seed, pairs in enumerate(drawn)]
        seconds = (time.process_time() - began) / seeds
        yield Point(learner, len(drawn[0]), harm, share, np.array(scores), seconds)


def _drawn(world: World, count: int, harm: str, share: float, seed: int) -> TrainingPairs:
    order = np.random.default_rng(seed).permutation(len(world.train))[:count].tolist()
    return harmed(world.train.part(order), world.test.passages, harm, share, seed)


def show(point: Point, before: Sequence[float], clean: Point) -> str:
    """One line of the table."""
    gained = compare(before, point.scores.mean(axis=0).tolist())
    by_seed = " ".join(f"{mean:.3f}" for mean in point.scores.mean(axis=1))
    gain = float(clean.scores.mean()) - float(np.mean(before))
    kept = f"{gained.gain / gain:>6.0%}" if gain > 0.005 else f"{'':>6}"
    return (
        f"{point.pairs:>6}  {point.harm:<10}{point.share:>4.0%}  {point.learner:<11}"
        f"{gained.candidate:.3f}  {gained.gain:+.3f} "
        f"({gained.low:+.3f} to {gained.high:+.3f}){kept}  {by_seed}  {point.seconds:5.1f}"
    )


def draw(path: Path, found: Sequence[Point], before: float) -> None:
    """The curves, one for each learner and each way of voting wrongly."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for side, learner in zip(axes, ("map", "boosts"), strict=True):
        for harm, share in HARMS:
            mine = [p for p in found if (p.learner, p.harm, p.share) == (learner, harm, share)]
            label = f"{share:.0%} {harm}" if share else "no wrong votes"
            values = [float(point.scores.mean()) for point in mine]
            side.plot([point.pairs for point in mine], values, marker="o", label=label)
        side.axhline(before, color="grey", linestyle=":", label="nothing learned")
        side.set_xscale("log")
        side.set_xlabel("rated pairs")
        side.set_title({"map": "learned map", "boosts": "votes raise passages"}[learner])
    axes[0].set_ylabel("nDCG@10")
    axes[1].legend(fontsize="small")
    figure.savefig(path, dpi=80)


def main() -> None:
    """Run, print the table and draw the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--embedder", default="all-minilm-l6-v2")
    parser.add_argument("--pairs", type=int, nargs="+", default=PAIRS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--picture", type=Path, default=Path("curve.png"))
    options = parser.parse_args()
    settings = load_settings().model_copy(update={"embedder": options.embedder})
    embedder = Embedder.load(settings)
    dataset = read_dataset(options.folder)
    test = embedded(dataset, embedder)
    train = embedded(read_dataset(options.folder, part="train"), embedder, test.passages)
    world = World(test, train.asked, headings_of(dataset, embedder))
    before = ndcg_of_each(identity(embedder.dimension), test.passages, test.asked)
    fits = [fit_map(test.passages, world.headings, seed=seed) for seed in range(options.seeds)]
    alone = [ndcg_of_each(fit.map, test.passages, test.asked) for fit in fits]
    print(f"{embedder.id}: nDCG@10 {np.mean(before):.3f} of {len(before)} questions, dense search")
    print(
        f"{'pairs':>6}  {'wrong':<14}  {'':<11}nDCG   gain (95 % bounds)         kept  seeds, cpu s"
    )
    start = Point("map", 0, "none", 0.0, np.array(alone), 0.0)
    print(show(start, before, start))
    began, found = time.process_time(), []
    clean: dict[str, Point] = {}
    for point in points(world, options.pairs, options.seeds):
        if not point.share:
            clean[point.learner] = point
        found.append(point)
        print(show(point, before, clean[point.learner]), flush=True)
    draw(options.picture, found, float(np.mean(before)))
    print(f"{time.process_time() - began:.0f} CPU-seconds")


if __name__ == "__main__":
    main()
